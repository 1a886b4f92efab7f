"""Which files a study has, and which of them its targets make: told by the configuration alone."""

from pathlib import Path

import pytest
from step.config.files import StudyFiles, made_of, sample_numbers, that_measure, words
from step.config.keys import DEMO_CONFIG
from step.config.plan import sampling_shards
from step.config.study import Config, load_config
from step.config.targets import FIGURES_OF_PAPER, Targets

MINIATURE = Path(__file__).parents[1] / "workflow/miniature.yaml"
RESULTS = Path("results/miniature")
METHODS = ["bis", "bcs", "bilinear", "bicubic", "nearest", "integral", "gp_warp", "step_video", "step_joint"]


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(MINIATURE)


@pytest.fixture(scope="module")
def files(config) -> StudyFiles:
    return StudyFiles(config)


@pytest.fixture(scope="module")
def targets(files) -> Targets:
    return Targets(files)


def changed(config: Config, **sections: object) -> Config:
    return Config.model_validate(config.model_dump() | sections)


def names(files: list[Path], folder: str) -> list[str]:
    """Return those of `files` that are in a folder of the results, relative to it."""
    return [file.relative_to(RESULTS / folder).as_posix() for file in files if file.is_relative_to(RESULTS / folder)]


def test_a_table_has_the_methods_and_then_the_references_of_its_task(files):
    assert files.rows("mri8") == [*METHODS, "zero_filled", "total_variation", "low_rank_sparse", "static", "vae"]
    assert files.tour_rows("mri8") == [
        "bcs",
        "step_joint",
        "zero_filled",
        "total_variation",
        "low_rank_sparse",
        "static",
        "vae",
    ]
    of_hearts = ["zero_filled", "total_variation", "low_rank_sparse", "static", "vae"]
    assert files.references == [*of_hearts, "sense", "dirty", "regularised_maximum_likelihood"]
    assert files.references_arguments("blackhole") == [
        "--references",
        "dirty",
        "regularised_maximum_likelihood",
        "static",
        "vae",
    ]


def test_what_is_made_of_truths_needs_no_measurement_and_is_no_part_of_the_video_of_all(files):
    assert [made_of(row) for row in ("static", "vae", "truth", "zero_filled", "bcs")] == [
        *["truths"] * 3,
        *["measurements"] * 2,
    ]
    assert files.movie_rows("mri8", "comparison") == [*METHODS, "zero_filled", "total_variation", "low_rank_sparse"]
    assert files.movie_rows("mri8", "vae") == ["vae"]
    assert that_measure(["static", "bcs"]) == ["bcs"]
    assert files.files_made_of("mri8", "static", ["video000"]) == [
        "--truths",
        RESULTS / "mri8/truths/video000.h5",
    ]


def test_samples_are_sharded_over_videos_and_references_are_one_file(config):
    values = config.model_dump()
    values["tasks"]["mri8"]["videos_per_job"] = 1
    files = StudyFiles(Config.model_validate(values))
    samples = [RESULTS / f"mri8/samples/bcs/{shard}.h5" for shard in ("000", "001")]
    assert files.reconstruction_files("mri8", "bcs") == samples
    assert files.reconstruction_files("mri8", "static") == [RESULTS / "mri8/references/static.h5"]
    assert files.files_of_rows("mri8", ["bcs", "static"]) == [*samples, RESULTS / "mri8/references/static.h5"]
    assert files.method_arguments("mri8", ["bcs"]) == ["--method", "bcs", *map(str, samples)]
    assert files.calibration_files("mri8", "bcs")[2:] == [
        RESULTS / f"mri8/calibration/bcs/{shard}.h5" for shard in ("000", "001")
    ]
    assert [files.shard_of("mri8", video) for video in files.tests("mri8")] == ["000", "001"]
    assert [files.place_of_shard("mri8", shard) for shard in sampling_shards(files.config, "mri8")] == [0, 1]


def test_only_a_method_that_moves_its_noise_waits_for_an_optical_flow_and_only_raft_for_its_weights(files):
    assert files.optical_flow_of_method("mri8", "bicubic", "000") == [RESULTS / "mri8/optical_flow/000.h5"]
    assert files.optical_flow_of_method("mri8", "step_joint", "000") == []
    assert files.weights_of_optical_flow("mri8") == [RESULTS / "weights/raft.safetensors"]


def test_a_learned_network_is_an_input_where_its_file_is_given(config):
    given = changed(config, weights=config.weights.model_dump() | {"vgg16": "mine.tar.gz", "i3d": "fetch"})
    assert StudyFiles(given).given_weights("vgg16") == [Path("mine.tar.gz")]
    assert [StudyFiles(given).given_weights(name) for name in ("i3d", "raft")] == [[], []]


def test_a_simulation_has_a_folder_for_each_job_and_real_data_have_one(files):
    assert files.raw_root("mri", "000") == RESULTS / "mri/raw/000"
    assert {domain: list(jobs) for domain, jobs in files.simulated_shards().items()} == {
        "blackhole": ["000"],
        "mri": ["000"],
    }
    paper = StudyFiles(load_config())
    assert paper.raw_root("mri", "000") == Path("data/cmrxrecon")
    assert paper.simulated_shards() == {}


def test_jobs_of_many_samples_share_them_out_in_order(config, files):
    assert sample_numbers(config.posteriors["ring"]) == {"000": (0, 3), "001": (3, 5)}
    assert files.posterior_samples("ring") == [RESULTS / f"posteriors/ring/samples/00{n}.h5" for n in (0, 1)]
    assert files.observed_samples("night") == [RESULTS / f"observations/night/samples/00{n}.h5" for n in (0, 1)]
    assert files.truth_of_posterior("ring") == ["--truth", RESULTS / "blackhole/truths/video001.h5"]
    assert files.measurement_of_posterior("ring") == [RESULTS / "blackhole/measurements/video001.h5"]


def test_an_ablation_has_the_first_test_videos_and_tuning_validation_videos_alone(config, files):
    assert files.videos_of_ablation("hmc_steps") == ["video000"]
    assert files.shards_of_ablation("epochs") == {"000": ["video000", "video001"]}
    assert files.validation_videos("mri8") == ["validation000"]


def test_costs_are_of_every_method_and_networks_of_every_domain_of_the_whole_study(files):
    costs = files.cost_files()
    assert [pair[:2] for pair in costs] == [(task, method) for task in ("mri8", "blackhole") for method in METHODS]
    assert costs[0][2] == [RESULTS / "mri8/samples/bis/000-cost.csv"]
    networks = [
        (domain, name) for domain in ("mri", "blackhole") for name in ("autoencoder", "image", "video", "joint")
    ]
    assert [pair[:2] for pair in files.network_folders()] == networks


def test_words_are_an_option_before_each_group():
    assert words("--task", [("mri8", Path("a.csv")), ("mri6", Path("b.csv"))]) == [
        *["--task", "mri8", "a.csv"],
        *["--task", "mri6", "b.csv"],
    ]


def test_the_tour_makes_table_pictures_and_videos_of_its_methods_alone(targets):
    of_each = ["tour/animation.webp", "tour/metrics.csv", "tour/comparison.png", "tour/comparison.mp4"]
    of_each += ["videos/bcs.mp4", "videos/step_joint.mp4"]
    made = targets.tour_results()
    assert names(made, "mri8") == of_each
    assert names(made, "blackhole") == [*of_each, "figures/coverage.png", "figures/dirty.png"]
    assert len(made) == 2 * len(of_each) + 2


def test_a_task_has_the_pictures_that_there_is_something_to_show_in(config, targets):
    assert {"figures/priors.png", "figures/optical_flow.png", "figures/autoencoder.png"} <= set(
        names(targets.task_results(["mri8"]), "mri8")
    )
    assert "figures/calibration.png" in names(targets.task_results(["blackhole"]), "blackhole")
    assert "figures/calibration.png" not in names(targets.task_results(["mri8"]), "mri8")
    still = StudyFiles(
        config.model_copy(
            update={
                "methods": {name: config.methods[name] for name in ("bis", "bcs")},
                "tasks": config.tasks | {"mri8": config.tasks["mri8"].model_copy(update={"references": ("static",)})},
            }
        )
    )
    without = names(Targets(still).task_results(["mri8"]), "mri8")
    assert not {"figures/priors.png", "figures/optical_flow.png", "figures/autoencoder.png"} & set(without)


def test_the_whole_study_is_its_tasks_tables_domains_posteriors_ablations_and_observations(config, targets):
    made = targets.study_results()
    assert len(set(made)) == len(made)
    parts = [
        targets.task_results(["mri8", "blackhole"]),
        targets.study_tables(),
        targets.domain_results(["mri8", "blackhole"]),
        targets.posterior_results(["ring"]),
        targets.ablation_results(["epochs", "training_videos", "hmc_steps"]),
        targets.observation_results(["night", "scan"]),
    ]
    assert made == [file for part in parts for file in part]
    assert [file.stem for file in targets.study_tables()] == ["table2", "table3", "table1", "table4"]
    assert not any(file.is_relative_to(RESULTS / "mri6") for file in made)  # which targets.all leaves out


def test_weighted_samples_have_a_picture_of_how_they_came(targets):
    assert RESULTS / "posteriors/ring/weighting.png" not in targets.posterior_results(["ring"])
    weighted = load_config(DEMO_CONFIG, DEMO_CONFIG.with_name("weighted.yaml"))
    found = Targets(StudyFiles(weighted)).posterior_results(["ring", "ring_weighted"])
    assert [file.parent.name for file in found if file.name == "weighting.png"] == ["ring_weighted"]


def test_a_picture_of_a_kind_of_measurement_is_made_where_it_is_measured(targets):
    assert names(targets.domain_results(["mri8"]), "mri/figures")[0] == "masks.png"
    assert "masks.png" not in names(targets.domain_results(["blackhole"]), "blackhole/figures")
    assert "coverage.png" in names(targets.observation_results(["night"]), "observations/night")
    assert "coverage.png" not in names(targets.observation_results(["scan"]), "observations/scan")


@pytest.mark.slow
def test_every_figure_of_the_paper_has_pictures_in_the_paper_s_study_and_in_the_demo():
    for config in (load_config(), load_config(DEMO_CONFIG)):
        figures = Targets(StudyFiles(config)).paper_figures()
        assert list(figures) == list(FIGURES_OF_PAPER)
        assert all(figures.values())


def test_figure_7_has_the_deltas_the_priors_and_the_curves(targets):
    assert [file.name for file in targets.paper_figures()["figure7"]] == [
        *["deltas.png", "priors.png"] * 2,
        *["curve.png"] * 3,
    ]
