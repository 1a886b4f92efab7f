"""k-space in BART's, numpy's and MATLAB's files: back as it was written, or one line."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from step.errors import InputError
from step.io.kspace.files import format_of, read_kspace
from step.io.kspace.recording import Selection

SLICES, COILS, FRAMES, LINES, SAMPLES = 2, 3, 4, 10, 12


def random(*shape: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(shape) + 1j * generator.standard_normal(shape)).astype(np.complex64)


def shifted_lines() -> np.ndarray:
    """Return lines (time, ky) that move from frame to frame."""
    return (np.arange(LINES) + np.arange(FRAMES)[:, None]) % 3 != 0


def write_cfl(folder: Path, name: str, array: np.ndarray) -> Path:
    """Write (slice, time, coil, ky, kx) byte by byte, as BART's documentation has it."""
    slices, frames, coils, lines, samples = array.shape
    sizes = [samples, lines, 1, coils, 1, 1, 1, 1, 1, 1, frames, 1, 1, slices, 1, 1]
    folder.mkdir(parents=True, exist_ok=True)
    text = f"# Dimensions\n{' '.join(map(str, sizes))} \n# Command\nphantom -k {name}\n"
    (folder / f"{name}.hdr").write_text(text)
    interleaved = np.empty((*array.shape, 2), "<f4")
    interleaved[..., 0], interleaved[..., 1] = array.real, array.imag
    # The first dimension runs fastest in the file, which is the last axis here; all that stand between have length 1.
    (folder / f"{name}.cfl").write_bytes(interleaved.tobytes())
    return folder / f"{name}.cfl"


def write_matlab(path: Path, old: bool = False, **variables: np.ndarray) -> Path:
    """Write variables as MATLAB does, their axes reversed: v7.3 with h5py, v5 with scipy.

    Those of five axes, which lead with the slice here, are turned to (time, slice, coil, ky, kx).
    """
    variables = {name: values.swapaxes(0, 1) if values.ndim == 5 else values for name, values in variables.items()}
    if old:
        savemat(path, {name: values.T for name, values in variables.items()})
        return path
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            if np.iscomplexobj(values):
                values = np.ascontiguousarray(values, np.complex64).view([("real", "<f4"), ("imag", "<f4")])
            file[name] = values
    return path


def full() -> np.ndarray:
    return random(SLICES, FRAMES, COILS, LINES, SAMPLES)


def sampled() -> np.ndarray:
    return full() * shifted_lines()[:, None, :, None]


def expect(found, kspace: np.ndarray, mask: np.ndarray, number: int = 1) -> None:
    """Compare with `kspace` (slice, time, coil, ky, kx)."""
    np.testing.assert_allclose(found.kspace, kspace[number].swapaxes(0, 1), atol=1e-6)
    np.testing.assert_array_equal(found.mask, mask)
    assert found.kspace.dtype == np.complex64


# --- BART


def test_cfl_of_coils_frames_and_slices_comes_back_with_lines_of_zeros_unmeasured(tmp_path):
    path = write_cfl(tmp_path, "kspace", sampled())
    assert format_of(path, "").count_slices(path, "") == SLICES
    for number in range(SLICES):
        expect(read_kspace(path, Selection(number)), sampled(), shifted_lines(), number)


def test_cfl_with_a_pattern_of_its_own_has_the_patterns_lines(tmp_path):
    path = write_cfl(tmp_path, "kspace", full())
    pattern = np.broadcast_to(shifted_lines()[None, :, None, :, None], (1, FRAMES, 1, LINES, 1))
    found = read_kspace(path, Selection(1, mask=write_cfl(tmp_path, "pattern", pattern.astype(np.complex64))))
    expect(found, full(), shifted_lines())
    assert found.is_complete


def test_cfl_of_one_coil_and_one_slice_may_be_named_by_its_header(tmp_path):
    one = sampled()[:1, :, :1]
    write_cfl(tmp_path, "kspace", one)
    expect(read_kspace(tmp_path / "kspace.hdr", Selection(0)), one, shifted_lines(), 0)


def without_header(path: Path) -> None:
    path.with_suffix(".hdr").unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def without_dimensions(path: Path) -> None:
    path.with_suffix(".hdr").write_text("# Command\nfft\n")


def with_maps(path: Path) -> None:
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace(f"{COILS} 1 1", f"1 {COILS} 1"))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (without_header, "no file"),
        (cut_short, f"bytes, {8 * sampled().size} are needed"),
        (without_dimensions, "has no dimensions"),
        (with_maps, "uses dimension 4 (maps): 3; keep one of it with `bart slice`"),
    ],
)
def test_cfl_that_cannot_be_read_is_one_line(tmp_path, spoil, says):
    path = write_cfl(tmp_path, "kspace", sampled())
    spoil(path)
    with pytest.raises(InputError) as caught:
        read_kspace(path, Selection(0))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


# --- numpy


def test_npz_with_all_that_it_may_say(tmp_path):
    noise = random(COILS, 50, seed=1)
    centres = np.array([[1.0, 2, 3], [4, 5, 6]])
    np.savez(
        tmp_path / "scan.npz",
        kspace=full(),
        mask=shifted_lines(),
        noise=noise,
        pixel_mm=(1.5, 1.25),
        thickness_mm=8.0,
        centre_mm=centres,
        along_x=(0, 1, 0),
        along_y=(0, 0, -1),
        frame_times_s=0.05 * np.arange(FRAMES),
        patient="P7",
    )
    found = read_kspace(tmp_path / "scan.npz", Selection(1))
    expect(found, full(), shifted_lines())
    np.testing.assert_array_equal(found.noise, noise)
    geometry = found.geometry
    assert (geometry.pixel_mm, geometry.thickness_mm, geometry.centre_mm) == ((1.5, 1.25), 8, (4, 5, 6))
    assert (geometry.along_x, geometry.along_y, found.patient) == ((0, 1, 0), (0, 0, -1), "P7")
    np.testing.assert_allclose(found.frame_times_s, [0, 0.05, 0.1, 0.15])


def test_npz_of_one_slice_compressed_with_nothing_but_kspace(tmp_path):
    np.savez_compressed(tmp_path / "scan.npz", kspace=sampled()[0])
    expect(read_kspace(tmp_path / "scan.npz", Selection(0)), sampled(), shifted_lines(), 0)


def test_npz_in_fortran_order_and_double_precision_with_a_mask_of_lines_(tmp_path):
    lines = np.arange(LINES) % 2 == 0
    values = np.asfortranarray((full() * lines[:, None]).astype(np.complex128))
    np.savez(tmp_path / "scan.npz", kspace=values, mask=lines, pixel_mm=2.0)
    found = read_kspace(tmp_path / "scan.npz", Selection(1))
    expect(found, full() * lines[:, None], np.tile(lines, (FRAMES, 1)))
    assert found.geometry.pixel_mm == (2, 2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"maske": np.ones(LINES)}, "holds maske, which is none of kspace, mask, noise"),
        ({"kspace": full()[0, 0]}, "shape (3, 10, 12), it is complex (slice, time, coil, ky, kx)"),
        ({"kspace": np.abs(full())}, "kspace has type float32"),
        ({"mask": np.ones((LINES, SAMPLES + 1))}, "the mask has shape (10, 13), k-space 10 lines of 12 samples"),
        ({"mask": np.zeros(LINES)}, "the mask has no line in 4 of 4 frames"),
        ({"noise": np.ones((COILS, 50))}, "noise has type float64"),
        ({"noise": random(COILS, 5)}, "5 samples of noise for 3 coils are too few"),
        ({"noise": random(COILS + 1, 50)}, "noise has shape (4, 50), k-space 3 coils"),
        ({"along_x": (1, 0, 0), "along_y": (1, 0, 0)}, "not of unit length and at right angles"),
        ({"pixel_mm": -1.0}, "not above 0 mm"),
        ({"frame_times_s": np.zeros(FRAMES)}, "frame times are not 4 rising numbers"),
        ({"kspace": np.full((1, 1, 1, 4, 4), np.nan * 1j)}, "values that are not finite"),
        ({"patient": np.array({"a": 1}, object)}, "cannot read"),
    ],
)
def test_npz_that_is_unknown_or_contradicts_itself_is_one_line(tmp_path, changes, says):
    np.savez(tmp_path / "scan.npz", **({"kspace": full()} | changes))
    with pytest.raises(InputError) as caught:
        read_kspace(tmp_path / "scan.npz", Selection(0))
    assert says in str(caught.value)
    assert str(tmp_path / "scan.npz") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_npz_that_was_cut_short_is_one_line(tmp_path):
    np.savez(tmp_path / "scan.npz", kspace=full())
    content = (tmp_path / "scan.npz").read_bytes()
    (tmp_path / "scan.npz").write_bytes(content[:200] + content[300:])
    with pytest.raises(InputError, match=r"scan\.npz"):
        read_kspace(tmp_path / "scan.npz", Selection(0))


# --- MATLAB


@pytest.mark.parametrize("old", [False, True], ids=["v7.3", "v5"])
@pytest.mark.parametrize("name", ["kspace_full", "kspace", "kus", "kspace_sub04", "data"])
def test_matlab_of_several_coils_by_any_years_name_or_by_its_content(tmp_path, old, name):
    path = write_matlab(tmp_path / "cine_sax.mat", old, **{name: sampled()})
    assert format_of(path, "").count_slices(path, "") == SLICES
    found = read_kspace(path, Selection(1))
    expect(found, sampled(), shifted_lines())
    assert found.variable == name


@pytest.mark.parametrize("old", [False, True], ids=["v7.3", "v5"])
@pytest.mark.parametrize("name", ["kspace_single_full", "kspace_single_sub08", "kspace"])
def test_matlab_of_one_coil(tmp_path, old, name):
    one = sampled()[:, :, 0].swapaxes(0, 1)  # (time, slice, ky, kx)
    found = read_kspace(write_matlab(tmp_path / "cine_sax.mat", old, **{name: one}), Selection(1))
    expect(found, sampled()[:, :, :1], shifted_lines())


@pytest.mark.parametrize("old", [False, True], ids=["v7.3", "v5"])
@pytest.mark.parametrize("axes", ["static", "per frame"])
def test_matlab_with_a_mask_in_a_file_of_its_own(tmp_path, old, axes):
    lines = shifted_lines() if axes == "per frame" else shifted_lines()[:1]
    stored = np.repeat(lines[..., None], SAMPLES, -1).astype(float)
    stored = stored if axes == "per frame" else stored[0]
    mask = write_matlab(tmp_path / "cine_sax_mask_ktUniform8.mat", old, mask=stored)
    found = read_kspace(write_matlab(tmp_path / "cine_sax.mat", old, kspace_full=full()), Selection(1, mask=mask))
    expect(found, full(), np.broadcast_to(lines, (FRAMES, LINES)))


@pytest.mark.parametrize("old", [False, True], ids=["v7.3", "v5"])
@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"mask": np.ones((LINES, SAMPLES))}, "no variables of k-space"),
        ({"kspace": full(), "kus": full()}, "2 variables of k-space (kspace, kus)"),
        ({"one": full(), "other": full()}, "2 variables of k-space (one, other)"),
        ({"kspace_real": full().real, "kspace_imag": full().imag}, "no variables of k-space"),
        ({"kspace": np.abs(full())}, "kspace has type float"),
        ({"kspace": full()[0, 0]}, "kspace has shape (3, 10, 12), it should be ('time', 'slice'"),
        ({"kspace_single_full": full()}, "it should be ('time', 'slice', 'ky', 'kx')"),
        ({"kspace": full(), "mask": np.ones((LINES, LINES + 3))}, "the mask has shape"),
        ({"kspace": np.where(np.arange(SAMPLES) > 3, full(), np.nan)}, "values that are not finite"),
    ],
)
def test_matlab_that_cannot_be_read_is_one_line(tmp_path, old, variables, says):
    path = write_matlab(tmp_path / "cine_sax.mat", old, **variables)
    with pytest.raises(InputError) as caught:
        read_kspace(path, Selection(0))
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("old", [False, True], ids=["v7.3", "v5"])
def test_matlab_that_was_cut_short_is_one_line(tmp_path, old):
    path = write_matlab(tmp_path / "cine_sax.mat", old, kspace=full())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cine_sax\.mat") as caught:
        read_kspace(path, Selection(0))
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_text_is_no_file_of_kspace(tmp_path):
    (tmp_path / "a.txt").write_text("no data")
    with pytest.raises(InputError, match=r"is no file of k-space: ISMRMRD"):
        read_kspace(tmp_path / "a.txt", Selection(0))
    with pytest.raises(InputError, match="no file"):
        read_kspace(tmp_path, Selection(0))
