import pytest
from step.sampling.batches import arrange_batches


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("places", [[0], [7], [2, 3, 4, 5, 6], [4, 0, 8], [0, 0, 0], list(range(12))])
def test_a_sample_stands_where_its_place_says_whatever_it_is_taken_with(places, size):
    batches = arrange_batches(places, size)
    assert len(batches.order) % size == 0
    assert [batches.order[row] for row in batches.rows] == list(range(len(places)))
    assert [row % size for row in batches.rows] == [place % size for place in places]


@pytest.mark.parametrize(("places", "count"), [(range(12), 3), (range(2, 8), 2), ([5], 1), (range(3, 16), 4)])
def test_neighbours_take_as_few_batches_as_can_be(places, count):
    assert len(arrange_batches(places, 4).order) == 4 * count


def test_what_fills_a_batch_up_is_a_sample_of_that_batch():
    assert arrange_batches([1, 5, 2], 4).order == [0, 0, 2, 0, 1, 1, 1, 1]
