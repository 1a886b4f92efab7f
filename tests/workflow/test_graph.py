"""The whole graph: run in miniature, and planned for the paper's study."""

import argparse
import csv
import math
import re
import shlex
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from project_copy import ONE_THREAD
from step.cli.stages import open_stage
from step.config.keys import DEMO_CONFIG
from step.config.study import load_config
from step.estimate.planning import plan
from step.estimate.requests import sampling_minutes
from step.estimate.schedule import end_times
from step.estimate.unit_costs import read_unit_costs
from step.io.reconstructions import read_reconstructions

MINIATURE = "config/miniature.yaml"
RESULTS = "results/miniature"
RUNTIME = re.compile(r"^rule sample:$.*?runtime=(\d+)", re.MULTILINE | re.DOTALL)
"""What the first sampling job of a dry run asks for, in minutes."""
WARPING = ["bilinear", "bicubic", "nearest", "integral", "gp_warp"]
METHODS = ["bis", "bcs", *WARPING, "step_video", "step_joint"]
ROWS = {
    "mri8": [*METHODS, "zero_filled", "total_variation", "low_rank_sparse", "static", "vae"],
    "blackhole": [*METHODS, "dirty", "regularised_maximum_likelihood", "static", "vae"],
}
DOMAINS = {"mri8": "mri", "blackhole": "blackhole"}
N_PATIENTS = 5
N_MOVIES = 4

# The paper's heart, and its black hole, whose movies and single images are one simulation each.
DATA = {"ingest": N_PATIENTS, "prepare": N_PATIENTS, "split": 1}
BLACK_HOLE_DATA = {"ingest": N_MOVIES + 1, "prepare": N_MOVIES + 1, "split": 1}
PRIORS = {"train_autoencoder": 1, "train_denoiser": 3}
WEIGHTS = {"fetch_weights": 3}
TABLE = {
    "measure": 1,
    "optical_flow": 20,
    "sample": 9 * 20,
    "reference": 5,
    "evaluate": 14,
    "extract_features": 1,
    "tabulate": 1,
}
BLACK_HOLE_TABLE = TABLE | {"reference": 4, "evaluate": 13}
OF_MEASUREMENT = {"plot_coverage": 1, "plot_dirty": 1}
PICTURES = {"plot_comparison": 1, "plot_animation": 1, "plot_movie": 10, "plot_optical_flow": 1}
PICTURES |= {"plot_methods": 1, "plot_deltas": 1, "plot_priors": 1, "plot_autoencoder": 1}
BLACK_HOLE_PICTURES = PICTURES | OF_MEASUREMENT
DOMAIN_PICTURES = {"plot_losses": 4, "generate": 3, "plot_generated": 1}
TABLES = {"table_methods": 2, "table_costs": 1, "table_training": 1}
# A hundred samples of one black hole, ten a job; two of each test video by two methods, of which one is there already.
PICTURES_OF_POSTERIOR = {"plot_modes": 1, "plot_samples": 1, "plot_uncertainty": 1, "plot_quantities": 1}
POSTERIOR = {"sample_posterior": 10, "summarise": 1, "modes": 1, "table_modes": 1, "quantities": 1}
POSTERIOR |= PICTURES_OF_POSTERIOR
CALIBRATION = {"sample_calibration": 2 * 20, "calibrate": 2, "plot_calibration": 1}
CALIBRATION |= {"quantities_of_method": 2, "plot_quantities_of_methods": 1}
# Ten videos by the prior after six numbers of epochs; that after the last is the study's own and has sampled already.
EPOCHS = {"sample_ablation": 6 * 10, "evaluate_ablation": 7, "tabulate_ablation": 1, "plot_ablation": 1}
REPORT = {"run_summary": 1, "front_page": 1, "report_study": 1}
TOUR_REPORT = {"run_summary": 1, "front_page": 1, "report_tour": 1}
# The tour shows four methods, none of which has an optical flow.
TOUR = {"measure": 1, "sample": 4 * 20, "reference": 5, "evaluate": 9, "extract_features": 1, "tabulate_tour": 1}
BLACK_HOLE_TOUR = TOUR | {"reference": 4, "evaluate": 8}
TOUR_PICTURES = {"plot_tour_comparison": 1, "plot_tour_movie": 1, "plot_animation": 1, "plot_movie": 4}


# What the miniature has besides the methods' tables.
CALIBRATED = {"calibration": ["bcs-000", "step_joint-000"]}
CALIBRATED |= {stage: ["bcs", "step_joint"] for stage in ("calibrate", "quantities")}
OBSERVED = ("read", "summarise", "modes", "quantities")
AXES = {
    "epochs": ["sample-00-000", "evaluate-00", "evaluate-01"],
    "training_videos": ["split-00", "train-00", "sample-00-000", "evaluate-00", "evaluate-01"],
    "hmc_steps": ["sample-00-000", "evaluate-00", "evaluate-01"],
}


def total(*jobs: dict[str, int]) -> dict[str, int]:
    """Return how many jobs of each rule there are together."""
    return dict(sum(map(Counter, jobs), Counter()))


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def only_line(run) -> str:
    """Return the one error of a run that could not be planned; snakemake says that files are overlaid on others."""
    assert run.status == 1
    lines = [line for line in run.stderr.splitlines() if not line.startswith("Config file ")]
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
def raw_library(tmp_path_factory) -> Path:
    """Empty files with the names of a library of GRMHD movies and images."""
    root = tmp_path_factory.mktemp("grmhd")
    for number in range(N_MOVIES):
        (root / "movies").mkdir(exist_ok=True)
        (root / f"movies/flow{number}.h5").touch()
    for name in ("img_s1000.h5", "img_s2000.h5"):
        (root / "images/Sa+0.5_w3").mkdir(parents=True, exist_ok=True)
        (root / "images/Sa+0.5_w3" / name).touch()
    return root


@pytest.fixture(scope="module")
def paper_overlay(project_copy, raw_tree, raw_library) -> Path:
    return project_copy.overlay("paper", f"data: {{mri: {{root: {raw_tree}}}, blackhole: {{root: {raw_library}}}}}\n")


def test_the_whole_study_runs_from_nothing(first_run, project_copy):
    assert first_run.status == 0, first_run.stdout + first_run.stderr
    made = files_below(project_copy.folder / RESULTS)
    for task, domain in DOMAINS.items():
        videos = {f"{task}/videos/{name}.mp4" for name in ["comparison", *METHODS]}
        losses = {f"{domain}/figures/losses-{name}.png" for name in ("autoencoder", "image", "video", "joint")}
        pictures = {f"{task}/figures/{name}.png" for name in ("comparison", "optical_flow")}
        assert videos | losses | pictures | {f"{task}/metrics.csv"} <= made
    assert {"mri/figures/masks.png", "blackhole/figures/coverage.png", "blackhole/figures/dirty.png"} <= made
    assert {f"tables/table{number}{end}" for number in range(1, 5) for end in (".csv", ".md", ".tex")} <= made
    assert [name for name in made if ".part" in name] == []


def test_every_job_has_a_log_and_every_stage_of_data_a_benchmark(miniature):
    results = miniature.folder / RESULTS
    jobs = {
        *(f"{domain}/{stage}/000" for domain in DOMAINS.values() for stage in ("simulate", "ingest", "prepare")),
        *(f"{domain}/split" for domain in DOMAINS.values()),
        *(f"{domain}/train/{net}" for domain in DOMAINS.values() for net in ("autoencoder", "image", "video", "joint")),
        *(f"{task}/{stage}" for task in ROWS for stage in ("measure", "optical_flow/000", "extract_features")),
        *(f"{task}/sample/{method}-000" for task in ROWS for method in METHODS),
        *(f"{task}/reference/{row}" for task in ROWS for row in ROWS[task] if row not in METHODS),
        *(f"{task}/evaluate/{row}" for task in ROWS for row in ROWS[task]),
        *(f"{task}/tabulate" for task in ROWS),
        *(f"observations/{name}/{stage}" for name in ("night", "scan") for stage in OBSERVED),
        *(f"posteriors/ring/{stage}" for stage in ("sample-000", "sample-001", "summarise", "modes", "quantities")),
        *(f"blackhole/{stage}/{of}" for stage in CALIBRATED for of in CALIBRATED[stage]),
        *(f"{domain}/generate/{prior}" for domain in DOMAINS.values() for prior in ("image", "video", "joint")),
        *(f"ablations/{axis}/{job}" for axis, jobs in AXES.items() for job in jobs),
        "observations/scan/optical_flow",
        *(
            f"observations/{name}/sample-{shard}"
            for name, shard in (("night", "000"), ("night", "001"), ("scan", "000"))
        ),
    }
    assert files_below(results / "benchmarks") == {f"{job}.tsv" for job in jobs}
    assert {f"{job}.log" for job in jobs} <= files_below(results / "logs")


@pytest.mark.parametrize("task", ROWS)
def test_the_table_has_one_finite_row_per_method_in_the_order_of_the_paper(miniature, task):
    with (miniature.folder / RESULTS / task / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row.pop("method") for row in rows] == ROWS[task]
    assert {row["videos"] for row in rows} == {"2"}
    measured = ("psnr", "ssim", "d_psnr", "d_ssim", "difference_correlation", "data_misfit")
    undefined = {
        (name, metric)
        for name, row in zip(ROWS[task], rows, strict=True)
        for metric in measured
        if not math.isfinite(float(row[metric]))
    }
    # A still video has no differences of frames to correlate.
    assert undefined == {("static", "difference_correlation")}


@pytest.mark.parametrize("task", ROWS)
def test_what_could_not_be_measured_is_an_empty_cell_with_its_reason(miniature, task):
    with (miniature.folder / RESULTS / task / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row[column] for row in rows for column in ("lpips", "fvd", "lpips_weights", "fvd_weights")} == {""}
    for row in rows:
        assert "no LPIPS: weights.vgg16 is null" in row["remarks"]
        assert "no FVD: weights.i3d is null" in row["remarks"]


@pytest.mark.parametrize(("task", "source"), [("mri8", "backprojection"), ("blackhole", "truth (oracle)")])
def test_the_tables_say_which_optical_flow_moved_the_noise(miniature, task, source):
    with (miniature.folder / RESULTS / task / "metrics.csv").open() as file:
        flows = {row["method"]: row["optical_flow"] for row in csv.DictReader(file)}
    assert {method for method, flow in flows.items() if flow} == set(WARPING)
    assert {flows[method] for method in WARPING} == {f"{source}, TV-L1 (no RAFT: weights.raft is null)"}
    table = {"mri8": "table4", "blackhole": "table1"}[task]
    assert source in (miniature.folder / RESULTS / f"tables/{table}.md").read_text()


def test_a_second_run_does_nothing(miniature):
    before = {name: (miniature.folder / RESULTS / name).stat() for name in files_below(miniature.folder / RESULTS)}
    run = miniature.snakemake("all", overlays=(MINIATURE,))
    assert run.status == 0
    assert "Nothing to be done" in run.stdout + run.stderr
    after = {name: (miniature.folder / RESULTS / name).stat() for name in files_below(miniature.folder / RESULTS)}
    assert {name: s.st_mtime_ns for name, s in after.items()} == {name: s.st_mtime_ns for name, s in before.items()}


def test_the_table_of_the_paper_is_planned_from_names_of_raw_files(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "results/mri8/metrics.csv", overlays=(paper_overlay,))
    assert run.jobs == DATA | PRIORS | TABLE | WEIGHTS


@pytest.mark.plan
def test_the_whole_study_of_the_paper_is_planned(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "all", overlays=(paper_overlay,))
    hearts = total(DATA, PRIORS, TABLE, TABLE, PICTURES, PICTURES, DOMAIN_PICTURES, {"plot_masks": 1})
    black_holes = total(BLACK_HOLE_DATA, PRIORS, BLACK_HOLE_TABLE, BLACK_HOLE_PICTURES, DOMAIN_PICTURES)
    analyses = total(POSTERIOR, CALIBRATION, CALIBRATION, EPOCHS)
    assert run.jobs == total(hearts, black_holes, analyses, TABLES, WEIGHTS, REPORT)


def test_the_epochs_of_the_ablation_are_those_of_the_one_training(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "results/ablations/epochs/curve.csv", overlays=(paper_overlay,))
    assert run.jobs["train_denoiser"] == 2
    assert not run.jobs.keys() & {"train_ablation", "split_ablation"}


def test_an_axis_of_the_training_trains_and_splits_for_every_value_but_the_study_s_own(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "results/ablations/training_videos/curve.csv", overlays=(paper_overlay,))
    assert {name: run.jobs[name] for name in ("split_ablation", "train_ablation", "sample_ablation", "sample")} == {
        "split_ablation": 3,
        "train_ablation": 3,
        "sample_ablation": 3 * 20,
        "sample": 20,
    }


def test_an_axis_of_seeds_trains_for_every_seed_but_the_study_s_own_and_splits_nothing(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "results/ablations/training_seed/curve.png", overlays=(paper_overlay,))
    assert (run.jobs["train_ablation"], run.jobs["sample_ablation"], run.jobs["sample"]) == (2, 2 * 20, 20)
    assert "split_ablation" not in run.jobs


def test_tuning_measures_validation_videos_and_samples_no_test_video(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "tuning", overlays=(paper_overlay,))
    of_each = {"measure_validation": 1, "tune": 1, "plot_tuning": 1, "estimate_representation": 1}
    priors = PRIORS | {"train_denoiser": 2}
    classical = {"tune_classical": 3, "plot_tuning_of_classical": 3}
    assert run.jobs == total(DATA, BLACK_HOLE_DATA, priors, priors, of_each, of_each, classical)


def test_tuning_a_classical_row_trains_nothing(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "results/mri8/tuning/low_rank_sparse/tuned.yaml", overlays=(paper_overlay,))
    assert run.jobs == total(DATA, {"measure_validation": 1, "tune_classical": 1})


def test_the_benchmark_needs_no_result_and_measures_every_size_and_task(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "benchmark", overlays=(paper_overlay,))
    assert run.jobs == {"bench": 3 * 2, "table_benchmark": 1, "plot_benchmark": 1}


def test_an_overlay_of_the_benchmark_that_is_not_there_is_one_line(project_copy, paper_overlay):
    missing = project_copy.overlay("missing", "benchmark: {sizes: {demo: {overlays: [config/dmeo.yaml]}}}")
    line = only_line(project_copy.snakemake("-n", "benchmark", overlays=(paper_overlay, missing)))
    assert "benchmark.sizes.demo.overlays" in line
    assert "config/dmeo.yaml" in line


FIGURES = {
    "figure1": {"plot_modes": 1},
    "figure5": {"plot_methods": 3},
    "figure7": {"plot_deltas": 3, "plot_priors": 3, "plot_ablation": 1},
    "figure8": {"plot_dirty": 1},
    "figure9": {"plot_masks": 1},
    "figure10": {"plot_autoencoder": 3},
    "figure11": {"plot_generated": 2},
    "figure12": {"plot_samples": 1},
}


@pytest.mark.parametrize(("figure", "pictures"), FIGURES.items(), ids=FIGURES)
def test_each_figure_of_the_paper_can_be_asked_for_alone(project_copy, paper_overlay, figure, pictures):
    run = project_copy.snakemake("-n", figure, overlays=(paper_overlay,))
    assert {name: number for name, number in run.jobs.items() if name.startswith("plot_")} == pictures


def test_the_tour_is_what_runs_unless_something_else_is_asked_for(project_copy, paper_overlay):
    hearts = total(DATA, PRIORS, TOUR, TOUR_PICTURES)
    black_holes = total(BLACK_HOLE_DATA, PRIORS, BLACK_HOLE_TOUR, TOUR_PICTURES, OF_MEASUREMENT)
    run = project_copy.snakemake("-n", overlays=(paper_overlay,))
    assert run.jobs == total(hearts, black_holes, {"fetch_weights": 2}, TOUR_REPORT)


def test_the_demos_tour_scores_a_task_by_one_job_and_needs_no_network_of_others(project_copy):
    jobs = project_copy.snakemake("-n", overlays=("config/demo.yaml",)).jobs
    assert jobs["tabulate_tour"] == 2
    assert not jobs.keys() & {"evaluate", "extract_features", "fetch_weights"}


def test_the_networks_of_others_can_be_fetched_ahead(project_copy, paper_overlay):
    run = project_copy.snakemake("-n", "weights", overlays=(paper_overlay,))
    assert run.jobs == {"fetch_weights": 3, "weights": 1}


def test_who_has_one_domain_s_data_plans_its_table_without_the_others(project_copy, raw_library):
    overlay = project_copy.overlay("mine", f"data: {{blackhole: {{root: {raw_library}}}}}\n")
    run = project_copy.snakemake("-n", "results/blackhole/metrics.csv", overlays=(overlay,))
    assert run.jobs == total(BLACK_HOLE_DATA, PRIORS, BLACK_HOLE_TABLE, WEIGHTS)


def test_measured_data_end_in_samples_chi_squares_pictures_and_the_formats_of_their_field(miniature):
    folder = miniature.folder / RESULTS / "observations"
    for name, exported in (
        ("night", {"mean.h5", "std.h5", "sample002.h5", "mean/frame_003.fits"}),
        ("scan", {"mean.nii.gz", "std.nii.gz", "sample001.nii.gz"}),
    ):
        assert {"chi_squares.csv", "posterior.h5", "posterior.png", "posterior.mp4"} <= files_below(folder / name)
        assert exported <= files_below(folder / name / "export")
    with (folder / "night/chi_squares.csv").open() as file:
        rows = {row["video"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["sample000", "sample001", "sample002", "mean"]
    assert all(float(row["closure_phase"]) > 0 for row in rows.values())


def test_samples_are_the_same_number_for_number_in_one_job_and_in_four(miniature):
    ring = "{task: blackhole, method: step_joint, video: video001, samples: 4, samples_per_job: %d}"
    overlay = miniature.overlay("shards", f"posteriors: {{one_job: {ring % 4}, four_jobs: {ring % 1}}}")
    folders = [f"{RESULTS}/posteriors/{name}" for name in ("one_job", "four_jobs")]
    run = miniature.snakemake(*(f"{f}/posterior.h5" for f in folders), *ONE_THREAD, overlays=(MINIATURE, overlay))
    assert run.jobs == {"sample_posterior": 1 + 4, "summarise": 2}
    samples = [
        np.concatenate([read_samples(file) for file in sorted((miniature.folder / f / "samples").glob("*.h5"))])
        for f in folders
    ]
    assert len(samples[0]) == 4
    np.testing.assert_array_equal(*samples)


def read_samples(file: Path) -> np.ndarray:
    [reconstruction] = read_reconstructions([file]).values()
    return reconstruction.samples


def test_the_curve_over_words_is_tabulated_with_all_its_points(project_copy):
    """The shell would drop a word that is empty."""
    target = f"{RESULTS}/ablations/prior_score/curve.csv"
    run = project_copy.snakemake("-n", "-p", target, overlays=(MINIATURE,))
    assert run.status == 0, run.stdout + run.stderr
    [command] = [line for line in (run.stdout + run.stderr).splitlines() if "step table ablation" in line]
    parser = argparse.ArgumentParser()
    open_stage("table ablation").add_arguments(parser)
    points = parser.parse_known_args(shlex.split(command))[0].points
    assert [point[:2] for point in points] == [["exact", "-"], ["frozen", "-"], ["gaussian", "-"]]


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


@pytest.mark.slow
def test_the_tables_of_the_methods_come_before_calibration_ablations_and_posteriors():
    jobs = plan(load_config(DEMO_CONFIG), "all")
    ended = end_times(jobs, [float(bool(job.stage)) for job in jobs], slots=1)
    last_table = max(at for job, at in zip(jobs, ended, strict=True) if job.rule == "tabulate")
    later = ("sample_calibration", "sample_ablation", "sample_posterior", "generate")
    assert {job.rule for job in jobs} > set(later)
    assert last_table < min(at for job, at in zip(jobs, ended, strict=True) if job.rule in later)


def test_sampling_jobs_ask_for_time_by_their_samples(project_copy, paper_overlay):
    more = project_copy.overlay("more_samples", "tasks: {mri8: {samples: 3}}\ncalibration: {samples: 4}\n")
    run = project_copy.snakemake("-n", "results/mri8/samples/bcs/000.h5", overlays=(paper_overlay, more))
    of_job = {"task": "mri8", "method": "bcs", "shard": "000"}
    expected = sampling_minutes(load_config(paper_overlay, more), of_job, read_unit_costs())
    assert int(RUNTIME.search(run.stdout)[1]) == expected


def test_a_recalibration_samples_validation_videos_for_what_is_calibrated_and_only_where_it_is_asked_for(project_copy):
    entry = project_copy.overlay("recalibration", "uncertainty: {recalibration: true}")
    asked, not_asked = (
        project_copy.snakemake("-n", "all", overlays=overlays).jobs for overlays in ((MINIATURE, entry), (MINIATURE,))
    )
    # Every method that is calibrated, and those of posteriors besides.
    assert asked["sample_validation"] == asked["recalibrate"] >= asked["calibrate_recalibrated"] == asked["calibrate"]
    assert not not_asked.keys() & {"sample_validation", "recalibrate", "calibrate_recalibrated"}
