from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import torch
import yaml
from raw_files import COMPLEX, random_image, to_kspace, write_mat
from step.config.study import Config, load_config
from step.domains.mri.cine import prepare_sequence
from step.domains.mri.cmrxrecon import read_raw_file
from step.domains.mri.cmrxrecon_tree import RawFile
from step.domains.mri.video_format import CineFormat
from step.errors import InputError
from step.io.videos import PreparedVideo
from step.observations.cmrxrecon import Settings, export, files, read, settings_of
from step.physics.forward_models import check_measurement, to_tensors
from step.physics.mri import CartesianMri

FULL, UNDERSAMPLED = "kspace_single_full", "kspace_single_sub08"
FRAMES, SLICES = 3, 2

MATRICES = [(16, 32), (20, 32), (12, 32), (21, 31), (15, 30), (13, 12), (16, 15)]
"""(ky, kx) equal to, larger and smaller than the resolutions 16 and 15."""


def object_within(matrix: tuple[int, int], n_rows: int, n_frames: int = FRAMES) -> np.ndarray:
    """Return raw images (time, slice, y, x) that fill at most `n_rows` rows about the centre, and all columns."""
    image = random_image((n_frames, SLICES, *matrix)) + 1e-6 * (2 - 1j)
    offset = np.arange(matrix[0]) - matrix[0] // 2
    image[:, :, (offset < -(n_rows // 2)) | (offset >= n_rows - n_rows // 2)] = 0
    return image


def lines_of(n_lines: int) -> np.ndarray:
    mask = np.zeros(n_lines, bool)
    mask[::3] = True
    mask[n_lines // 2 - 2 : n_lines // 2 + 2] = True
    return mask


def write_mask(path: Path, lines: np.ndarray, n_columns: int) -> Path:
    return write_mat(path, "mask08", np.repeat(lines[:, None], n_columns, 1).astype(np.float64))


@pytest.fixture
def observe(tmp_path: Path) -> Callable[..., Settings]:
    """Write undersampled k-space (time, slice, ky, kx) and its mask, as they are given, and return the settings."""

    def write(kspace: np.ndarray, lines: np.ndarray, **changes: object) -> Settings:
        path = write_mat(tmp_path / "P001/cine_sax.mat", UNDERSAMPLED, kspace * lines[:, None])
        values = {
            "format": "cmrxrecon",
            "kspace": path,
            "mask": write_mask(tmp_path / "P001/cine_sax_mask.mat", lines, kspace.shape[-1]),
            "slice": 1,
            "first_frame": 0,
            "outside": {"scale": 0.0},
            "noise_level": 0.01,
            "pixel_mm": None,
            "frame_s": None,
            "frames": FRAMES,
            "resolution": 16,
            "scale": 1e6,
            "peak": 1.0,
            "reference_phase": False,
        }
        return Settings(**{**values, **changes})

    return write


def prepared(tmp_path: Path, kspace: np.ndarray, settings: Settings) -> PreparedVideo:
    """Return the video that ingestion and preparation make of the same k-space, fully sampled."""
    path = write_mat(tmp_path / "full/cine_sax.mat", FULL, kspace)
    sequence = list(read_raw_file(RawFile(path, path.name, "P001", "sax", ""), settings.frames))[settings.slice]
    shared = {key: getattr(settings, key) for key in ("frames", "resolution", "scale", "peak", "reference_phase")}
    return next(prepare_sequence(sequence, CineFormat(crop=settings.resolution, window_stride=FRAMES, **shared)))


def energy(video: torch.Tensor, measurement: dict[str, torch.Tensor]) -> float:
    """Return half the squared distance of the k-space of `video` from the measured one."""
    model = CartesianMri(torch.ones(video.shape[-1], dtype=torch.bool), noise_level=1.0)
    check_measurement(measurement, model, tuple(video.shape[1:]), "the observation")
    return float(model.negative_log_likelihood(video, measurement))


@pytest.mark.parametrize("resolution", [16, 15])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("reference_phase", [False, True])
def test_the_forward_model_of_the_prepared_video_gives_the_measured_lines(
    tmp_path, observe, matrix, resolution, reference_phase
):
    kspace, lines = to_kspace(object_within(matrix, resolution)), lines_of(matrix[0])
    settings = observe(kspace, lines, resolution=resolution, reference_phase=reference_phase)
    measurement, _ = read(settings, None)
    truth = torch.from_numpy(prepared(tmp_path, kspace, settings).frames)[None]
    assert measurement["kspace"].shape == (FRAMES, matrix[0], resolution)
    assert measurement["kspace"].dtype == np.complex64
    np.testing.assert_array_equal(measurement["mask"], np.tile(lines, (FRAMES, 1)))
    tensors = to_tensors(measurement)
    # Squared, so the k-space agrees to a part in a million.
    assert energy(truth, tensors) < 1e-12 * energy(torch.zeros_like(truth), tensors)
    assert not measurement["kspace"][:, ~lines].any()


@pytest.mark.parametrize("reference_phase", [False, True])
def test_scale_and_phase_of_a_fully_sampled_sequence_are_those_of_preparation(tmp_path, observe, reference_phase):
    kspace = to_kspace(object_within((20, 32), 16))
    settings = observe(kspace, np.ones(20, bool), scale="peak", reference_phase=reference_phase)
    measurement, attributes = read(settings, None)
    video = prepared(tmp_path, kspace, settings)
    model = CartesianMri(torch.ones(16, dtype=torch.bool), noise_level=1.0)
    np.testing.assert_allclose(model.backprojection(to_tensors(measurement))[0].numpy(), video.frames, atol=1e-6)
    assert attributes["scale"] == pytest.approx(video.scale, rel=1e-6)


@pytest.mark.parametrize("peak", [1.0, 2.5])
def test_the_largest_magnitude_of_the_zero_filled_image_is_scaled_to_the_peak(observe, peak):
    image = object_within((20, 32), 16)
    image[:, :, 0] = 1e-4  # brighter, but outside the frame
    measurement, _ = read(observe(to_kspace(image), lines_of(20), scale="peak", peak=peak), None)
    model = CartesianMri(torch.ones(16, dtype=torch.bool), noise_level=1.0)
    zero_filled = model.backprojection(to_tensors(measurement))
    assert float(zero_filled.square().sum(dim=2).max()) == pytest.approx(peak**2, rel=1e-5)


def test_values_on_lines_outside_the_mask_do_not_count(tmp_path, observe):
    kspace, lines = to_kspace(object_within((16, 32), 16)), lines_of(16)
    settings = observe(kspace, lines)
    clean, _ = read(settings, None)
    write_mat(settings.kspace, FULL, kspace)
    np.testing.assert_array_equal(read(settings, None)[0]["kspace"], clean["kspace"])


def test_another_first_frame_gives_the_later_part_of_the_same_measurement(observe):
    kspace, lines = to_kspace(object_within((16, 32), 16, n_frames=8)), lines_of(16)
    asked = {"scale": "peak", "reference_phase": True, "frame_s": 0.05}
    whole, _ = read(observe(kspace, lines, frames=8, **asked), None)
    part, attributes = read(observe(kspace, lines, first_frame=4, **asked), None)
    np.testing.assert_array_equal(part["kspace"], whole["kspace"][4:7])
    np.testing.assert_allclose(attributes["frame_times"], [0.2, 0.25, 0.3])


def test_the_attributes_say_where_the_measurement_is_from_and_in_which_units(tmp_path, observe):
    kspace, lines = to_kspace(object_within((16, 32), 16)), lines_of(16)
    _, known = read(observe(kspace, lines, pixel_mm=1.5, frame_s=0.05), None)
    assert (known["pixel_size"], known["pixel_unit"], known["frame_time_unit"]) == (1.5, "mm", "s")
    settings = observe(kspace, lines)
    _, unknown = read(settings, None)
    assert (unknown["pixel_size"], unknown["pixel_unit"], unknown["frame_time_unit"]) == (1.0, "pixel", "frame")
    np.testing.assert_array_equal(unknown["frame_times"], [0, 1, 2])
    assert unknown["scale"] == 1e6
    assert unknown["source"] == f"{UNDERSAMPLED} of {settings.kspace}, slice 1, mask {settings.mask}"
    with h5py.File(tmp_path / "attributes.h5", "w") as file:
        file.attrs.update(unknown)


def test_a_fully_measured_sequence_leaves_as_the_magnitudes_of_the_raw_file(tmp_path, observe):
    image = object_within((20, 32), 16)
    settings = observe(to_kspace(image), np.ones(20, bool), scale="peak", reference_phase=True, pixel_mm=1.5)
    measurement, attributes = read(settings, None)
    model = CartesianMri(torch.ones(16, dtype=torch.bool), noise_level=1.0)
    video = model.backprojection(to_tensors(measurement))[0].numpy()
    export(settings, {"mean": video, "sample000": video / 2}, measurement, attributes, tmp_path)
    raw = np.abs(image[:, 1, 2:18, 8:24]).transpose(2, 1, 0)[:, :, None]
    for name, expected in (("mean", raw), ("sample000", raw / 2)):
        volume = nibabel.load(tmp_path / f"{name}.nii.gz")
        np.testing.assert_allclose(volume.get_fdata(), expected, atol=1e-6 * raw.max())
        assert volume.header.get_xyzt_units() == ("mm", "unknown")


def test_a_standard_deviation_is_that_of_both_channels_together(tmp_path, observe):
    settings = observe(to_kspace(object_within((16, 32), 16)), lines_of(16), frame_s=0.05)
    std = np.full((FRAMES, 2, 16, 16), [[[[3.0]], [[4.0]]]], np.float32)
    export(settings, {"std": std}, {}, {"scale": np.float64(1e6)}, tmp_path)
    volume = nibabel.load(tmp_path / "std.nii.gz")
    np.testing.assert_allclose(volume.get_fdata(), 5e-6, rtol=1e-6)
    assert volume.header.get_zooms() == pytest.approx((1, 1, 1, 0.05))


def without_kspace(settings: Settings) -> None:
    settings.kspace.unlink()


def without_mask(settings: Settings) -> None:
    settings.mask.unlink()


def not_hdf5(settings: Settings) -> None:
    settings.kspace.write_text("no data")


def without_kspace_variable(settings: Settings) -> None:
    write_mat(settings.kspace, "mask08", np.ones((16, 32)))


def without_mask_variable(settings: Settings) -> None:
    write_mat(settings.mask, UNDERSAMPLED, good())


def with_an_axis_too_few(settings: Settings) -> None:
    write_mat(settings.kspace, UNDERSAMPLED, good()[:, 0])


def with_coils(settings: Settings) -> None:
    write_mat(settings.kspace, "kspace_sub08", np.repeat(good()[:, :, None], 10, 2))


def of_real_numbers(settings: Settings) -> None:
    write_mat(settings.kspace, UNDERSAMPLED, np.ones((FRAMES, SLICES, 16, 32)))


def with_one_slice(settings: Settings) -> None:
    write_mat(settings.kspace, UNDERSAMPLED, good()[:, :1])


def with_two_frames(settings: Settings) -> None:
    write_mat(settings.kspace, UNDERSAMPLED, good()[:2])


def with_nan(settings: Settings) -> None:
    kspace = good()
    kspace[2, 1, 8, 3] = np.nan
    write_mat(settings.kspace, UNDERSAMPLED, kspace)


def with_a_damaged_chunk(settings: Settings) -> None:
    with h5py.File(settings.kspace, "w") as file:
        values = good().view(COMPLEX)
        data = file.create_dataset(UNDERSAMPLED, data=values, chunks=(FRAMES, 1, 16, 32), compression="gzip")
        where = data.id.get_chunk_info(1).byte_offset
    with settings.kspace.open("r+b") as file:
        file.seek(where + 100)
        file.write(bytes(200))


def with_a_silent_line(settings: Settings) -> None:
    write_mat(settings.kspace, UNDERSAMPLED, good() * (np.arange(16) != 9)[:, None])


def with_an_image_beyond_the_kept_columns(settings: Settings) -> None:
    image = np.zeros((FRAMES, SLICES, 16, 32))
    image[:, :, 5, 0] = 1
    # At the frame's edge: its k-space alternates in sign along kx, so that no rounding fills the kept columns.
    write_mat(settings.kspace, UNDERSAMPLED, to_kspace(image) * lines_of(16)[:, None])


def with_a_mask_of_another_size(settings: Settings) -> None:
    write_mask(settings.mask, lines_of(32), 16)


def with_a_mask_of_text(settings: Settings) -> None:
    write_mat(settings.mask, "mask08", np.full((16, 32), b"1"))


def with_a_mask_of_nan(settings: Settings) -> None:
    write_mat(settings.mask, "mask08", np.full((16, 32), np.nan))


def with_a_mask_of_samples(settings: Settings) -> None:
    mask = np.ones((16, 32))
    mask[5, 7:] = 0
    write_mat(settings.mask, "mask08", mask)


def with_an_empty_mask(settings: Settings) -> None:
    write_mask(settings.mask, np.zeros(16, bool), 32)


def with_a_mask_without_the_centre(settings: Settings) -> None:
    lines = np.arange(16) % 3 == 0
    write_mask(settings.mask, lines, 32)
    write_mat(settings.kspace, UNDERSAMPLED, good() * lines[:, None])


def good() -> np.ndarray:
    return to_kspace(object_within((16, 32), 16))


@pytest.mark.parametrize(
    ("spoil", "file", "says", "remedy"),
    [
        (without_kspace, "kspace", "no file", "data.kspace"),
        (without_mask, "mask", "no file", "data.mask"),
        (not_hdf5, "kspace", "not HDF5", "copy it again"),
        (without_kspace_variable, "kspace", "it holds ['mask08']", "data.kspace"),
        (without_mask_variable, "mask", "no variable mask04 or mask08 or mask10 or mask;", "data.mask"),
        (with_an_axis_too_few, "kspace", "has shape (3, 16, 32), it should be ('time', 'slice',", "data.kspace"),
        (with_coils, "kspace", "kspace_sub08 has 10 coils", "SingleCoil file, with kspace_single_sub08"),
        (of_real_numbers, "kspace", "has type float64", "data.kspace"),
        (with_one_slice, "kspace", "slices 0 to 0, the observation's data.slice is 1", "give one of these"),
        (with_two_frames, "kspace", "has 2 frames, the observation needs 3", "lower its data.first_frame"),
        (with_nan, "kspace", "slice 1 has values that are not finite", "data.kspace"),
        (with_a_damaged_chunk, "kspace", "cannot read slice 1", "copy it again"),
        (with_a_silent_line, "kspace", "3 of 24 lines of the mask", "data.mask"),
        (with_an_image_beyond_the_kept_columns, "kspace", "image is zero everywhere", "data.kspace"),
        (
            with_a_mask_of_another_size,
            "mask",
            "has shape (32, 16), k-space has (16, 32) in each of 3 frames",
            "data.mask",
        ),
        (with_a_mask_of_text, "mask", "has type |S1", "data.mask"),
        (with_a_mask_of_nan, "mask", "not finite", "data.mask"),
        (with_a_mask_of_samples, "mask", "line 5 in part, 7 of 32 samples", "constant along kx"),
        (with_an_empty_mask, "mask", "has no line in 3 of 3 frames", "data.mask"),
        (with_a_mask_without_the_centre, "kspace", "the zero frequency, line 8 of 16", "data.mask"),
    ],
)
def test_files_that_cannot_be_used_end_in_one_line_with_file_and_remedy(observe, spoil, file, says, remedy):
    settings = observe(good(), lines_of(16), scale="peak", reference_phase=True)
    spoil(settings)
    with pytest.raises(InputError) as caught:
        read(settings, None)
    message = str(caught.value)
    assert says in message
    assert remedy in message
    assert str(getattr(settings, file)) in message
    assert "\n" not in message


def study(tmp_path: Path, task: str = "mri8", **format_changes: object) -> Config:
    data = {"format": "cmrxrecon", "kspace": "a.mat", "mask": "b.mat", "slice": 3, "first_frame": 1}
    data["outside"] = {"scale": "estimate"}
    data |= {"pixel_mm": 1.5, "frame_s": None}
    heart = {"task": task, "method": "step_joint", "samples": 2, "samples_per_job": 1, "data": data}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({"observations": {"heart": heart}, "data": {"mri": format_changes}}))
    return load_config(path)


def test_settings_are_those_of_the_observation_and_of_its_domain(tmp_path):
    settings = settings_of(study(tmp_path), "heart")
    assert files(settings) == [Path("a.mat"), Path("b.mat")]
    assert (settings.slice, settings.frames, settings.resolution, settings.scale) == (3, 12, 192, 1e6)


def test_resampled_videos_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be resampled, .* set data.mri.crop = data.mri.resolution = 192"):
        settings_of(study(tmp_path, crop=384), "heart")


def test_a_task_of_another_domain_is_refused(tmp_path):
    with pytest.raises(InputError, match="task blackhole is of domain blackhole; name a task of domain mri"):
        settings_of(study(tmp_path, task="blackhole"), "heart")


def test_an_estimate_without_a_noise_level_is_one_line(observe):
    kspace, lines = to_kspace(object_within((20, 32), 16)), lines_of(20)
    settings = observe(kspace, lines, outside={"scale": "estimate"}, noise_level=None)
    with pytest.raises(InputError, match="scale is estimate, which needs a noise_level, and that is null"):
        read(settings, None)
