from pathlib import Path

import h5py
import numpy as np
import pytest
from raw_files import random_image, to_kspace, write_mat
from step.domains.mri import ingest as mri
from step.domains.mri.cmrxrecon import read_raw_file
from step.domains.mri.cmrxrecon_tree import find_raw_files
from step.errors import InputError
from step.io.sequences import read_sequences

SINGLE, MULTI = "kspace_single_full", "kspace_full"


def read(root: Path, n_frames: int = 12) -> list:
    return [s for raw in find_raw_files(root, (), ("sax", "lax")) for s in read_raw_file(raw, n_frames)]


@pytest.mark.parametrize("matrix", [(51, 128), (62, 128), (51, 112), (42, 112), (33, 112), (7, 4)])
def test_single_coil_images_of_every_matrix_size_come_back(tmp_path, full_sample, matrix):
    image = random_image((12, 2, *matrix))
    write_mat(full_sample / "P001/cine_sax.mat", SINGLE, to_kspace(image))
    sequences = read(tmp_path / "raw")
    assert [s.source for s in sequences] == ["TrainingSet-P001-sax-00", "TrainingSet-P001-sax-01"]
    for number, sequence in enumerate(sequences):
        assert sequence.image.dtype == np.complex64
        np.testing.assert_allclose(sequence.image, image[:, number], atol=1e-11)


def test_the_zero_frequency_is_read_from_the_middle_of_the_array(tmp_path, full_sample):
    kspace = np.zeros((12, 1, 6, 8), np.complex64)
    kspace[..., 3, 4] = 48
    write_mat(full_sample / "P001/cine_sax.mat", SINGLE, kspace)
    np.testing.assert_allclose(read(tmp_path / "raw")[0].image, 1, atol=1e-6)


@pytest.mark.parametrize("name", [MULTI, "kspace"])
def test_multi_coil_files_give_one_image_per_slice(tmp_path, name):
    y, x = np.mgrid[:24, :32] / 24
    image = np.exp(-((y - 0.5) ** 2 + (x - 0.6) ** 2) / 0.05) * np.linspace(1, 2, 12)[:, None, None]
    maps = np.exp(1j * np.arange(10)[:, None, None] * (0.1 + 0.2 * y)) / np.sqrt(10)
    folder = tmp_path / "raw/MultiCoil/TrainingSet/FullSample/P001"
    write_mat(folder / "cine_lax.mat", name, to_kspace((image[:, None] * maps)[:, None]))
    (sequence,) = read(tmp_path / "raw")
    assert sequence.source == "TrainingSet-P001-lax-00"
    np.testing.assert_allclose(np.abs(sequence.image), image, atol=0.01)


def test_compressed_chunks_are_read_as_contiguous_data_are(tmp_path, full_sample):
    image = random_image((12, 3, 8, 10))
    path = write_mat(full_sample / "P001/cine_sax.mat", SINGLE, to_kspace(image))
    with h5py.File(path) as file:
        values = file[SINGLE][()]
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset(SINGLE, data=values, chunks=(5, 2, 8, 10), compression="gzip")
    np.testing.assert_allclose(np.stack([s.image for s in read(tmp_path / "raw")], 1), image, atol=1e-11)


def test_the_raw_store_says_where_each_sequence_came_from(tmp_path, full_sample, ingestion):
    write_mat(full_sample / "P001/cine_sax.mat", SINGLE, to_kspace(random_image((12, 1, 6, 8))))
    run(tmp_path, ingestion)
    (sequence,) = read_sequences(tmp_path / "out/raw.h5")
    assert sequence.file == "ChallengeData/SingleCoil/Cine/TrainingSet/FullSample/P001/cine_sax.mat"
    assert (sequence.subject, sequence.view, sequence.image.shape) == ("TrainingSet-P001", "sax", (12, 6, 8))


def run(tmp_path: Path, settings, subject: str = "TrainingSet-P001") -> None:
    mri.ingest(settings, tmp_path / "raw", [subject], tmp_path / "out/raw.h5")


def good() -> np.ndarray:
    return to_kspace(random_image((12, 2, 6, 8)))


def cut_short(path: Path) -> None:
    write_mat(path, SINGLE, good())
    path.write_bytes(path.read_bytes()[:-2000])


def not_hdf5(path: Path) -> None:
    path.write_text("no data")


def without_variable(path: Path) -> None:
    write_mat(path, "kspace_single_sub04", good())


def with_an_axis_too_many(path: Path) -> None:
    write_mat(path, SINGLE, good()[:, :, None])


def of_integers(path: Path) -> None:
    write_mat(path, SINGLE, np.ones((12, 2, 6, 8), np.int16))


def of_real_numbers(path: Path) -> None:
    write_mat(path, SINGLE, np.ones((12, 2, 6, 8), np.float32))


def of_complex_integers(path: Path) -> None:
    write_mat(path, SINGLE, np.ones((12, 2, 6, 8), [("real", "<i4"), ("imag", "<i4")]))


def with_10_frames(path: Path) -> None:
    write_mat(path, SINGLE, good()[:10])


def with_nan_in_the_last_slice(path: Path) -> None:
    kspace = good()
    kspace[3, 1, 2, 2] = np.nan
    write_mat(path, SINGLE, kspace)


def with_infinity(path: Path) -> None:
    kspace = good()
    kspace[0, 0, 0, 0] = np.inf
    write_mat(path, SINGLE, kspace)


def without_slices(path: Path) -> None:
    write_mat(path, SINGLE, good()[:, :0])


def claiming_terabytes(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset(SINGLE, (12, 100, 30000, 30000), [("real", "<f4"), ("imag", "<f4")])


def claiming_endless_slices(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset(SINGLE, (12, 10**9, 6, 8), [("real", "<f4"), ("imag", "<f4")])


def linking_to_another_file(path: Path) -> None:
    write_mat(path.with_name("other.mat"), SINGLE, good())
    with h5py.File(path, "w", userblock_size=512) as file:
        file[SINGLE] = h5py.ExternalLink("other.mat", SINGLE)


def with_a_damaged_chunk(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        kspace = good().view([("real", "<f4"), ("imag", "<f4")])
        dataset = file.create_dataset(SINGLE, data=kspace, chunks=(12, 1, 6, 8), compression="gzip")
        where = dataset.id.get_chunk_info(1).byte_offset
    with path.open("r+b") as file:
        # h5py counts offsets from the end of the user block.
        file.seek(512 + where + 100)
        file.write(bytes(200))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut_short, "cut short"),
        (not_hdf5, "not HDF5"),
        (without_variable, "no variable kspace_single_full or kspace_full or kspace; it holds ['kspace_single_sub04']"),
        (with_an_axis_too_many, "kspace_single_full has shape (12, 2, 1, 6, 8)"),
        (of_integers, "has type int16"),
        (of_real_numbers, "has type float32"),
        (of_complex_integers, "float fields real and imag"),
        (with_10_frames, "kspace has 10 frames, the study needs 12"),
        (with_nan_in_the_last_slice, "slice 1 has values that are not finite"),
        (with_infinity, "slice 0 has values that are not finite"),
        (without_slices, "which is empty"),
        (claiming_terabytes, "claims 8640000000000 bytes"),
        (claiming_endless_slices, "claims 4608000000000 bytes"),
        (linking_to_another_file, "link to another file"),
        (with_a_damaged_chunk, "cannot read slice 1"),
    ],
)
def test_a_bad_file_ends_in_one_clear_line_and_leaves_nothing_behind(tmp_path, full_sample, ingestion, spoil, says):
    path = full_sample / "P001/cine_sax.mat"
    path.parent.mkdir(parents=True)
    spoil(path)
    with pytest.raises(InputError) as caught:
        run(tmp_path, ingestion)
    message = str(caught.value)
    assert says in message
    assert str(path) in message
    assert "\n" not in message
    assert list((tmp_path / "out").iterdir()) == []


def test_ten_frames_are_enough_for_a_study_of_ten(tmp_path, full_sample):
    write_mat(full_sample / "P001/cine_lax.mat", SINGLE, good()[:10])
    assert [len(s.image) for s in read(tmp_path / "raw", 10)] == [10, 10]


def test_an_unknown_subject_is_named(tmp_path, full_sample, ingestion):
    write_mat(full_sample / "P001/cine_sax.mat", SINGLE, good())
    with pytest.raises(InputError, match="no files of subject TrainingSet-P002"):
        run(tmp_path, ingestion, "TrainingSet-P002")
