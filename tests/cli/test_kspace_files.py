"""Undersampled k-space in the layouts that people have, through its own stage: the right value, or one line."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from step.__main__ import main
from step.cli import read_observation
from step.config.keys import DEMO_CONFIG
from step.config.settings import dump_settings
from step.config.study import load_config
from step.io.reconstructions import read_attributes, read_measurement
from step.io.videos import write_index
from step.physics.forward_models import fit_to_data

FRAMES, SIDE, COLUMNS = 12, 48, 96
VARIABLE = "kspace_single_sub04"

STUDY = """
data: {{mri: {{resolution: 48, crop: 48, scale: 1.0, reference_phase: false}}}}
observations:
  scan:
    task: mri8
    method: bis
    samples: 1
    samples_per_job: 1
    data: {{format: cmrxrecon, kspace: {kspace}, mask: {mask}, slice: 0, first_frame: 0, outside: {{scale: {scale}}},
           pixel_mm: null, frame_s: null}}
"""


def disc(n_rows: int = SIDE, n_columns: int = COLUMNS) -> np.ndarray:
    """Return a moving disc (time, y, x)."""
    y, x = np.mgrid[:n_rows, :n_columns]
    radius = 8 + 2 * np.sin(2 * np.pi * np.arange(FRAMES) / FRAMES)[:, None, None]
    return np.exp(-(((y - n_rows // 2 - 5) / radius) ** 4) - (((x - n_columns // 2 + 3) / radius) ** 4) + 0.5j)


def to_kspace(image: np.ndarray, noise: float = 0.01) -> np.ndarray:
    """Return centred k-space (time, ky, kx) with noise of standard deviation `noise` in the orthonormal transform."""
    generator = np.random.default_rng(0)
    image = image + noise * (generator.standard_normal(image.shape) + 1j * generator.standard_normal(image.shape))
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes=(-2, -1))), axes=(-2, -1))


def lines_of(n_lines: int = SIDE, acceleration: int = 4, acs_lines: int = 8) -> np.ndarray:
    """Return which lines (ky,) are measured."""
    mask = np.arange(n_lines) % acceleration == 0
    mask[n_lines // 2 - acs_lines // 2 : n_lines // 2 + acs_lines // 2] = True
    return mask


def samples_of(lines: np.ndarray, n_columns: int = COLUMNS) -> np.ndarray:
    """Return the mask (..., ky, kx) of whole `lines` (..., ky)."""
    return np.repeat(lines[..., None], n_columns, -1)


def changing_lines() -> np.ndarray:
    """Return lines (time, ky) that move by one from frame to frame, the central ones excepted."""
    centre = np.abs(np.arange(SIDE) - SIDE // 2) < 4
    return np.array([np.roll(np.arange(SIDE) % 4 == 0, frame) | centre for frame in range(FRAMES)])


def write(path: Path, **variables: np.ndarray) -> Path:
    """Write `variables`, complex ones as MATLAB does."""
    with h5py.File(path, "w") as file:
        for name, values in variables.items():
            if np.iscomplexobj(values):
                compound = np.empty(values.shape, [("real", "f4"), ("imag", "f4")])
                compound["real"], compound["imag"] = values.real, values.imag
                values = compound
            file[name] = values
    return path


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path) -> Run:
    """Run the stage on files of the folder `tmp_path`; return its exit code."""
    write_index(tmp_path / "index.csv", [])

    def run_stage(scale: str | float = "estimate") -> int:
        study = STUDY.format(kspace=tmp_path / "k.mat", mask=tmp_path / "m.mat", scale=scale)
        (tmp_path / "study.yaml").write_text(study)
        settings = dump_settings(read_observation.select(load_config(DEMO_CONFIG, tmp_path / "study.yaml"), "scan"))
        files = ["--brightness", str(tmp_path / "index.csv"), "--output", str(tmp_path / "scan.h5")]
        return main(["read_observation", "--settings", settings, *files])

    return run_stage


def chi_square(tmp_path: Path, truth: np.ndarray) -> float:
    """Return the chi-square of `truth` (time, y, x), cut to the frame, against what the stage wrote."""
    rows, columns = (slice(n // 2 - SIDE // 2, n // 2 + SIDE // 2) for n in truth.shape[1:])
    frame = truth[:, rows, columns]
    video = np.stack([frame.real, frame.imag], axis=1).astype(np.float32)
    study = load_config(DEMO_CONFIG, tmp_path / "study.yaml")
    arrays = read_measurement(tmp_path / "scan.h5")
    _, found = fit_to_data(video[None], arrays, study.measurement_of("mri8"), "scan.h5")
    return float(found["kspace"][0])


def in_base_layout(folder: Path, lines: np.ndarray | None = None, mask: np.ndarray | None = None) -> None:
    """Write k-space on `lines` ([time,] ky), and `mask` ([time,] ky, kx) or theirs."""
    lines = lines_of() if lines is None else lines
    write(folder / "k.mat", **{VARIABLE: (to_kspace(disc()) * lines[..., None])[:, None]})
    write(folder / "m.mat", mask04=(samples_of(lines) if mask is None else mask).astype(float))


def in_double_precision(folder: Path) -> None:
    in_base_layout(folder)
    kspace = (to_kspace(disc()) * lines_of()[:, None])[:, None]
    compound = np.empty(kspace.shape, [("real", "f8"), ("imag", "f8")])
    compound["real"], compound["imag"] = kspace.real, kspace.imag
    write(folder / "k.mat", **{VARIABLE: compound})


def with_numpys_complex(folder: Path) -> None:
    in_base_layout(folder)
    with h5py.File(folder / "k.mat", "w") as file:
        file[VARIABLE] = (to_kspace(disc()) * lines_of()[:, None])[:, None].astype(np.complex64)


def with_one_coil(folder: Path) -> None:
    in_base_layout(folder)
    write(folder / "k.mat", kspace_sub04=(to_kspace(disc()) * lines_of()[:, None])[:, None, None])


def in_matlab_v5(folder: Path) -> None:
    in_base_layout(folder)
    savemat(folder / "k.mat", {VARIABLE: (to_kspace(disc()) * lines_of()[:, None])[:, None].T})


def with_a_mask_in_matlab_v5(folder: Path) -> None:
    in_base_layout(folder)
    savemat(folder / "m.mat", {"mask04": samples_of(lines_of()).T.astype(float)})


def with_a_mask_of_255(folder: Path) -> None:
    in_base_layout(folder, mask=255 * samples_of(lines_of()))


def without_a_quarter_of_ky(folder: Path) -> None:
    in_base_layout(folder, lines_of() & (np.arange(SIDE) >= SIDE // 4))


def with_lines_that_change(folder: Path) -> None:
    in_base_layout(folder, changing_lines())


@pytest.mark.slow
@pytest.mark.parametrize(
    "layout",
    [
        in_base_layout,
        in_double_precision,
        with_numpys_complex,
        with_one_coil,
        with_a_mask_of_255,
        without_a_quarter_of_ky,
        with_lines_that_change,
        in_matlab_v5,
        with_a_mask_in_matlab_v5,
    ],
)
def test_the_truth_has_chi_square_1_in_every_layout_that_can_be_read(run, tmp_path, layout):
    layout(tmp_path)
    assert run() == 0
    assert chi_square(tmp_path, disc()) == pytest.approx(1, abs=0.03)


@pytest.mark.slow
def test_masks_that_change_are_in_the_measurement_frame_by_frame(run, tmp_path):
    with_lines_that_change(tmp_path)
    assert run() == 0
    arrays = read_measurement(tmp_path / "scan.h5")
    np.testing.assert_array_equal(arrays["mask"], changing_lines())
    np.testing.assert_array_equal(arrays["kspace"].any(axis=2), changing_lines())


@pytest.mark.slow
def test_an_odd_matrix_keeps_its_centre(run, tmp_path):
    truth, lines = disc(47, 95), lines_of(47)
    write(tmp_path / "k.mat", **{VARIABLE: (to_kspace(truth) * lines[:, None])[:, None]})
    write(tmp_path / "m.mat", mask04=samples_of(lines, 95).astype(float))
    assert run() == 0
    padded = np.pad(truth, ((0, 0), (1, 0), (1, 0)))  # index n // 2 stays the centre: 23 becomes 24, 47 becomes 48
    assert chi_square(tmp_path, padded) == pytest.approx(1, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("wall", "lowest", "highest"), [(0.7, 0.3, 0.7), (0.0, 0.0, 0.05)], ids=["wide", "narrow"])
def test_the_truth_of_a_wider_field_of_view_has_chi_square_1_and_the_energy_outside_is_written(
    run, tmp_path, capsys, wall, lowest, highest
):
    y, x = np.arange(62) - 31, np.arange(COLUMNS) - COLUMNS // 2
    truth = disc(62) + wall * ((np.abs(y) > 25) & (np.abs(y) < 30))[:, None] * (np.abs(x) < 20)
    lines = lines_of(62, 8, 4)
    write(tmp_path / "k.mat", **{VARIABLE: (to_kspace(truth) * lines[:, None])[:, None]})
    write(tmp_path / "m.mat", mask04=samples_of(lines).astype(float))
    assert run() == 0
    assert chi_square(tmp_path, truth) == pytest.approx(1, abs=0.1)
    assert lowest <= read_attributes(tmp_path / "scan.h5")["outside_share"] <= highest
    assert "62 lines for 48 rows: 14 rows of the field of view are outside the frame" in capsys.readouterr().err
    assert run(scale=0.3) == 0
    arrays = read_measurement(tmp_path / "scan.h5")
    assert (arrays["outside_scale"] == np.float32(0.3)).all()
    assert not arrays["outside_fitted"].any()


def with_changing_lines_and_a_full_mask(folder: Path) -> None:
    in_base_layout(folder, changing_lines(), np.ones((SIDE, COLUMNS)))


def with_another_scans_mask(folder: Path) -> None:
    in_base_layout(folder, mask=samples_of(np.roll(lines_of(), 1)))


def with_a_mask_without_central_lines(folder: Path) -> None:
    in_base_layout(folder, mask=samples_of(np.arange(SIDE) % 4 == 0))


def with_an_asymmetric_echo(folder: Path) -> None:
    mask = samples_of(lines_of())
    mask[:, : COLUMNS // 6] = False
    write(folder / "k.mat", **{VARIABLE: (to_kspace(disc()) * mask)[:, None]})
    write(folder / "m.mat", mask04=mask.astype(float))


def with_swapped_axes(folder: Path) -> None:
    kspace = (to_kspace(disc()) * lines_of()[:, None])[:, None]
    write(folder / "k.mat", **{VARIABLE: np.swapaxes(kspace, -1, -2)})
    write(folder / "m.mat", mask04=samples_of(lines_of()).T.astype(float))


def with_its_origin_at_the_corner(folder: Path) -> None:
    lines = np.fft.ifftshift(lines_of())
    kspace = np.fft.ifftshift(to_kspace(disc()), axes=(-2, -1)) * lines[:, None]
    write(folder / "k.mat", **{VARIABLE: kspace[:, None]})
    write(folder / "m.mat", mask04=samples_of(lines).astype(float))


def with_a_value_that_is_not_finite(folder: Path) -> None:
    in_base_layout(folder)
    with h5py.File(folder / "k.mat", "r+") as file:
        values = file[VARIABLE][0, 0, 0]
        values["real"][0] = np.nan
        file[VARIABLE][0, 0, 0] = values


def with_real_and_imaginary_part_apart(folder: Path) -> None:
    in_base_layout(folder)
    kspace = to_kspace(disc())[:, None]
    write(folder / "k.mat", **{f"{VARIABLE}_real": kspace.real, f"{VARIABLE}_imag": kspace.imag})


def as_of_2024(folder: Path) -> None:
    in_base_layout(folder)
    write(folder / "k.mat", kus=np.repeat(to_kspace(disc())[:, None, None], 2, 2))


def with_two_coils(folder: Path) -> None:
    in_base_layout(folder)
    write(folder / "k.mat", kspace_sub04=np.repeat(to_kspace(disc())[:, None, None], 2, 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "says"),
    [
        (with_changing_lines_and_a_full_mask, "are zero in k-space, line 1 of frame 0 for one"),
        (with_another_scans_mask, "120 of 216 lines of the mask"),
        (with_a_mask_without_central_lines, "72 of 216 lines with data, all frames counted, are not in the mask"),
        (with_an_asymmetric_echo, "line 0 in part, 80 of 96 samples"),
        (with_swapped_axes, "it is constant along ky: store mask and k-space with ky before kx"),
        (with_its_origin_at_the_corner, f"{VARIABLE} has 100% of its energy at the edge of ky and 0% in the middle"),
        (with_a_value_that_is_not_finite, "slice 0 has values that are not finite"),
        (with_real_and_imaginary_part_apart, "it holds ['kspace_single_sub04_imag', 'kspace_single_sub04_real']"),
        (as_of_2024, "it holds ['kus']"),
        (with_two_coils, "kspace_sub04 has 2 coils"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_code_1(run, tmp_path, capsys, layout, says):
    layout(tmp_path)
    assert run() == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert says in error
    assert not (tmp_path / "scan.h5").exists()
