"""Videos to learn from out of k-space files of any format, and orientation kept on the way."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_series import image as dicom_image
from ismrmrd_files import header, lines_of, noise_scan, write_ismrmrd
from marked_heart import draw
from step.config.keys import DEMO_CONFIG
from step.config.study import BASE_CONFIG, load_config
from step.domains.mri import ingest as mri
from step.domains.mri.cine import prepare_sequence
from step.domains.mri.ingest import Settings as Ingestion
from step.domains.mri.kspace_archive import find_archive
from step.domains.mri.synthetic_phase import SeededPhase
from step.domains.mri.video_format import CineFormat
from step.errors import InputError
from step.io.geometry import Geometry
from step.io.sequences import RawSequence, read_sequences

FRAMES, COILS = 3, 4
AXIAL = Geometry((6.0, 6.0), 8.0, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def images(shape: tuple[int, int], geometry: Geometry = AXIAL) -> np.ndarray:
    return np.stack([draw(geometry, shape, pulse) for pulse in np.linspace(0, 1, FRAMES)])


def to_kspace(image: np.ndarray) -> np.ndarray:
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes=axes)), axes=axes)


def of_coils(image: np.ndarray) -> np.ndarray:
    """Return the k-space (coil, time, ky, kx) of images seen by coils with smooth maps of unit sum of squares."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape[1:]), indexing="ij")
    angles = 2 * np.pi * np.arange(COILS) / COILS
    maps = np.stack([np.exp(-((y - np.sin(a)) ** 2) - (x - np.cos(a)) ** 2) for a in angles])
    return to_kspace((maps / np.sqrt(np.square(maps).sum(0)))[:, None] * image)


def ingest(root: Path, layout: str = "kspace_archive", subject: str | None = None) -> list[RawSequence]:
    phase = SeededPhase(seed=0, amplitude_rad=0.3, orders=1) if layout == "cine_archive" else None
    settings = Ingestion(layout=layout, exclude=(), views=(), frames=FRAMES, phase=phase)
    output = root.parent / "raw.h5"
    mri.ingest(settings, root, [subject or next(iter(find_archive(root, ())))], output)
    return list(read_sequences(output))


def write_ocmr(path: Path, shape: tuple[int, int] = (32, 64), **changes) -> None:
    """Write a fully sampled series of two slices with noise scans, readout oversampled."""
    kspace = of_coils(images(shape))
    lines = [one for s in (0, 1) for one in lines_of((1 + s) * kspace, np.ones((FRAMES, shape[0]), bool), slice=s)]
    noise = np.random.default_rng(0).standard_normal((COILS, 200, 2)).view(complex)[..., 0]
    write_ismrmrd(path, header(shape, tuple(6.0 * n for n in shape), **changes), [noise_scan(noise), *lines])


@pytest.mark.slow
def test_a_file_of_ocmr_becomes_its_slices_with_square_pixels_and_coils_combined(tmp_path):
    write_ocmr(tmp_path / "ocmr/fs_0001_1_5T.h5")
    found = ingest(tmp_path / "ocmr")
    assert [one.source for one in found] == ["fs_0001_1_5T-00", "fs_0001_1_5T-01"]
    first, second = (np.abs(one.image) for one in found)
    np.testing.assert_allclose(second, 2 * first, rtol=1e-3, atol=1e-3)
    # Maps are estimated and coils whitened by a covariance near one: a few per cent.
    np.testing.assert_allclose(first, images((32, 64)), atol=0.12 * first.max())
    correlation = np.corrcoef(first.ravel(), images((32, 64)).ravel())[0, 1]
    assert correlation > 0.998


def test_files_of_one_folder_are_one_subject_and_files_in_the_root_are_one_each(tmp_path, log):
    for file in ("fs_1.h5", "p7/a.mat", "p7/b.cfl", "p7/b.hdr", "p8/c.npz", "notes.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    found = find_archive(tmp_path, ["p8/*"])
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "fs_1": ["fs_1.h5"],
        "p7": ["a.mat", "b.cfl"],
    }
    assert "no k-space by their suffix, left out: 1, such as" in log.text


def test_partial_fourier_is_filled_with_zeros_and_counted(tmp_path, log):
    kspace = of_coils(images((32, 32)))
    kspace[:, :, :6] = 0
    (tmp_path / "raw").mkdir()
    np.savez(tmp_path / "raw/a.npz", kspace=kspace.swapaxes(0, 1).astype(np.complex64))
    (found,) = ingest(tmp_path / "raw")
    assert np.corrcoef(np.abs(found.image).ravel(), images((32, 32)).ravel())[0, 1] > 0.98
    assert "6 of 32 lines at the edge of k-space were not measured" in log.text


def undersampled(folder: Path) -> None:
    kspace = of_coils(images((32, 32)))
    kspace[:, :, 1::2] = 0
    np.savez(folder / "a.npz", kspace=kspace.swapaxes(0, 1).astype(np.complex64))


def with_two_frames(folder: Path) -> None:
    np.savez(folder / "a.npz", kspace=of_coils(images((32, 32)))[:, :2].swapaxes(0, 1).astype(np.complex64))


def of_another_kind(folder: Path) -> None:
    (folder / "a.h5").write_text("no data")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (undersampled, "16 of 32 lines are not measured in every frame"),
        (with_two_frames, "k-space has 2 frames, the study needs 3"),
        (of_another_kind, "is no file of k-space"),
        (lambda folder: None, "no file of .h5, .mat, .cfl, .npz under"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(tmp_path, write, says):
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw")
    with pytest.raises(InputError) as caught:
        ingest(tmp_path / "raw")
    assert says in str(caught.value)
    assert str(tmp_path / "raw") in str(caught.value)
    assert "\n" not in str(caught.value)


# --- orientation: a column of the video is one more to the left, a row one more to the back, in every way in


def through_ismrmrd(folder: Path, cine: np.ndarray) -> str:
    kspace = of_coils(cine)
    field = tuple(6.0 * n for n in cine.shape[1:])
    write_ismrmrd(folder / "a.h5", header(cine.shape[1:], field), lines_of(kspace, np.ones(kspace.shape[1:3], bool)))
    return "kspace_archive"


def through_npz(folder: Path, cine: np.ndarray) -> str:
    np.savez(folder / "a.npz", kspace=of_coils(cine).swapaxes(0, 1).astype(np.complex64))
    return "kspace_archive"


def through_matlab(folder: Path, cine: np.ndarray) -> str:
    from scipy.io import savemat

    savemat(folder / "a.mat", {"kspace": of_coils(cine).swapaxes(0, 1)[:, None].astype(np.complex64).T})
    return "kspace_archive"


def through_bart(folder: Path, cine: np.ndarray) -> str:
    kspace = of_coils(cine).swapaxes(0, 1).astype("<c8")
    n_frames, n_coils, n_y, n_x = kspace.shape
    (folder / "a.hdr").write_text(f"# Dimensions\n{n_x} {n_y} 1 {n_coils} 1 1 1 1 1 1 {n_frames} 1 1 1 1 1\n")
    (folder / "a.cfl").write_bytes(kspace.tobytes())
    return "kspace_archive"


def through_dicom(folder: Path, cine: np.ndarray) -> str:
    for t, frame in enumerate(cine):
        tags = {"ImagePositionPatient": [0, 0, 0], "TriggerTime": 40.0 * t, "InstanceNumber": t + 1}
        dicom_image(np.round(1000 * frame), **tags).save_as(folder / f"I{t}", enforce_file_format=True)
    return "cine_archive"


def through_nifti(folder: Path, cine: np.ndarray) -> str:
    # As converters write it: rows from the back to the front.
    flipped = cine[:, ::-1].transpose(2, 1, 0)[:, :, None].astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(flipped, np.diag([-6.0, 6, 8, 1])), folder / "a.nii.gz")
    return "cine_archive"


WAYS = [through_ismrmrd, through_npz, through_matlab, through_bart, through_dicom, through_nifti]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_marks_are_in_the_same_pixels_of_the_video_whichever_way_it_came(tmp_path, way):
    cine = images((30, 32))
    (tmp_path / "raw").mkdir()
    layout = way(tmp_path / "raw", cine)
    subject = "heart" if way is through_dicom else "a"
    (sequence,) = ingest(tmp_path / "raw", layout, subject)
    settings = CineFormat(
        frames=FRAMES, crop=32, resolution=32, scale="peak", peak=1.0, reference_phase=True, window_stride=FRAMES
    )
    (video,) = prepare_sequence(sequence, settings)
    magnitude = np.hypot(video.frames[:, 0], video.frames[:, 1])
    expected = np.pad(cine, ((0, 0), (1, 1), (0, 0)))
    expected = expected / expected.max()
    assert np.corrcoef(magnitude.ravel(), expected.ravel())[0, 1] > 0.99
    for turned in (expected[:, ::-1], expected[:, :, ::-1], expected[:, ::-1, ::-1]):
        assert np.corrcoef(magnitude.ravel(), turned.ravel())[0, 1] < 0.9
    assert np.unravel_index(magnitude[0].argmax(), (32, 32)) == np.unravel_index(expected[0].argmax(), (32, 32))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source"), [("ocmr", "kspace_archive"), ("acdc", "cine_archive")])
def test_a_recipe_is_a_study_when_laid_over_the_demo(name, source):
    config = load_config(DEMO_CONFIG, BASE_CONFIG.with_name(f"{name}.yaml"))
    data = config.data["mri"]
    assert (data.source, str(config.results), str(data.root)) == (source, f"results/{name}", f"data/{name}")
    assert data.test_videos == data.split.n_held_out


@pytest.mark.slow
def test_the_recipe_of_ocmr_reads_the_files_that_were_fully_sampled(tmp_path):
    config = load_config(DEMO_CONFIG, BASE_CONFIG.with_name("ocmr.yaml"))
    write_ocmr(tmp_path / "fs_0001_1_5T.h5")
    write_ocmr(tmp_path / "us_0101_pt_1_5T.h5")
    found = mri.find_files(config.data["mri"].model_copy(update={"root": tmp_path}))
    assert list(found) == ["fs_0001_1_5T"]
    assert config.data["mri"].subjects_per_job == 1  # one job reads one patient
