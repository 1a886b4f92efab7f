"""The benchmark's stages end to end, at a size that takes seconds."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from step.__main__ import main
from step.benchmark.costs import fastest, time_in_turn
from step.io.tables import read_table

PROJECT = Path(__file__).parents[2]
MINIATURE = PROJECT / "tests/workflow/miniature.yaml"
# Of the miniature's 4 frames, 2 levels, 2 steps of the chain and 2 of the ODE.
TINY = {
    "overlays": [str(MINIATURE)],
    "samples": 2,
    "levels": 1,
    "steps": 2,
    "frames": {"mri8": 2},
    "repeats": 1,
    "scaling": {"frames": {}, "sides": {"mri8": [16]}, "samples": [1], "levels": [1, 2]},
}


def benchmark(folder: Path, size: dict) -> Path:
    """Return a configuration whose benchmark has one size, `tiny`."""
    file = folder / "benchmark.yaml"
    file.write_text(yaml.safe_dump({"benchmark": {"tasks": ["mri8"], "sizes": {"tiny": size}}}))
    return file


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    output = folder / "tiny-mri8.csv"
    arguments = ["--config", str(benchmark(folder, TINY)), "--size", "tiny", "--task", "mri8", "--output", str(output)]
    assert main(["bench", *arguments]) == 0
    return output


@pytest.fixture(scope="module")
def rows(table) -> list[dict[str, str]]:
    return read_table(table)


def values(rows: list[dict[str, str]], **of: str) -> dict[str, float]:
    """Return the values of those `rows` that are of `axis` and `at`, neither if not said, by quantity."""
    wanted = {"axis": "", "at": ""} | of
    return {row["quantity"]: float(row["value"]) for row in rows if wanted.items() <= row.items()}


@pytest.mark.slow
def test_the_parts_of_a_step_sum_to_the_whole(rows):
    found = values(rows)
    parts = [found[name] for name in ("decoder_gradient", "forward_model", "step_denoiser", "step_rest")]
    assert sum(parts) == pytest.approx(found["step"])
    assert 0 < found["decoder_forward"] < found["step"]
    # The denoiser is evaluated at every step.
    assert found["step_denoiser"] == pytest.approx(found["denoiser"])


@pytest.mark.slow
def test_evaluations_are_those_of_the_levels_and_steps_that_were_run(rows):
    found = values(rows)
    assert (found["levels_run"], found["steps_run"], found["ode_steps_run"], found["frames_run"]) == (1, 2, 2, 2)
    assert (found["decoder_evaluations"], found["denoiser_evaluations"]) == (2, 2 + 2)


def test_all_is_timed_in_turn_and_of_each_the_least_counts(monkeypatch):
    now, ran = [0.0], []
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def task(name: str, *seconds: float) -> Callable[[], None]:
        left = iter(seconds)

        def run() -> None:
            ran.append(name)
            now[0] += next(left)

        return run

    tasks = {"slow": task("slow", 4.0, 2.0), "quick": task("quick", 0.5, 1.0)}
    assert time_in_turn(tasks, 2, torch.device("cpu")) == {"slow": [4.0, 2.0], "quick": [0.5, 1.0]}
    assert ran == ["slow", "quick", "slow", "quick"]
    assert fastest({"slow": task("slow", 4.0, 2.0)}, 2, torch.device("cpu")) == {"slow": 2.0}


@pytest.mark.slow
def test_the_overhead_and_the_speed_are_ratios_of_the_seconds(rows):
    found = values(rows)
    assert found["overhead"] == pytest.approx(found["sampler"] / found["bare"] - 1)
    assert found["speedup_configured"] == pytest.approx(found["reference_implementation"] / found["configured"])


@pytest.mark.slow
def test_the_reference_implementation_gives_the_same_samples(rows):
    assert values(rows)["largest_difference"] < 1e-4


@pytest.mark.slow
def test_what_was_not_run_whole_is_marked_and_nothing_else(rows):
    marked = {row["quantity"] for row in rows if row["extrapolated"] == "true"}
    parts = {"decoder_forward", "decoder_gradient", "denoiser", "forward_model", "step", "step_denoiser", "step_rest"}
    assert marked == parts | {"sampler_whole"}
    # Half the frames and half the levels of two samples were run.
    assert values(rows)["sampler_whole"] == pytest.approx(values(rows)["sampler"] / 2 * 2 * 2)


@pytest.mark.slow
def test_memory_is_that_of_a_process_of_its_own(rows):
    for axis, at in (("frames", "2"), ("side", "16")):
        found = values(rows, axis=axis, at=at)
        assert found["gradient_memory"] >= 0
        assert found["peak_memory"] == pytest.approx(found["baseline_memory"] + found["gradient_memory"])
        # An interpreter with PyTorch, and not one with all that the tests have loaded.
        assert 0.1 < found["peak_memory"] < 3


@pytest.mark.slow
def test_every_row_says_what_it_was_measured_on(rows):
    assert all(row["device"] and int(row["threads"]) > 0 and row["torch"] for row in rows)
    assert all(math.isfinite(float(row["value"])) for row in rows)


@pytest.mark.slow
def test_the_table_and_the_picture_are_made_of_it(table, tmp_path):
    files = [str(tmp_path / name) for name in ("costs.png", "table.md", "table.csv")]
    assert main(["plot", "benchmark", "--settings", "{}", "--benchmarks", str(table), "--output", files[0]]) == 0
    assert main(["table", "benchmark", "--settings", "{}", "--benchmarks", str(table), "--output", *files[1:]]) == 0
    assert Path(files[0]).stat().st_size > 10_000
    text = Path(files[1]).read_text()
    assert "tiny, mri8" in text
    assert "†" in text
    assert read_table(Path(files[2])) == read_table(table)
