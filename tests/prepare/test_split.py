import argparse
from collections import Counter

import numpy as np
import pytest
from step.cli import split
from step.config.data import Split
from step.errors import InputError
from step.io.videos import PreparedVideo, VideoStore, read_index, write_videos
from step.prepare.settings import SplitSettings
from step.prepare.split import Candidate, split_videos


def make_settings(**changes: object) -> SplitSettings:
    values = {
        "seed": 0,
        "domain": "mri",
        "frames": 12,
        "pretrained": False,
        "videos": 1000,
        "images": 100000,
        "split": Split(unit="subject", validation=2, test=3),
        "test_videos": 3,
        "validation_videos": 2,
    }
    return SplitSettings(**{**values, **changes})


def make_split(**changes: object) -> Split:
    return Split(**{"unit": "subject", "validation": 2, "test": 3, **changes})


def candidates(n_subjects: int = 12, n_slices: int = 4) -> list[Candidate]:
    return [
        Candidate(
            f"P{p:03d}-sax-{s:02d}-00", f"P{p:03d}", f"P{p:03d}-sax-{s:02d}", "part.h5", p * n_slices + s, "video"
        )
        for p in range(n_subjects)
        for s in range(n_slices)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_no_subject_is_on_two_sides(seed):
    records = split_videos(candidates(), make_settings(seed=seed))
    sides = {subject: {r.split for r in records if r.subject == subject} for subject in {r.subject for r in records}}
    assert all(len(splits) == 1 for splits in sides.values())
    counts = Counter(next(iter(splits)) for splits in sides.values())
    assert counts == {"train": 7, "validation": 2, "test": 3}


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_files():
    records = split_videos(candidates(), make_settings())
    assert split_videos(candidates()[::-1], make_settings()) == records
    assert split_videos(candidates(), make_settings(seed=1)) != records


def test_asking_for_more_validation_leaves_the_test_set_as_it_is():
    few, many = (
        {
            r.video: r.use
            for r in split_videos(candidates(), make_settings(split=make_split(validation=n), validation_videos=1))
            if r.split == "test"
        }
        for n in (1, 5)
    )
    assert few == many


def test_units_that_are_named_are_held_out():
    chosen = make_split(test=("P003", "P004"), validation=("P011",))
    records = split_videos(candidates(), make_settings(split=chosen, test_videos=2, validation_videos=1))
    assert {r.subject for r in records if r.split == "test"} == {"P003", "P004"}
    assert {r.subject for r in records if r.split == "validation"} == {"P011"}


def test_sampled_units_avoid_named_ones():
    for seed in range(10):
        chosen = make_split(test=("P003",), validation=8)
        records = split_videos(candidates(), make_settings(seed=seed, split=chosen, test_videos=1))
        assert {r.subject for r in records if r.split == "test"} == {"P003"}


def test_slices_of_one_subject_can_be_held_out_with_all_their_windows():
    windows = [
        Candidate(f"pig-{s:02d}-{w:02d}", "pig", f"pig-{s:02d}", "a.h5", 3 * s + w, "video")
        for s in range(20)
        for w in range(3)
    ]
    chosen = make_split(unit="video_source", validation=0, test=4)
    records = split_videos(windows, make_settings(split=chosen, test_videos=4, validation_videos=0))
    sides = {source: {r.split for r in records if r.source == source} for source in {r.source for r in records}}
    assert Counter(tuple(splits) for splits in sides.values()) == {("train",): 16, ("test",): 4}
    assert len({r.source for r in records if r.use.startswith("video0")}) == 4


@pytest.mark.parametrize("seed", range(10))
def test_held_out_videos_are_named_and_each_is_of_another_unit(seed):
    records = split_videos(candidates(), make_settings(seed=seed))
    named = {r.use: r for r in records if r.split == "test" and r.use != "unused"}
    assert sorted(named) == ["video000", "video001", "video002"]
    assert len({r.subject for r in named.values()}) == 3
    validation = {r.use: r for r in records if r.split == "validation" and r.use != "unused"}
    assert sorted(validation) == ["validation000", "validation001"]
    assert len({r.subject for r in validation.values()}) == 2
    assert Counter(r.use for r in records if r.split == "test")["unused"] == 9


def test_which_video_of_a_unit_is_held_out_depends_on_the_seed():
    sources = {
        r.source.rpartition("-")[2]
        for seed in range(10)
        for r in split_videos(candidates(), make_settings(seed=seed))
        if r.use.startswith("video0")
    }
    assert sources == {"00", "01", "02", "03"}


def test_caps_keep_a_random_part_of_the_training_videos():
    uses = Counter(r.use for r in split_videos(candidates(), make_settings(videos=5, images=250)) if r.split == "train")
    assert uses == {"video": 5, "image": 15, "unused": 8}
    assert (uses["video"] + uses["image"]) * 12 <= 250


def test_a_larger_cap_only_adds_videos():
    small, large = (
        {r.video for r in split_videos(candidates(), make_settings(videos=n)) if r.use == "video"} for n in (5, 9)
    )
    assert small < large


def test_caps_that_exceed_what_there_is_are_logged_and_harmless(caplog):
    caplog.set_level("INFO")
    records = split_videos(candidates(), make_settings())
    assert {r.use for r in records if r.split == "train"} == {"video"}
    assert "data.mri.videos allows 1000, there are 28 to train on" in caplog.text
    assert "data.mri.images allows 100000, there are 336 to train on" in caplog.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"split": make_split(test=13)}, "data.mri.split.test asks for 13 units, 12 of 12 are left"),
        (
            {"split": make_split(validation=10)},
            "data.mri.split.validation asks for 10 units, 9 of 12 are left",
        ),
        (
            {"split": make_split(validation=9)},
            "data.mri.split leaves none of 12 units to train on; lower data.mri.split.test or .validation, or name a "
            "trained prior in priors.mri.pretrained",
        ),
        ({"split": make_split(test=("P003", "P099"))}, "data.mri.split.test names P099"),
        ({"split": make_split(test=("P003",), validation=("P003",))}, "both name P003"),
        (
            {"test_videos": 4},
            "data.mri.test_videos is 4, data.mri.split.test holds out 3 units, and each gives one video; lower the "
            "first or raise the second",
        ),
        ({"validation_videos": 3}, "data.mri.validation_videos is 3, data.mri.split.validation holds out 2 units"),
        (
            {"videos": 20, "images": 200},
            "data.mri.images is 200, the 20 training videos alone have 240 frames",
        ),
    ],
)
def test_an_impossible_split_is_refused_in_one_line(changes, says):
    with pytest.raises(InputError) as caught:
        split_videos(candidates(), make_settings(**changes))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pretrained_prior_needs_nobody_to_train_on():
    chosen = make_split(validation=9)
    records = split_videos(candidates(), make_settings(split=chosen, pretrained=True, videos=0))
    assert {r.split for r in records} == {"validation", "test"}
    assert sorted(r.use for r in records if r.use != "unused") == [
        *(f"validation00{number}" for number in range(2)),
        *(f"video00{number}" for number in range(3)),
    ]


def test_of_those_who_are_left_no_video_is_trained_on_where_none_is_asked_for():
    records = split_videos(candidates(), make_settings(pretrained=True, videos=0, images=24))
    assert Counter(r.use for r in records if r.split == "train") == {"image": 2, "unused": 26}


def test_a_video_that_was_prepared_twice_is_refused():
    with pytest.raises(InputError, match="P000-sax-00-00 is in"):
        split_videos(candidates() + candidates()[:1], make_settings())


def test_the_index_finds_videos_from_its_own_folder(tmp_path):
    frames = np.arange(3 * 4, dtype=np.float32).reshape(3, 1, 1, 2, 2)
    for name in "ab":
        videos = [PreparedVideo(f"{name}{n}-0", f"{name}{n}", f"{name}{n}", 1.0, 0.0, frames[n]) for n in range(3)]
        write_videos(tmp_path / f"prepared/{name}.h5", frames.shape, videos)
    inputs = [tmp_path / f"prepared/{name}.h5" for name in "ab"]
    settings = make_settings(split=make_split(validation=1, test=1), test_videos=1, validation_videos=1)
    split.run(argparse.Namespace(inputs=inputs, output=tmp_path / "index/index.csv"), settings)
    records = read_index(tmp_path / "index/index.csv")
    assert {r.file for r in records} == {"../prepared/a.h5", "../prepared/b.h5"}
    store = VideoStore(tmp_path / "index/index.csv")
    for number, record in enumerate(records):
        np.testing.assert_array_equal(store.video(number), frames[int(record.video[1])])
    (held_out,) = [r for r in records if r.use == "video000"]
    np.testing.assert_array_equal(store.named("video000"), frames[int(held_out.video[1])])
