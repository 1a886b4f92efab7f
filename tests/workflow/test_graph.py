"""The whole graph: run in miniature, and planned for the paper's study."""

import csv
import math
from pathlib import Path

import pytest

MINIATURE = "config/miniature.yaml"
RESULTS = "results/miniature"
ROWS = ["bis", "bcs", "step_video", "step_joint", "zero_filled", "total_variation", "static", "vae"]
N_PATIENTS = 5

DATA = {"ingest": N_PATIENTS, "prepare": N_PATIENTS, "split": 1}
PRIORS = {"train_autoencoder": 1, "train_denoiser": 3}
TABLE = {"measure": 1, "sample": 4 * 20, "reference": 4, "evaluate": 8, "tabulate": 1}
PICTURES = {"plot_comparison": 1, "plot_movie": 5}


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def only_line(run) -> str:
    """Return the one line of a run that could not be planned; snakemake itself says that files are laid over others."""
    assert run.status == 1
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("Config file ")]
    (line,) = filter(None, lines)
    assert line.startswith("error: ")
    return line


@pytest.fixture(scope="module")
def raw_tree(tmp_path_factory) -> Path:
    """Empty files with the names of a CMRxRecon download: planning opens none."""
    root = tmp_path_factory.mktemp("raw")
    cine = root / "ChallengeData/SingleCoil/Cine/TrainingSet"
    for number in range(1, N_PATIENTS + 1):
        for kind, end in (("FullSample", ".mat"), ("AccFactor04", ".mat"), ("AccFactor04", "_mask.mat")):
            for view in ("cine_sax", "cine_lax"):
                file = cine / kind / f"P{number:03d}" / f"{view}{end}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
    return root


@pytest.fixture(scope="module")
def paper_overlay(project_copy, raw_tree) -> Path:
    return project_copy.overlay("paper", f"data: {{mri: {{root: {raw_tree}}}}}\n")


def test_the_whole_study_runs_from_nothing(first_run, project_copy):
    assert first_run.status == 0, first_run.stdout + first_run.stderr
    made = files_below(project_copy.folder / RESULTS)
    videos = {f"mri8/videos/{name}.mp4" for name in ["comparison", *ROWS[:4]]}
    losses = {f"mri/figures/losses-{name}.png" for name in ("autoencoder", "image", "video", "joint")}
    assert videos | losses | {"mri8/metrics.csv", "mri8/figures/comparison.png", "mri/figures/masks.png"} <= made
    assert [name for name in made if ".part" in name or ".state" in name] == []


def test_every_job_has_a_log_and_every_stage_of_data_a_benchmark(miniature):
    results = miniature.folder / RESULTS
    jobs = {
        "mri/simulate/000",
        "mri/ingest/000",
        "mri/prepare/000",
        "mri/split",
        *(f"mri/train/{network}" for network in ("autoencoder", "image", "video", "joint")),
        "mri8/measure",
        *(f"mri8/sample/{method}-000" for method in ROWS[:4]),
        *(f"mri8/reference/{row}" for row in ROWS[4:]),
        *(f"mri8/evaluate/{row}" for row in ROWS),
        "mri8/tabulate",
    }
    assert files_below(results / "benchmarks") == {f"{job}.tsv" for job in jobs}
    assert {f"{job}.log" for job in jobs} <= files_below(results / "logs")


def test_the_table_has_one_finite_row_per_method_in_the_order_of_the_paper(miniature):
    with (miniature.folder / RESULTS / "mri8/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row.pop("method") for row in rows] == ROWS
    assert {row["videos"] for row in rows} == {"2"}
    undefined = {
        (name, column)
        for name, row in zip(ROWS, rows, strict=True)
        for column, value in row.items()
        if not math.isfinite(float(value))
    }
    # A still video has no differences of frames to correlate.
    assert undefined == {("static", "difference_correlation"), ("static", "difference_correlation_std")}


def test_a_second_run_does_nothing(miniature):
    before = {name: (miniature.folder / RESULTS / name).stat() for name in files_below(miniature.folder / RESULTS)}
    run = miniature.snakemake("all", overlays=(MINIATURE,))
    assert run.status == 0
    assert "Nothing to be done" in run.stdout + run.stderr
    after = {name: (miniature.folder / RESULTS / name).stat() for name in files_below(miniature.folder / RESULTS)}
    assert {name: s.st_mtime_ns for name, s in after.items()} == {name: s.st_mtime_ns for name, s in before.items()}


def test_the_table_of_the_paper_is_planned_from_names_of_raw_files(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "results/mri8/metrics.csv", overlays=(paper_overlay,))
    assert run.jobs == DATA | PRIORS | TABLE


def test_the_whole_study_of_the_paper_is_planned(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "all", overlays=(paper_overlay,))
    of_two_tasks = {rule: 2 * count for rule, count in (TABLE | PICTURES).items()}
    assert run.jobs == DATA | PRIORS | of_two_tasks | {"plot_losses": 4, "plot_masks": 1}


def test_the_tour_is_what_runs_unless_something_else_is_asked_for(project_copy, paper_overlay):
    assert project_copy.snakemake("-n", overlays=(paper_overlay,)).jobs == DATA | PRIORS | TABLE | PICTURES


@pytest.mark.parametrize("target", ["results/mri8/metrics.csv", "all"])
def test_without_raw_data_one_line_says_what_is_missing_and_where_it_can_be_had(project_copy, target):
    line = only_line(project_copy.snakemake("-n", target))
    for part in ("no folder data/cmrxrecon", "data.mri.root", "https://cmrxrecon.github.io", "simulation"):
        assert part in line


def test_a_raw_tree_without_files_is_one_line(project_copy, tmp_path):
    overlay = project_copy.overlay("empty", f"data: {{mri: {{root: {tmp_path}}}}}\n")
    line = only_line(project_copy.snakemake("-n", "all", overlays=(overlay,)))
    assert f"under {tmp_path}" in line
    assert "data.mri.root" in line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tasks: {mri8: {sampler: {mcmc: {stepps: 3}}}}", ["tasks.mri8.sampler.mcmc.stepps", "unknown key"]),
        ("priors: {mri: {joint: {p_joint: 1.5}}}", ["priors.mri.joint.p_joint", "1.5"]),
    ],
    ids=["misspelt", "out of range"],
)
def test_a_bad_configuration_is_one_line(project_copy, text, parts):
    overlay = project_copy.overlay("bad", text)
    line = only_line(project_copy.snakemake("-n", "all", overlays=(overlay,)))
    assert [part for part in [*parts, "bad.yaml"] if part not in line] == []
