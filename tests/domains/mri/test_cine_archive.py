from pathlib import Path

import numpy as np
import pytest
from step.domains.mri import ingest as mri
from step.domains.mri.ingest import Settings as Ingestion
from step.domains.mri.synthetic_phase import SeededPhase
from step.errors import InputError
from step.io.sequences import read_sequences

REAL_ARCHIVE = Path(__file__).resolve().parents[3] / "shared/data/cine_cc0"


@pytest.fixture
def settings() -> Ingestion:
    phase = SeededPhase(seed=0, amplitude_rad=0.7, orders=2)
    return Ingestion(layout="cine_archive", exclude=(), views=(), frames=12, phase=phase)


def run(root: Path, output: Path, settings: Ingestion, *subjects: str) -> list:
    mri.ingest(settings, root, subjects, output)
    return list(read_sequences(output))


def cine(dtype: type = np.int16, shape: tuple[int, ...] = (2, 12, 6, 8)) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 250, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_magnitudes_come_back_with_a_phase_that_is_constant_over_time(tmp_path, settings, dtype, save):
    images = cine(dtype)
    save(tmp_path / "pig 1.npz", img=images, trigger_ms=np.zeros((2, 12)))
    sequences = run(tmp_path, tmp_path / "out/raw.h5", settings, "pig-1")
    assert [s.source for s in sequences] == ["pig-1-00", "pig-1-01"]
    for sequence, image in zip(sequences, images, strict=True):
        np.testing.assert_allclose(np.abs(sequence.image), image, rtol=1e-5)
        phase = np.angle(sequence.image)
        np.testing.assert_allclose(np.exp(1j * phase), np.exp(1j * phase[:1]).repeat(12, 0), atol=1e-5)
        assert phase[0].std() > 0.3


def spoilt(**arrays: np.ndarray):
    return lambda path: np.savez(path, **arrays)


def not_finite() -> np.ndarray:
    images = cine(np.float32)
    images[1, 2, 3, 4] = np.nan
    return images


def cut_short(path: Path) -> None:
    np.savez(path, img=cine())
    path.write_bytes(path.read_bytes()[:-700])


def damaged(path: Path) -> None:
    np.savez_compressed(path, img=cine())
    data = bytearray(path.read_bytes())
    data[400:500] = bytes(100)
    path.write_bytes(bytes(data))


def with_bytes(position: int, *values: int):
    """Return what sets bytes of the entry of `img` in the directory at the end of an .npz."""

    def write(path: Path) -> None:
        np.savez(path, img=cine())
        data = bytearray(path.read_bytes())
        start = data.rindex(b"PK\x01\x02") + position
        data[start : start + len(values)] = bytes(values)
        path.write_bytes(bytes(data))

    return write


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (spoilt(image=cine()), "no array img"),
        (spoilt(img=cine()[0]), "shape (12, 6, 8)"),
        (spoilt(img=cine().astype(np.complex64)), "type complex64"),
        (spoilt(img=np.array([{"a": 1}], object)), "type object"),
        (spoilt(img=np.asfortranarray(cine())), "Fortran order"),
        (spoilt(img=cine()[:, :10]), "cine has 10 frames, the study needs 12"),
        (spoilt(img=not_finite()), "not finite"),
        (cut_short, "cannot read"),
        (damaged, "cannot read"),
        (with_bytes(6, 255), "zip file version 25.5"),
        (with_bytes(8, 1), "encrypted"),
        (with_bytes(10, 99), "compression method is not supported"),
    ],
)
def test_a_bad_npz_ends_in_one_clear_line_and_leaves_nothing_behind(tmp_path, settings, write, says):
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw/a.npz")
    with pytest.raises(InputError) as caught:
        run(tmp_path / "raw", tmp_path / "out/raw.h5", settings, "a")
    assert says in str(caught.value)
    assert "a.npz" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_empty_archive_says_what_it_should_hold(tmp_path, settings):
    with pytest.raises(InputError, match=r"no \.npz, 4D NIfTI or DICOM files under .*data\.mri\.root"):
        run(tmp_path, tmp_path / "raw.h5", settings, "a")


def write_frame(path: Path, patient: str, series: str, location: float, trigger: float, image: np.ndarray):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    frame = Dataset()
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    frame.SOPClassUID, frame.SOPInstanceUID = MRImageStorage, generate_uid()
    frame.PatientID, frame.SeriesInstanceUID = patient, series
    frame.SliceLocation, frame.TriggerTime, frame.InstanceNumber = location, trigger, 1
    frame.Rows, frame.Columns = image.shape
    frame.SamplesPerPixel, frame.PhotometricInterpretation = 1, "MONOCHROME2"
    frame.BitsAllocated, frame.BitsStored, frame.HighBit, frame.PixelRepresentation = 16, 16, 15, 0
    frame.RescaleSlope, frame.RescaleIntercept = 2, 1
    frame.PixelData = image.astype("<u2").tobytes()
    frame.save_as(path, enforce_file_format=True)


@pytest.fixture
def dicom_folder(tmp_path) -> tuple[Path, np.ndarray]:
    """Two patients; the first has two slices of 12 frames, in files named in no useful order."""
    images, folder = cine(np.uint16), tmp_path / "raw/series"
    folder.mkdir(parents=True)
    for frame in range(12):
        for number in range(2):
            image = images[number, frame]
            write_frame(
                folder / f"{(frame * 7 + number) % 24}-{number}",
                "A_1",
                "1.2.3",
                10.0 * number,
                50.0 * frame,
                image,
            )
        write_frame(folder / f"b{frame}.dcm", "B", "1.2.4", 0.0, 50.0 * (11 - frame), images[0, frame])
    (folder / "notes.txt").write_text("not an image")
    return tmp_path / "raw", images


@pytest.mark.slow
def test_dicom_frames_are_grouped_by_slice_and_ordered_by_trigger_time(tmp_path, settings, dicom_folder):
    root, images = dicom_folder
    sequences = run(root, tmp_path / "raw.h5", settings, "A_1", "B")
    assert [s.source for s in sequences] == ["A_1-00", "A_1-01", "B-00"]
    for sequence, expected in zip(sequences, [images[0], images[1], images[0, ::-1]], strict=True):
        np.testing.assert_allclose(np.abs(sequence.image), 2.0 * expected + 1, rtol=1e-5)


def test_dicom_frames_of_two_sizes_in_a_series_are_refused(tmp_path, settings, dicom_folder):
    root, _ = dicom_folder
    write_frame(root / "series/odd", "B", "1.2.4", 0.0, 5.0, np.ones((4, 4)))
    with pytest.raises(InputError, match="frames of different sizes"):
        run(root, tmp_path / "raw.h5", settings, "B")


def test_a_dicom_file_without_pixels_is_refused_by_name(tmp_path, settings, dicom_folder):
    root, _ = dicom_folder
    path = root / "series/b3.dcm"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"cannot (decode|read) .*b3\.dcm"):
        run(root, tmp_path / "raw.h5", settings, "B")


@pytest.mark.skipif(not REAL_ARCHIVE.is_dir(), reason="the real cines are not here")
def test_real_cines_are_read_slice_by_slice(settings):
    from step.domains.mri.cine_archive import find_archive, read_subject

    ((subject, files),) = find_archive(REAL_ARCHIVE, ()).items()
    sequences = read_subject(REAL_ARCHIVE, subject, files, 12, settings.phase)
    with np.load(files[0]) as arrays:
        images = arrays["img"][:2]
    for image, sequence in zip(images, sequences, strict=False):
        assert sequence.image.shape == (20, 256, 256)
        np.testing.assert_allclose(np.abs(sequence.image), image, atol=1e-3)
    assert (subject, sequence.source) == ("sax_20x", "sax_20x-01")
