"""4D NIfTI cines in the layout of ACDC, written by nibabel."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from marked_heart import draw, places_of_affine
from step.domains.mri import ingest as mri
from step.domains.mri.cine_archive import find_archive
from step.domains.mri.cine_nifti import read_nifti_slices
from step.domains.mri.ingest import Settings as Ingestion
from step.domains.mri.synthetic_phase import SeededPhase
from step.errors import InputError
from step.io.geometry import Geometry
from step.io.sequences import read_sequences

SHAPE = (5, 8, 2, 12)  # x, y, slice, time


def cine(dtype: str = "int16") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, SHAPE).astype(dtype)


def save(path: Path, values: np.ndarray, affine: np.ndarray | None = None, kind=nibabel.Nifti1Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Columns to the left, rows to the back.
    nibabel.save(kind(values, np.diag([-1.5, -1.5, 8, 1]) if affine is None else affine), path)
    return path


def write_acdc(root: Path, *patients: str) -> None:
    for number, patient in enumerate(patients):
        folder = root / patient
        name = folder.name
        save(folder / f"{name}_4d.nii.gz", cine() + number)
        for frame in ("frame01", "frame12", "frame01_gt", "frame12_gt"):
            save(folder / f"{name}_{frame}.nii.gz", cine()[..., 0])
        (folder / "Info.cfg").write_text("ED: 1\nES: 12\n")


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
def test_slices_come_back_frame_by_frame(tmp_path, kind, suffix, dtype):
    found = list(read_nifti_slices(save(tmp_path / f"heart{suffix}", cine(dtype), kind=kind)))
    assert len(found) == SHAPE[2]
    for number, slice_ in enumerate(found):
        np.testing.assert_allclose(slice_, cine()[:, :, number].transpose(2, 1, 0), rtol=1e-6)


def test_scaled_values_and_another_byte_order_are_what_the_header_says(tmp_path):
    image = nibabel.Nifti1Image(cine(), np.eye(4)).as_reoriented([[0, 1], [1, 1], [2, 1]])
    header = image.header.as_byteswapped(">")
    swapped = nibabel.Nifti1Image(cine().astype(">i2"), np.diag([-1, -1, 1, 1]), header)
    swapped.header.set_slope_inter(0.5, 2)
    nibabel.save(swapped, tmp_path / "heart.nii")
    assert (tmp_path / "heart.nii").read_bytes()[:4] == (348).to_bytes(4, "big")
    expected = nibabel.load(tmp_path / "heart.nii").get_fdata()[:, :, 1].transpose(2, 1, 0)
    np.testing.assert_allclose(list(read_nifti_slices(tmp_path / "heart.nii"))[1], expected, rtol=1e-6)


def test_acdc_has_a_subject_a_folder_and_labels_and_single_phases_are_counted(tmp_path, log):
    write_acdc(tmp_path, "training/patient001", "training/patient002", "testing/patient101")
    found = find_archive(tmp_path, ())
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        f"{group}-{name}": [f"{name}_4d.nii.gz"]
        for group, name in (("testing", "patient101"), ("training", "patient001"), ("training", "patient002"))
    }
    assert "files that are NIfTI without frames, left out: 12" in log.text
    assert "files that are neither .npz nor NIfTI nor DICOM, left out: 3" in log.text


def test_a_patient_of_acdc_is_ingested_slice_by_slice_with_a_phase(tmp_path):
    write_acdc(tmp_path / "acdc", "patient001", "patient002")
    phase = SeededPhase(seed=0, amplitude_rad=0.7, orders=2)
    settings = Ingestion(layout="cine_archive", exclude=(), views=(), frames=12, phase=phase)
    mri.ingest(settings, tmp_path / "acdc", ["patient002"], tmp_path / "raw.h5")
    sequences = list(read_sequences(tmp_path / "raw.h5"))
    assert [one.source for one in sequences] == ["patient002-00", "patient002-01"]
    expected = cine()[:, :, 1].transpose(2, 1, 0) + 1
    np.testing.assert_allclose(np.abs(sequences[1].image), expected, rtol=1e-5)
    assert np.angle(sequences[1].image).std() > 0.3


PLANES = {
    "axial": Geometry((6.0, 6.0), 8.0, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": Geometry((6.0, 6.0), 8.0, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": Geometry((6.0, 6.0), 8.0, (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "short axis": Geometry((6.0, 6.0), 8.0, (5.0, 6.0, 7.0), (0.8, 0.6, 0.0), (-0.36, 0.48, -0.8)),
}


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("turned", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_marks_are_where_dicom_has_them_whichever_way_the_files_axes_run(tmp_path, plane, turned):
    geometry, shape = PLANES[plane], (24, 20)
    image = draw(geometry, shape)
    affine = geometry.affine(shape)
    stored = image.T[:: turned[0], :: turned[1], None, None].repeat(12, 3)
    for axis, (step, n) in enumerate(zip(turned, (20, 24), strict=True)):
        if step < 0:
            affine[:, 3] += (n - 1) * affine[:, axis]
            affine[:, axis] *= -1
    # The same places: the pixel that was first is where it was.
    before, after = places_of_affine(geometry.affine(shape), shape), places_of_affine(affine, shape)
    np.testing.assert_allclose(after[:: turned[1], :: turned[0]], before, atol=1e-6)
    path = save(tmp_path / "heart.nii.gz", stored.astype(np.float32), affine)
    np.testing.assert_allclose(next(read_nifti_slices(path))[0], image, atol=1e-6)


def test_a_file_that_does_not_say_how_it_lies_is_taken_as_stored_and_the_log_says_so(tmp_path, log):
    image = nibabel.Nifti1Image(cine(), None)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "heart.nii")
    np.testing.assert_allclose(next(read_nifti_slices(tmp_path / "heart.nii")), cine()[:, :, 0].transpose(2, 1, 0))
    assert "does not say how it lies in the patient" in log.text


def cut_short(path: Path) -> None:
    save(path, cine())
    path.write_bytes(path.read_bytes()[:200])


def no_nifti(path: Path) -> None:
    path.write_bytes(bytes(400))


def of_five_axes(path: Path) -> None:
    save(path, np.ones((4, 4, 2, 12, 3), np.int16))


def below_zero(path: Path) -> None:
    save(path, cine() - 5)


def of_colours(path: Path) -> None:
    colours = np.zeros((4, 4, 2, 12), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    save(path, colours)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (cut_short, "cannot read"),
        (no_nifti, "has no header of NIfTI"),
        (of_five_axes, "shape (4, 4, 2, 12, 3), (x, y, slice, time) is needed"),
        (below_zero, "values down to -5"),
        (of_colours, "grey values are needed"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, write, says):
    path = tmp_path / "heart.nii"
    write(path)
    with pytest.raises(InputError) as caught:
        list(read_nifti_slices(path))
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
