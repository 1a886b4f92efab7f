"""Files of optical flow."""

import h5py
import numpy as np
import pytest
from step.errors import InputError
from step.io.optical_flows import (
    VideoOpticalFlow,
    read_optical_flow_attributes,
    read_optical_flows,
    write_optical_flows,
)

ATTRIBUTES = {
    "optical_flow": "truth (oracle), TV-L1",
    "source": "truth",
    "estimator": "tvl1",
    "end_point_error_px": 0.05,
}


def an_optical_flow(video: str, seed: int) -> VideoOpticalFlow:
    forward, backward = np.random.default_rng(seed).normal(size=(2, 3, 2, 6, 8)).astype(np.float32)
    return VideoOpticalFlow(video, forward, backward)


@pytest.fixture
def file(tmp_path):
    write_optical_flows(
        tmp_path / "optical_flow.h5", [an_optical_flow("video001", 1), an_optical_flow("video000", 0)], ATTRIBUTES
    )
    return tmp_path / "optical_flow.h5"


def test_optical_flows_come_back_by_video_with_what_is_said_of_them(file):
    flows = read_optical_flows(file)
    assert list(flows) == ["video000", "video001"]
    for number, flow in enumerate(flows.values()):
        assert flow.video == f"video00{number}"
        assert np.array_equal(flow.forward, an_optical_flow("", number).forward)
        assert np.array_equal(flow.backward, an_optical_flow("", number).backward)
        assert flow.forward.dtype == np.float32
    assert read_optical_flow_attributes(file) == ATTRIBUTES


def test_some_videos_are_read_alone(file):
    assert list(read_optical_flows(file, ["video001"])) == ["video001"]
    with pytest.raises(InputError, match=r"holds the optical flow of \['video000', 'video001'\], not of video007"):
        read_optical_flows(file, ["video007"])


def test_axes_and_units_are_in_the_file(file):
    with h5py.File(file) as opened:
        for direction in ("forward", "backward"):
            attributes = opened[f"video000/{direction}"].attrs
            assert attributes["axes"] == "time, component (x, y), y, x"
            assert attributes["units"] == "pixel"


def test_an_error_on_the_way_leaves_the_older_file(file):
    def stops():
        yield an_optical_flow("video000", 5)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_optical_flows(file, stops(), {})
    assert np.array_equal(read_optical_flows(file)["video000"].forward, an_optical_flow("", 0).forward)
    assert [path.name for path in file.parent.iterdir()] == ["optical_flow.h5"]


def test_a_file_that_is_missing_or_damaged_is_named(file, tmp_path):
    with pytest.raises(InputError, match=r"no file .*other\.h5"):
        read_optical_flows(tmp_path / "other.h5")
    file.write_bytes(file.read_bytes()[:2000])
    for read in (read_optical_flows, read_optical_flow_attributes):
        with pytest.raises(InputError, match=r"cannot read .*optical_flow\.h5: it is cut short"):
            read(file)
    file.write_text("not HDF5")
    with pytest.raises(InputError, match="it is not HDF5"):
        read_optical_flows(file)


def test_files_of_something_else_are_refused(tmp_path):
    path = tmp_path / "optical_flow.h5"
    write_optical_flows(path, [], {})
    with pytest.raises(InputError, match="holds no optical flows"):
        read_optical_flows(path)
    with pytest.raises(InputError, match="does not say what its optical flows were estimated from"):
        read_optical_flow_attributes(path)
    with h5py.File(path, "w") as file:
        file["video000"] = np.zeros(3)
    with pytest.raises(InputError, match="video000 is not the optical flow of a video"):
        read_optical_flows(path)
    with h5py.File(path, "w") as file:
        file["video000/forward"] = np.zeros((3, 2, 6, 8))
    with pytest.raises(InputError, match=r"no variable backward; it holds \['forward'\]"):
        read_optical_flows(path)


def test_optical_flows_without_two_components_or_with_gaps_are_refused(tmp_path):
    path, zeros = tmp_path / "optical_flow.h5", np.zeros((3, 2, 6, 8))
    write_optical_flows(path, [VideoOpticalFlow("video000", zeros, zeros[:2])], ATTRIBUTES)
    with pytest.raises(
        InputError, match=r"video000 has optical flows \(3, 2, 6, 8\) forward and \(2, 2, 6, 8\) backward"
    ):
        read_optical_flows(path)
    write_optical_flows(path, [VideoOpticalFlow("video000", zeros, zeros + np.nan)], ATTRIBUTES)
    with pytest.raises(InputError, match="the optical flow of video000 is not finite"):
        read_optical_flows(path)
