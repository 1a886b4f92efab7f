"""Optical flow: signs and orders, and motions that are known."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from step.config.study import load_config
from step.config.tasks import TvL1
from step.errors import InputError
from step.optical_flow.estimators import (
    RAFT_SMALLEST_SIDE,
    SyntheticPair,
    check_estimator,
    end_point_error,
    estimate_optical_flow,
    raft_estimator,
    synthetic_pair,
    tvl1_estimator,
)


@pytest.fixture(scope="module")
def settings() -> TvL1:
    return load_config().tasks["mri8"].optical_flow.tvl1


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    from torchvision.models.optical_flow import raft_large

    return raft_large(weights=None).state_dict()


def blob(x: float, y: float) -> np.ndarray:
    """Return a smooth spot around (x, y) in a frame of 32 rows and 40 columns."""
    rows, columns = np.indices((32, 40))
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 50).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 48, 128])
def test_a_rotated_and_shifted_texture_is_followed_both_ways(settings, size):
    estimator, pair = tvl1_estimator(settings), synthetic_pair(size, seed=1)
    margin = size // 16
    assert end_point_error(estimator(pair.first, pair.second), pair.forward, margin) < 0.2
    assert end_point_error(estimator(pair.second, pair.first), pair.backward, margin) < 0.2
    assert check_estimator(estimator, size) < 0.2


@pytest.mark.parametrize("size", [32, 256])
def test_the_known_optical_flow_is_exact(size):
    pair = synthetic_pair(size, seed=3)
    assert pair.first.shape == pair.second.shape == (size, size)
    assert pair.first.min() >= 0
    assert max(pair.first.max(), pair.second.max()) == 1
    # About the centre, 3 degrees from x to y (downwards), then 0.4 pixel to the right and 0.3 up.
    middle = (size - 1) / 2
    angle = np.deg2rad(3)
    x, y = size - 1 - middle, 0 - middle
    expected = (x * np.cos(angle) - y * np.sin(angle) - x + 0.4, x * np.sin(angle) + y * np.cos(angle) - y - 0.3)
    assert np.allclose(pair.forward[:, 0, size - 1], expected)
    _assert_second_at_optical_flow_is_first(pair.first, pair.second, pair.forward)
    _assert_second_at_optical_flow_is_first(pair.second, pair.first, pair.backward)


def _assert_second_at_optical_flow_is_first(first: np.ndarray, second: np.ndarray, flow: np.ndarray) -> None:
    """Look where the optical flow leads, by splines, whose error the smooth texture keeps small."""
    size = len(first)
    inside = (slice(size // 8, -(size // 8)),) * 2
    found = map_coordinates(second, np.indices(first.shape) + flow[::-1], order=5)
    assert np.abs(found - first)[inside].max() < 2e-3


def test_nothing_that_moves_is_nothing_that_flows(settings):
    dark = np.zeros((32, 40), np.float32)
    assert np.abs(tvl1_estimator(settings)(blob(20, 16), blob(20, 16))).max() < 1e-3
    assert not tvl1_estimator(settings)(dark, dark).any()


def test_component_0_is_along_x_and_component_1_along_y(settings):
    estimator = tvl1_estimator(settings)
    for component, moved in ((0, blob(21.5, 16)), (1, blob(20, 17.5))):
        flow = estimator(blob(20, 16), moved)
        assert flow.shape == (2, 32, 40)
        assert flow.dtype == np.float32
        assert flow[component, 16, 20] == pytest.approx(1.5, abs=0.2)
        assert abs(flow[1 - component, 16, 20]) < 0.1


def test_forward_goes_to_the_later_frame_and_backward_to_the_earlier(settings):
    frames = np.stack([blob(18, 16), blob(19, 16), blob(19, 18)])
    forward, backward = estimate_optical_flow(frames, tvl1_estimator(settings))
    assert forward.shape == backward.shape == (2, 2, 32, 40)
    assert np.allclose(forward[:, :, 16, 18], [[1, 0], [0, 2]], atol=0.35)
    assert np.allclose(backward[:, :, 17, 19], [[-1, 0], [0, -2]], atol=0.35)


def test_a_single_frame_has_no_optical_flow(settings):
    with pytest.raises(InputError, match="a video of 1 frame has no optical flow"):
        estimate_optical_flow(blob(20, 16)[None], tvl1_estimator(settings))


def test_the_end_point_error_is_a_mean_distance_without_the_margin():
    flow, truth = np.zeros((2, 6, 8)), np.zeros((2, 6, 8))
    flow[0], flow[1] = 3, 4
    truth[:, 0] = 100
    assert end_point_error(flow, truth, margin=1) == 5
    assert end_point_error(flow, truth, margin=0) > 20
    flow[:, 2, 3] = 0
    assert end_point_error(flow, truth, margin=1) == pytest.approx(5 * 23 / 24)


@pytest.mark.slow
def test_an_estimator_that_swaps_the_components_is_found(settings):
    estimator = tvl1_estimator(settings)
    assert check_estimator(lambda first, second: estimator(first, second)[::-1], 48) > 1
    assert check_estimator(lambda first, second: -estimator(first, second), 48) > 1


class FakeRaft(torch.nn.Module):
    """In the place of RAFT: everything moves 4 pixels of its own grid along x and 6 along y."""

    seen: list[tuple[torch.Tensor, torch.Tensor]]

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> list[torch.Tensor]:
        self.seen.append((first, second))
        last = torch.tensor([4.0, 6.0])[None, :, None, None].expand(1, 2, *first.shape[2:])
        return [0 * last, last]


@pytest.mark.parametrize(
    ("shape", "sides", "flow"),
    [
        ((32, 32), (128, 128), (1.0, 1.5)),
        ((32, 64), (128, 256), (1.0, 1.5)),
        ((48, 50), (128, 136), (4 * 50 / 136, 6 * 48 / 128)),
        ((128, 192), (128, 192), (4.0, 6.0)),
        ((250, 256), (256, 256), (4.0, 6 * 250 / 256)),
    ],
)
def test_raft_sees_three_channels_that_are_large_enough_and_its_last_optical_flow_is_scaled_back(
    monkeypatch, shape, sides, flow
):
    fake = FakeRaft()
    monkeypatch.setattr("torchvision.models.optical_flow.raft_large", lambda weights: fake)
    first = np.linspace(0, 1, shape[0] * shape[1]).reshape(shape)
    estimated = raft_estimator({})(first, 0 * first)
    assert estimated.shape == (2, *shape)
    assert np.allclose(estimated, np.array(flow)[:, None, None], rtol=1e-5)
    [(earlier, later)] = fake.seen
    assert earlier.shape == later.shape == (1, 3, *sides)
    assert min(sides) >= RAFT_SMALLEST_SIDE
    assert torch.equal(earlier[0, 0], earlier[0, 2])
    assert earlier.min() == pytest.approx(-1, abs=0.01)
    assert earlier.max() == pytest.approx(1, abs=0.01)
    assert torch.all(later == -1)


@pytest.mark.slow
def test_raft_with_any_weights_gives_an_optical_flow_of_the_frames_size(weights):
    pair = synthetic_pair(32, seed=0)
    assert isinstance(pair, SyntheticPair)
    flow = raft_estimator(weights)(pair.first, pair.second)
    assert flow.shape == (2, 32, 32)
    assert flow.dtype == np.float32
    assert np.isfinite(flow).all()


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(InputError, match="do not fit torchvision's raft_large"):
        raft_estimator(dict(list(weights.items())[:-1]))
