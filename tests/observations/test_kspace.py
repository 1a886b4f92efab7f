"""k-space of scanners, from the files of each format to a measurement, and videos back to where they were measured."""

from pathlib import Path

import ismrmrd
import nibabel
import numpy as np
import pydicom
import pytest
import torch
import yaml
from ismrmrd_files import SHORT_AXIS, header, lines_of, noise_scan, write_ismrmrd
from marked_heart import compare, draw, find_marks, marks_of, places_of_affine, places_of_dicom
from step.config.study import Config, load_config
from step.errors import InputError
from step.io.geometry import Geometry
from step.io.tables import read_table
from step.observations.kspace import Settings, export, files, read, settings_of
from step.physics.forward_models import check_measurement, to_tensors
from step.physics.mri import CartesianMri

FRAMES, COILS = 3, 8
NOISE = 0.02  # per real and imaginary part, of the image's pixels


def scan_geometry(n_lines: int, n_samples: int) -> Geometry:
    """Return an oblique slice of 330 mm of phase encoding and twice oversampled readout, pixels not quite square."""
    names = ("position", "read_dir", "phase_dir")
    return Geometry((330 / n_lines, 600 / n_samples), 8.0, *(SHORT_AXIS[name] for name in names))


def coil_maps(shape: tuple[int, int], n_coils: int = COILS) -> np.ndarray:
    """Return smooth maps (coil, y, x), whose sum of squares is 1."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    angles = 2 * np.pi * np.arange(n_coils) / n_coils
    maps = np.stack(
        [np.exp(-((y - np.sin(a)) ** 2) - (2 * x - np.cos(a)) ** 2 + 1j * (y - x) * np.cos(a)) for a in angles]
    )
    return maps / np.sqrt(np.square(np.abs(maps)).sum(0))


def to_kspace(images: np.ndarray) -> np.ndarray:
    """Return unnormalised k-space, the zero frequency in the middle, of images (..., y, x)."""
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(images, axes=axes)), axes=axes)


def interleaved(n_lines: int, acceleration: int = 3) -> np.ndarray:
    """Return lines (time, ky), shifted each frame."""
    return (np.arange(n_lines) + np.arange(FRAMES)[:, None]) % acceleration == 0


class Scan:
    """A simulated scan: what was seen, and its k-space with correlated noise."""

    def __init__(self, n_lines: int, n_samples: int, n_coils: int = COILS, noise: float = NOISE, seed: int = 0):
        generator = np.random.default_rng(seed)
        self.geometry = scan_geometry(n_lines, n_samples)
        shape = (n_lines, n_samples)
        self.images = np.stack([draw(self.geometry, shape, pulse) for pulse in np.linspace(0, 1, FRAMES)])
        self.maps = coil_maps(shape, n_coils) if n_coils > 1 else np.ones((1, *shape))
        self.mask = interleaved(n_lines)
        mixing = np.eye(n_coils) + 0.05 * generator.standard_normal((n_coils, n_coils))
        self.noise_std = noise * np.sqrt(n_lines * n_samples)

        def sample(size: tuple[int, ...]) -> np.ndarray:
            white = generator.standard_normal((n_coils, *size)) + 1j * generator.standard_normal((n_coils, *size))
            return self.noise_std * np.einsum("dc,c...->d...", mixing, white)

        self.kspace = to_kspace(self.maps[:, None] * self.images) + sample((FRAMES, *shape))
        self.noise = sample((4000,))

    def write(self, path: Path) -> Path:
        """Write it as ISMRMRD."""
        side = [size * n for size, n in zip(self.geometry.pixel_mm, self.kspace.shape[2:], strict=True)]
        lines = lines_of(self.kspace, self.mask, frame="repetition")
        return write_ismrmrd(path, header(self.kspace.shape[2:], side), [noise_scan(self.noise), *lines])


def settings(file: Path, **changes: object) -> Settings:
    values = {
        "format": "kspace",
        "file": file,
        "mask": None,
        "slice": 0,
        "of": {},
        "first_frame": 0,
        "outside": {"scale": 0.0},
        "pixel_mm": None,
        "frame_s": None,
        "frames": FRAMES,
        "crop": 96,
        "resolution": 48,
        "scale": 1.0,
        "peak": 1.0,
        "reference_phase": False,
        "noise_level": 0.01,
    }
    return Settings(**{**values, **changes})


@pytest.mark.slow
def test_coils_of_a_scanner_become_a_measurement_that_fits_the_forward_model_and_the_truth(tmp_path):
    scan = Scan(n_lines=42, n_samples=96)
    asked = settings(scan.write(tmp_path / "scan.h5"), crop=48)
    measurement, attributes = read(asked, None)
    # Pixels of 7.86 by 6.25 mm become square ones: 330 mm are 53 lines, of which 42 may have been measured.
    assert measurement["kspace"].shape == (FRAMES, COILS, 53, 48)
    assert not measurement["mask"][:, :5].any()
    level = attributes["noise_level"]
    model = CartesianMri(torch.ones(48, dtype=torch.bool), level, 48)
    check_measurement(to_tensors(measurement), model, (FRAMES, 2, 48, 48), "scan")
    # The noise scan's level, of the mean variance: the mixing adds to it.
    assert NOISE < level < 1.5 * NOISE
    pixel = attributes["geometry_pixel_mm"]
    np.testing.assert_allclose(pixel, [330 / 53, 600 / 96])
    truth = draw_frames(Geometry.from_attributes(attributes))
    tensors = to_tensors(measurement)
    # 1 with known maps; the rest is the error of the estimated ones.
    assert 0.9 < float(model.chi_squares(truth, tensors)["kspace"]) < 1.3


def draw_frames(geometry: Geometry, side: int = 48) -> torch.Tensor:
    """Return the true video (1, time, 2, y, x) where `geometry` has its pixels."""
    images = np.stack([draw(geometry, (side, side), pulse) for pulse in np.linspace(0, 1, FRAMES)])
    return torch.from_numpy(np.stack([images, np.zeros_like(images)], 1).astype(np.float32))[None]


@pytest.mark.slow
def test_with_the_maps_known_the_truth_has_chi_square_1_at_the_level_of_the_noise_scan(tmp_path):
    # As many lines as rows and the same pixels, so that nothing is resampled.
    scan = Scan(n_lines=48, n_samples=96)
    scan.geometry = Geometry((6.25, 6.25), 8.0, *(SHORT_AXIS[name] for name in ("position", "read_dir", "phase_dir")))
    scan.images = np.stack([draw(scan.geometry, (48, 96), pulse) for pulse in np.linspace(0, 1, FRAMES)])
    clean = to_kspace(scan.maps[:, None] * scan.images)
    scan.kspace = clean + (scan.kspace - to_kspace(scan.maps[:, None] * Scan(48, 96).images))
    measurement, attributes = read(settings(scan.write(tmp_path / "scan.h5"), crop=48), None)
    from step.physics.prewhitening import whiten, whitening_of

    maps = torch.from_numpy(scan.maps[..., 24:72].astype(np.complex64))
    white = whiten(maps, whitening_of(torch.from_numpy(scan.noise.astype(np.complex64))))
    tensors = to_tensors(measurement) | {"coil_maps": white.expand(1, FRAMES, -1, -1, -1)}
    model = CartesianMri(torch.ones(48, dtype=torch.bool), attributes["noise_level"], 48)
    truth = draw_frames(Geometry.from_attributes(attributes))
    assert float(model.chi_squares(truth, tensors)["kspace"]) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("n_lines", [40, 41])
def test_marks_of_the_patient_stay_where_they_are_from_ismrmrd_to_nifti_and_dicom(tmp_path, n_lines):
    scan = Scan(n_lines, n_samples=192, noise=0.001)
    scan.mask[:] = True
    asked = settings(scan.write(tmp_path / "scan.h5"))
    measurement, attributes = read(asked, None)
    model = CartesianMri(torch.ones(48, dtype=torch.bool), 1.0, 48)
    video = model.backprojection(to_tensors(measurement))[0].numpy()
    (tmp_path / "out").mkdir()
    export(asked, {"mean": video}, measurement, attributes, tmp_path / "out")
    expected, tolerance = marks_of(scan.geometry), 6.25  # a pixel of the video
    volume = nibabel.load(tmp_path / "out/mean.nii.gz")
    in_nifti = places_of_affine(volume.affine, (48, 48))
    compare(find_marks(volume.get_fdata()[:, :, 0, 0].T, in_nifti), expected, tolerance)
    assert (int(volume.header["sform_code"]), int(volume.header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(volume.get_qform(), volume.affine, atol=1e-3)
    image = pydicom.dcmread(tmp_path / "out/mean.dcm")
    shared = image.SharedFunctionalGroupsSequence[0]
    in_dicom = places_of_dicom(
        shared.PlanePositionSequence[0].ImagePositionPatient,
        shared.PlaneOrientationSequence[0].ImageOrientationPatient,
        shared.PixelMeasuresSequence[0].PixelSpacing,
        (48, 48),
    )
    compare(find_marks(image.pixel_array[0], in_dicom), expected, tolerance)
    # One lies over the other, pixel by pixel.
    np.testing.assert_allclose(in_nifti, in_dicom, atol=1e-3)


@pytest.mark.slow
def test_the_exported_dicom_has_the_values_times_and_patient_of_the_scan(tmp_path):
    scan = Scan(n_lines=48, n_samples=96)
    asked = settings(scan.write(tmp_path / "scan.h5"), crop=48)
    measurement, attributes = read(asked, None)
    video = np.random.default_rng(0).random((FRAMES, 2, 48, 48), np.float32)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        export(asked, {"mean": video, "std": video}, measurement, attributes, tmp_path / name)
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
            *("images.h5", "mean.dcm", "mean.nii.gz", "residuals.csv", "std.dcm", "std.nii.gz")
        ]
    assert (tmp_path / "one/mean.dcm").read_bytes() == (tmp_path / "two/mean.dcm").read_bytes()
    image = pydicom.dcmread(tmp_path / "one/mean.dcm")
    groups = image.SharedFunctionalGroupsSequence[0]
    slope = float(groups.PixelValueTransformationSequence[0].RescaleSlope)
    np.testing.assert_allclose(image.pixel_array * slope, np.hypot(video[:, 0], video[:, 1]), atol=slope)
    assert (image.PatientID, image.NumberOfFrames, image.SOPClassUID.name) == (
        "volunteer7",
        FRAMES,
        "Enhanced MR Image Storage",
    )
    delays = [
        frame.CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime
        for frame in image.PerFrameFunctionalGroupsSequence
    ]
    # 16 lines of 2.8 ms a frame.
    np.testing.assert_allclose(delays, 16 * 2.8 * np.arange(FRAMES))
    assert nibabel.load(tmp_path / "one/mean.nii.gz").header.get_zooms()[3] == pytest.approx(16 * 2.8e-3)


@pytest.mark.slow
def test_the_formats_own_package_reads_the_exported_images_with_place_time_and_complex_values(tmp_path):
    scan = Scan(n_lines=48, n_samples=96)
    asked = settings(scan.write(tmp_path / "scan.h5"), crop=48)
    measurement, attributes = read(asked, None)
    video = np.random.default_rng(0).normal(size=(FRAMES, 2, 48, 48)).astype(np.float32)
    export(asked, {"mean": video, "std": abs(video)}, measurement, attributes, tmp_path)
    geometry = Geometry.from_attributes(attributes)
    with ismrmrd.Dataset(str(tmp_path / "images.h5"), "dataset", create_if_needed=False) as dataset:
        assert sorted(dataset.list()) == ["mean", "std"]
        assert dataset.number_of_images("mean") == FRAMES
        for frame in range(FRAMES):
            image = dataset.read_image("mean", frame)
            expected = (video[frame, 0] + 1j * video[frame, 1]) / attributes["scale"]
            np.testing.assert_allclose(image.data[0, 0], expected, rtol=1e-5)
            assert (image.phase, image.image_type, image.data.shape) == (frame, ismrmrd.IMTYPE_COMPLEX, (1, 1, 48, 48))
            assert float(image.meta["FrameTime_s"]) == pytest.approx(frame * 16 * 2.8e-3, rel=1e-5)
            assert image.meta["PatientID"] == "volunteer7"
            placed = {name: list(getattr(image, name)) for name in ("position", "read_dir", "phase_dir", "slice_dir")}
        deviation = dataset.read_image("std", 0)
    np.testing.assert_allclose(
        deviation.data[0, 0], np.hypot(video[0, 0], video[0, 1]) / attributes["scale"], rtol=1e-5
    )
    np.testing.assert_allclose(placed["position"], geometry.centre_mm, rtol=1e-5)
    for name in ("read_dir", "phase_dir", "slice_dir"):
        np.testing.assert_allclose(placed[name], SHORT_AXIS[name], atol=1e-5)
    np.testing.assert_allclose(list(deviation.field_of_view), [300, 48 * 330 / 53, 8], rtol=1e-5)


@pytest.mark.parametrize("n_coils", [1, 3])
def test_residuals_are_those_of_each_coil_frame_and_line(tmp_path, n_coils):
    scan = Scan(n_lines=48, n_samples=48, n_coils=n_coils, noise=0.0)
    np.savez(tmp_path / "scan.npz", kspace=undersampled(scan))
    asked = settings(tmp_path / "scan.npz", crop=48, noise_level=0.1)
    measurement, attributes = read(asked, None)
    video = np.random.default_rng(0).random((FRAMES, 2, 48, 48), np.float32)
    export(asked, {"mean": video}, measurement, attributes, tmp_path)
    rows = read_table(tmp_path / "residuals.csv")
    assert len(rows) == scan.mask.sum() * n_coils
    frame, coil, line = 1, n_coils - 1, int(np.flatnonzero(scan.mask[1])[5])
    (row,) = [row for row in rows if (row["coil"], row["frame"], row["ky"]) == (str(coil), str(frame), str(line))]
    image = video[frame, 0] + 1j * video[frame, 1]
    if n_coils > 1:
        image = image * measurement["coil_maps"][frame, coil]
        measured = measurement["kspace"][frame, coil, line]
    else:
        measured = measurement["kspace"][frame, line]
    expected = np.square(np.abs(to_kspace(image)[line] / 48 - measured)).mean() / 2
    assert float(row["mean_square"]) == pytest.approx(expected, rel=1e-4)
    assert float(row["chi_square"]) == pytest.approx(expected / 0.1**2, rel=1e-4)


def test_a_scan_that_says_nothing_of_its_place_leaves_as_a_secondary_capture(tmp_path):
    scan = Scan(n_lines=48, n_samples=48)
    kspace = (scan.kspace * scan.mask[:, :, None]).swapaxes(0, 1)
    np.savez(tmp_path / "scan.npz", kspace=kspace.astype(np.complex64))
    asked = settings(tmp_path / "scan.npz", crop=48, pixel_mm=6.25, frame_s=0.05)
    measurement, attributes = read(asked, None)
    assert "noise_level" not in attributes
    video = np.ones((FRAMES, 2, 48, 48), np.float32)
    export(asked, {"mean": video}, measurement, attributes, tmp_path)
    image = pydicom.dcmread(tmp_path / "mean.dcm")
    assert image.SOPClassUID.name == "Multi-frame Grayscale Word Secondary Capture Image Storage"
    assert "ImagePositionPatient" not in image
    assert [float(side) for side in image.PixelSpacing] == [6.25, 6.25]
    assert float(image.FrameTime) == pytest.approx(50)
    np.testing.assert_allclose(image.pixel_array * float(image.RescaleSlope), 2**0.5, rtol=1e-4)
    volume = nibabel.load(tmp_path / "mean.nii.gz")
    assert (int(volume.header["sform_code"]), volume.header.get_xyzt_units()) == (2, ("mm", "sec"))


def test_one_coil_is_the_measurement_without_maps(tmp_path):
    scan = Scan(n_lines=48, n_samples=48, n_coils=1)
    kspace = (scan.kspace * scan.mask[:, :, None]).swapaxes(0, 1)
    np.savez(tmp_path / "scan.npz", kspace=kspace.astype(np.complex64), mask=scan.mask)
    measurement, _ = read(settings(tmp_path / "scan.npz", crop=48), None)
    assert sorted(measurement) == ["kspace", "mask", "outside_fitted", "outside_scale"]
    # Unnormalised to orthonormal.
    expected = scan.kspace[0] * scan.mask[:, :, None] / 48
    np.testing.assert_allclose(measurement["kspace"], expected, atol=1e-5 * np.abs(expected).max())


def test_a_coarser_video_has_the_k_space_of_the_image_at_its_pixels(tmp_path):
    scan = Scan(n_lines=96, n_samples=96, n_coils=1, noise=0.0)
    scan.geometry = Geometry((3.125, 3.125), 8.0, *(SHORT_AXIS[name] for name in ("position", "read_dir", "phase_dir")))
    scan.images = np.stack([draw(scan.geometry, (96, 96), pulse) for pulse in np.linspace(0, 1, FRAMES)])
    np.savez(tmp_path / "scan.npz", kspace=to_kspace(scan.images)[:, None].astype(np.complex64), pixel_mm=3.125)
    measurement, attributes = read(settings(tmp_path / "scan.npz"), None)
    assert attributes["pixel_size"] == 6.25
    model = CartesianMri(torch.ones(48, dtype=torch.bool), 1.0, 48)
    video = model.backprojection(to_tensors(measurement))[0, :, 0].numpy()
    np.testing.assert_allclose(video, scan.images[:, ::2, ::2], atol=0.15)


@pytest.mark.parametrize("scale", ["estimate", 0.3])
def test_of_several_coils_the_profile_outside_the_frame_comes_from_their_average(tmp_path, scale):
    scan = Scan(n_lines=64, n_samples=48, noise=0.001)
    y = np.arange(64) - 32
    scan.images = scan.images + (0.7 * (np.abs(y) > 26))[:, None]
    kspace = to_kspace(scan.maps[:, None] * scan.images) * scan.mask[:, :, None]
    np.savez(tmp_path / "scan.npz", kspace=kspace.swapaxes(0, 1).astype(np.complex64))
    measurement, attributes = read(settings(tmp_path / "scan.npz", crop=48, outside={"scale": scale}), None)
    assert measurement["kspace"].shape == (FRAMES, COILS, 64, 48)
    assert measurement["outside_fitted"].all() == (scale == "estimate")
    if scale == "estimate":
        # 12 of 16 rows outside have 0.7: per real and imaginary part 0.43.
        np.testing.assert_allclose(measurement["outside_scale"][0].mean(), 0.43, rtol=0.15)
        assert attributes["outside_share"] > 0.2
    else:
        assert (measurement["outside_scale"] == np.float32(0.3)).all()


def undersampled(scan: Scan) -> np.ndarray:
    return (scan.kspace * scan.mask[:, :, None]).swapaxes(0, 1).astype(np.complex64)


def with_another_mask(folder: Path) -> dict:
    scan = Scan(48, 48)
    np.savez(folder / "scan.npz", kspace=undersampled(scan), mask=np.roll(scan.mask, 1, 1))
    return {}


def without_the_centre(folder: Path) -> dict:
    kspace = undersampled(Scan(48, 48))
    kspace[:, :, 20:28] = 0
    np.savez(folder / "scan.npz", kspace=kspace)
    return {}


def with_too_few_frames(folder: Path) -> dict:
    np.savez(folder / "scan.npz", kspace=undersampled(Scan(48, 48)))
    return {"first_frame": 1}


def with_another_pixel(folder: Path) -> dict:
    np.savez(folder / "scan.npz", kspace=undersampled(Scan(48, 48)), pixel_mm=2.0)
    return {"pixel_mm": 1.5}


def from_the_corner(folder: Path) -> dict:
    kspace = np.fft.ifftshift(Scan(48, 48, noise=0.0).kspace.swapaxes(0, 1), axes=(-2, -1))
    np.savez(folder / "scan.npz", kspace=kspace.astype(np.complex64))
    return {}


def asymmetric(folder: Path) -> dict:
    scan = Scan(48, 96)
    lines = lines_of(scan.kspace[..., 20:], scan.mask)
    for line in lines:
        line.center_sample = 28
    write_ismrmrd(folder / "scan.h5", header((48, 96), (300, 600)), lines)
    return {"file": folder / "scan.h5"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (with_another_mask, "lines of the mask are zero in k-space, all frames counted"),
        (without_the_centre, "coil maps need 4 central lines or more, and the frames together have 0 in a row"),
        (with_too_few_frames, "kspace has 3 frames, the observation needs 4"),
        (with_another_pixel, "has pixels of 2 mm, the observation's data.pixel_mm is 1.5"),
        (from_the_corner, "in the middle, where the zero frequency should be"),
        (asymmetric, "an asymmetric echo"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_the_file(tmp_path, spoil, says):
    changes = {"file": tmp_path / "scan.npz", "crop": 48} | spoil(tmp_path)
    with pytest.raises(InputError) as caught:
        read(settings(**changes), None)
    assert says in str(caught.value)
    assert str(changes["file"]) in str(caught.value)
    assert "\n" not in str(caught.value)


def study(tmp_path: Path, task: str = "mri8", **format_changes: object) -> Config:
    data = {"format": "kspace", "file": "a.cfl", "mask": None, "slice": 0, "of": {"repetition": 1}, "first_frame": 1}
    data |= {"outside": {"scale": "estimate"}, "pixel_mm": None, "frame_s": None}
    heart = {"task": task, "method": "step_joint", "samples": 2, "samples_per_job": 1, "data": data}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({"observations": {"heart": heart}, "data": {"mri": format_changes}}))
    return load_config(path)


def test_settings_are_those_of_the_observation_and_of_its_domain(tmp_path):
    found = settings_of(study(tmp_path, crop=384), "heart")
    assert files(found) == [Path("a.cfl"), Path("a.hdr")]
    assert (found.of, found.frames, found.crop, found.resolution) == ({"repetition": 1}, 12, 384, 192)


def test_frames_finer_than_raw_pixels_and_tasks_of_another_domain_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"k-space beyond what was measured; set data\.mri\.crop to 192 or more"):
        settings_of(study(tmp_path, crop=96), "heart")
    with pytest.raises(InputError, match="task blackhole is of domain blackhole; name a task of domain mri"):
        settings_of(study(tmp_path, task="blackhole"), "heart")
