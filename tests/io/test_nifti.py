import nibabel
import numpy as np
import pytest
from step.io.nifti import write_nifti


def images(shape: tuple[int, ...] = (3, 4, 5)) -> np.ndarray:
    return np.random.default_rng(0).random(shape)


def test_axes_are_x_y_slice_and_time(tmp_path):
    write_nifti(tmp_path / "a.nii.gz", images(), 1.5, 0.05, "mean")
    volume = nibabel.load(tmp_path / "a.nii.gz")
    assert volume.shape == (5, 4, 1, 3)
    assert volume.get_data_dtype() == np.float32
    np.testing.assert_allclose(volume.get_fdata()[:, :, 0], images().transpose(2, 1, 0), rtol=1e-6)
    assert volume.header["descrip"].item() == b"mean"


@pytest.mark.parametrize(
    ("pixel_mm", "frame_s", "zooms", "units"),
    [
        (1.5, 0.05, (1.5, 1.5, 1.5, 0.05), ("mm", "sec")),
        (None, 0.05, (1, 1, 1, 0.05), ("unknown", "sec")),
        (1.5, None, (1.5, 1.5, 1.5, 1), ("mm", "unknown")),
        (None, None, (1, 1, 1, 1), ("unknown", "unknown")),
    ],
)
def test_the_header_has_a_unit_where_a_size_is_known(tmp_path, pixel_mm, frame_s, zooms, units):
    write_nifti(tmp_path / "a.nii.gz", images(), pixel_mm, frame_s, "")
    header = nibabel.load(tmp_path / "a.nii.gz").header
    assert header.get_zooms() == pytest.approx(zooms)
    assert header.get_xyzt_units() == units


def test_rows_run_to_the_back_and_columns_to_the_left_from_a_middle_at_the_origin(tmp_path):
    write_nifti(tmp_path / "a.nii.gz", images((3, 4, 5)), 1.5, 0.05, "")
    volume = nibabel.load(tmp_path / "a.nii.gz")
    assert nibabel.aff2axcodes(volume.affine) == ("L", "P", "S")
    np.testing.assert_allclose(volume.affine @ [2, 2, 0, 1], [0, 0, 0, 1])
    np.testing.assert_allclose(volume.affine @ [3, 2, 0, 1], [-1.5, 0, 0, 1])
    assert (int(volume.header["sform_code"]), int(volume.header["qform_code"])) == (2, 0)


def test_equal_images_give_equal_files(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(tmp_path / name, images(), 1.5, 0.05, "mean")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    write_nifti(path, images(), 1.5, 0.05, "mean")
    before = path.read_bytes()

    def full(*_, **__) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("step.io.nifti.gzip.compress", full)
    with pytest.raises(OSError, match="no space left"):
        write_nifti(path, 2 * images(), 1.5, 0.05, "mean")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
