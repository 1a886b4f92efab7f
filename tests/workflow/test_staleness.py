"""An edit makes stale the jobs that it touches and all below them, and no other: over the real, finished graph."""

import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from queue import SimpleQueue

import pytest
import yaml

MINIATURE = "config/miniature.yaml"
LIBRARY = "workflow/step"

Jobs = dict[str, int]


# Tables and the page of both domains: made again once, whatever number of parts of them is stale.
SHARED = ("table_costs", "table_training", "front_page")


def total(*jobs: Jobs) -> Jobs:
    """Return how many jobs of each rule there are together."""
    counts = dict(sum(map(Counter, jobs), Counter()))
    return counts | dict.fromkeys(counts.keys() & set(SHARED), 1)


NONE: Jobs = {}
METHODS = 9
# Each domain of the miniature has a table of methods of its own.
TABLES = {"tabulate": 1, "table_methods": 1, "front_page": 1}
# The animation shows what was measured, the classical reconstructions and the tour's two methods.
ANIMATION = {"plot_animation": 1}
PICTURES = {"plot_comparison": 1, "plot_movie": METHODS + 1} | ANIMATION
FROM_TRAINING = {"train_autoencoder": 1, "train_denoiser": 3, "plot_losses": 4, "table_training": 1}
FROM_SAMPLE = {"sample": METHODS, "evaluate": METHODS, "table_costs": 1} | TABLES | PICTURES
# From the samples of measured data down: those of the black hole have two jobs, those of the heart one.
OF_OBSERVED = ("summarise_observation", "modes_of_observation", "plot_modes_of_observation", "plot_observation")
OF_OBSERVED += ("quantities_of_observation", "plot_quantities_of_observation")
SCAN = {"sample_observation": 1, "export": 1} | dict.fromkeys(OF_OBSERVED, 1)
NIGHT = SCAN | {"sample_observation": 2, "plot_fit_of_observation": 1}
FROM_NIGHT = NIGHT | {"read_observation": 1, "plot_observed_coverage": 1}
# The scan's noise moves with its optical flow.
SCAN_OF_OPTICAL_FLOW = SCAN | {"optical_flow_of_observation": 1}
FROM_SCAN = SCAN_OF_OPTICAL_FLOW | {"read_observation": 1}


@dataclass(frozen=True)
class Domain:
    """The jobs of one domain of the miniature, which has one task and one observation."""

    name: str
    references: int
    of_measurement: Jobs  # pictures of the measurement itself
    observed: Jobs  # from the samples of its observation down
    from_training_videos: Jobs  # the same, with what reads the observation where that needs the videos

    @property
    def table(self) -> Jobs:
        return {"evaluate": METHODS + self.references, "extract_features": 1} | TABLES

    @property
    def from_measure(self) -> Jobs:
        below = {
            "measure": 1,
            "optical_flow": 1,
            "plot_optical_flow": 1,
            "sample": METHODS,
            "reference": self.references,
        }
        return below | self.table | PICTURES | self.of_measurement | {"table_costs": 1}

    @property
    def from_autoencoder(self) -> Jobs:
        # The passage through the autoencoder is a reference too.
        return total(FROM_TRAINING, of_methods(METHODS), ANIMATION, {"reference": 1} | of_rows(1), self.observed)

    @property
    def from_split(self) -> Jobs:
        return total({"split": 1}, FROM_TRAINING, self.from_measure, self.from_training_videos)

    @property
    def from_prepare(self) -> Jobs:
        return {"prepare": 1} | self.from_split

    @property
    def from_ingest(self) -> Jobs:
        return {"ingest": 1} | self.from_prepare

    @property
    def from_simulation(self) -> Jobs:
        return {f"simulate_{self.name}": 1} | self.from_ingest

    @property
    def from_references(self) -> Jobs:
        return of_references(self.references)


def of_rows(number: int) -> Jobs:
    """Return the jobs that describe some rows of a table."""
    return {"evaluate": number}


def of_references(number: int) -> Jobs:
    """Return the jobs from some reference rows of a domain's table down."""
    return {"reference": number, "plot_comparison": 1, "plot_movie": 1} | ANIMATION | of_rows(number) | TABLES


def of_methods(sampled: int) -> Jobs:
    """Return the jobs from the samples of some methods down: their rows, their movies and the one of all rows."""
    below = {"sample": sampled, "plot_comparison": 1, "plot_movie": sampled + 1, "table_costs": 1}
    return below | of_rows(sampled) | TABLES


def of_networks(trained: int, sampled: int) -> Jobs:
    """Return the jobs from the training of some denoisers down."""
    return {"train_denoiser": trained, "plot_losses": trained, "table_training": 1} | of_methods(sampled)


def of_optical_flow(observed: Jobs) -> Jobs:
    """Return the jobs from the optical flow of a task down: the five methods that warp noise, and an observation."""
    return total({"optical_flow": 1, "plot_optical_flow": 1}, of_methods(5), observed)


def of_evaluation(domain: "Domain") -> Jobs:
    """Return the jobs from the frames' metrics of a task down."""
    return {"evaluate": METHODS + domain.references} | TABLES


# The scan is read without the training videos, the light curve of the night is not.
HEART = Domain("mri", 5, {}, SCAN, SCAN)
BLACK_HOLE = Domain("blackhole", 4, {"plot_coverage": 1, "plot_dirty": 1}, NIGHT, FROM_NIGHT)

CONFIG_EDITS = {
    "seed: 1": total(HEART.from_simulation, BLACK_HOLE.from_simulation),
    "data: {mri: {simulation: {noise: 0.01}}}": HEART.from_simulation,
    "data: {blackhole: {simulation: {flux_jy: 2.0}}}": BLACK_HOLE.from_simulation,
    "data: {blackhole: {cadence_s: 1600.0}}": BLACK_HOLE.from_ingest,
    "data: {blackhole: {field_of_view_uas: 120.0}}": BLACK_HOLE.from_prepare,
    "data: {mri: {scale: 2.0e+6}}": total(
        HEART.from_prepare, {"read_observation": 1, "optical_flow_of_observation": 1}
    ),
    "data: {mri: {split: {test: 1}}}": HEART.from_split,
    "data: {mri: {images: 20}}": HEART.from_split,
    # What is dark differs, which trainings fill up with, and the optical flow too is of frames as they are seen.
    "data: {mri: {display: unit_range}}": HEART.from_autoencoder
    | HEART.table
    | SCAN_OF_OPTICAL_FLOW
    | {"optical_flow": 1, "plot_optical_flow": 1},
    "priors: {mri: {autoencoder_training: {kl_weight: 0.5}}}": HEART.from_autoencoder,
    # The joint prior starts from the image prior, on which seven methods stand, and the scan.
    "priors: {mri: {image: {optimisation: {learning_rate: 1.0e-3}}}}": total(
        of_networks(trained=2, sampled=8), ANIMATION, SCAN
    ),
    "priors: {mri: {video: {optimisation: {epochs: 2}}}}": of_networks(trained=1, sampled=1),
    "priors: {mri: {joint: {p_joint: 0.5}}}": of_networks(trained=1, sampled=1) | ANIMATION,
    "priors: {blackhole: {joint: {p_joint: 0.5}}}": total(of_networks(trained=1, sampled=1), ANIMATION, NIGHT),
    "tasks: {mri8: {measurement: {noise_level: 0.02}}}": total(HEART.from_measure, FROM_SCAN),
    "tasks: {mri8: {measurement: {acceleration: 2}}}": total(HEART.from_measure, FROM_SCAN, {"plot_masks": 1}),
    # The picture of the masks is of the tasks that the study has.
    "tasks: {mri6: {measurement: {acceleration: 2}}}": NONE,
    "tasks: {blackhole: {measurement: {start_utc_h: 12.55}}}": total(BLACK_HOLE.from_measure, FROM_NIGHT),
    "tasks: {mri8: {sampler: {mcmc: {steps: 3}}}}": total(FROM_SAMPLE, SCAN),
    "tasks: {mri8: {samples: 2}}": FROM_SAMPLE,
    "tasks: {mri8: {classical: {total_variation: {weight: 0.1}}}}": of_references(1),
    "tasks: {mri8: {classical: {low_rank_sparse: {sparse_weight: 0.1}}}}": of_references(1),
    # Of a row that no table has.
    "tasks: {mri8: {classical: {tikhonov: {weight: 1.0}}}}": NONE,
    "methods: {bcs: {noise: {source: independent}}}": total(of_methods(1), of_methods(1), ANIMATION, ANIMATION),
    "methods: {integral: {noise: {subcells: 2}}}": total(of_methods(1), of_methods(1)),
    "tasks: {blackhole: {optical_flow: {tvl1: {attachment: 10.0}}}}": of_optical_flow(NONE),
    "weights: {vgg16: fetch}": total({"fetch_weights": 1}, of_evaluation(HEART), of_evaluation(BLACK_HOLE)),
    "evaluation: {interval: 0.5}": total(TABLES, TABLES),
    "tables: {table4: [mri8, blackhole]}": {"table_methods": 1},
    "observations: {night: {data: {average_s: 200.0}}}": FROM_NIGHT,
    "observations: {night: {samples: 2}}": {"export": 1, "plot_fit_of_observation": 1} | dict.fromkeys(OF_OBSERVED, 1),
    "observations: {scan: {method: bcs}}": SCAN,
    "targets: {tour: {tasks: [mri6]}}": NONE,
    "tasks: {mri6: {sampler: {mcmc: {steps: 3}}}}": NONE,
}

LIBRARY_EDITS = {
    "domains/mri/phantom/anatomy.py": HEART.from_simulation,
    "domains/blackhole/accretion/crescent.py": BLACK_HOLE.from_simulation,
    "domains/mri/coils.py": HEART.from_ingest,
    "domains/mri/cine.py": HEART.from_prepare,
    "domains/blackhole/regrid.py": BLACK_HOLE.from_prepare,
    "training/objectives.py": total(HEART.from_autoencoder, BLACK_HOLE.from_autoencoder),
    "physics/masks.py": total(HEART.from_measure, FROM_SCAN, {"plot_masks": 1}),
    "physics/simulate_observation.py": total(BLACK_HOLE.from_measure, FROM_NIGHT),
    "sampling/mcmc.py": total(FROM_SAMPLE, FROM_SAMPLE, SCAN, NIGHT),
    "classical/total_variation.py": of_references(1),
    "classical/low_rank_sparse.py": of_references(1),
    "classical/likelihood.py": of_references(2),
    "classical/modules.py": total(HEART.from_references, BLACK_HOLE.from_references),
    "observations/eht.py": FROM_NIGHT,
    "observations/uvfits.py": FROM_NIGHT,
    # The comparison says the PSNR of what it shows.
    "metrics/psnr.py": total(of_evaluation(HEART), of_evaluation(BLACK_HOLE), {"plot_comparison": 2}),
    "metrics/i3d.py": total(HEART.table, BLACK_HOLE.table),
    "metrics/frechet.py": total(TABLES, TABLES),
    "sampling/noise/gp_warp.py": total(of_methods(1), of_methods(1)),
    "optical_flow/estimators.py": total(of_optical_flow(SCAN_OF_OPTICAL_FLOW), of_optical_flow(NONE)),
    "tables/settings.py": {"table_costs": 1, "table_training": 1},
    "figures/losses.py": {"plot_losses": 8},
    "cli/describe.py": NONE,
}


# The run summary says the whole configuration, and the report has it and everything else.
REPORT = {"run_summary": 1, "report_study": 1}

# What is made of the samples and priors besides the tables of methods, and has expectations of its own.
OF_POSTERIOR = {"summarise": 1, "modes": 1, "table_modes": 1, "plot_modes": 1, "plot_samples": 1, "plot_uncertainty": 1}
OF_POSTERIOR |= {"quantities": 1, "plot_quantities": 1}
FROM_POSTERIOR = {"sample_posterior": 2} | OF_POSTERIOR
FROM_CALIBRATION = {"sample_calibration": 2, "calibrate": 2, "plot_calibration": 1}
FROM_CALIBRATION |= {"quantities_of_method": 2, "plot_quantities_of_methods": 1}
OF_CURVE = {"tabulate_ablation": 1, "plot_ablation": 1}
EPOCHS = {"sample_ablation": 1, "evaluate_ablation": 2} | OF_CURVE
ONE_POINT = {"sample_ablation": 1, "evaluate_ablation": 1} | OF_CURVE
TRAINING_VIDEOS = {"train_ablation": 1} | EPOCHS
STEPS = EPOCHS
GENERATED = {"generate": 3, "plot_generated": 1}
FIGURES = {"plot_methods": 1, "plot_deltas": 1, "plot_priors": 1}
ANALYSES = {
    *(REPORT | FROM_POSTERIOR | FROM_CALIBRATION | TRAINING_VIDEOS | GENERATED | FIGURES),
    "plot_autoencoder",
    "split_ablation",
}
FROM_BLACK_HOLE_SAMPLES = total(FROM_POSTERIOR, FROM_CALIBRATION, EPOCHS, EPOCHS, EPOCHS, FIGURES)

ANALYSES_AFTER = {
    # The axis of steps has a point of its own for what was the study's value, and the other one stays as it is.
    "tasks: {blackhole: {sampler: {mcmc: {steps: 3}}}}": total(
        FROM_POSTERIOR, FROM_CALIBRATION, EPOCHS, EPOCHS, ONE_POINT, FIGURES
    ),
    "priors: {blackhole: {joint: {p_joint: 0.5}}}": total(
        FROM_POSTERIOR,
        FROM_CALIBRATION | {"sample_calibration": 1, "calibrate": 1, "quantities_of_method": 1},
        EPOCHS,
        TRAINING_VIDEOS,
        STEPS,
        {"generate": 1, "plot_generated": 1},
        FIGURES,
    ),
    "priors: {mri: {video: {optimisation: {epochs: 2}}}}": {
        "generate": 1,
        "plot_generated": 1,
        "plot_methods": 1,
        "plot_priors": 1,
    },
    "posteriors: {ring: {samples: 4}}": OF_POSTERIOR | {"sample_posterior": 1},
    "posteriors: {ring: {video: video000}}": FROM_POSTERIOR,
    "modes: {evidence: 3.0}": {
        "modes": 1,
        "table_modes": 1,
        "plot_modes": 1,
    },
    "calibration: {samples: 4}": FROM_CALIBRATION,
    "calibration: {interval: 0.5}": {"calibrate": 2, "plot_calibration": 1},
    "uncertainty: {interval: 0.5}": {
        "quantities": 1,
        "plot_quantities": 1,
        "quantities_of_method": 2,
        "plot_quantities_of_methods": 1,
    },
    "uncertainty: {quantiles: [0.2, 0.8]}": {"summarise": 1, "plot_uncertainty": 1},
    "generation: {steps: 3}": total(GENERATED, GENERATED),
    "ablations: {hmc_steps: {values: [3, 2]}}": ONE_POINT,
    "tuning: {trials: 3}": NONE,
}


ANALYSES_OF_LIBRARY = {
    # Error and spread are compared where they are measured.
    "posterior/calibration.py": {"calibrate": 2, "plot_calibration": 1, "plot_uncertainty": 1},
    "figures/samples.py": {"plot_samples": 1},
    "sampling/generation.py": total(GENERATED, GENERATED),
    "tuning/search.py": NONE,
    "figures/tuning.py": NONE,
}


def of_study(jobs: Jobs) -> Jobs:
    return {name: number for name, number in jobs.items() if name not in ANALYSES}


def of_analyses(jobs: Jobs) -> Jobs:
    return {name: number for name, number in jobs.items() if name in ANALYSES}


@pytest.fixture(scope="module")
def plans(miniature) -> dict[str, Jobs]:
    """The jobs planned after each edit of the configuration; two plans are made at a time."""
    edits = [*dict.fromkeys([*CONFIG_EDITS, *ANALYSES_AFTER])]
    overlays = [miniature.overlay(f"edit{number}", text) for number, text in enumerate(edits)]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda file: miniature.snakemake("-n", "all", overlays=(MINIATURE, file)), overlays))
    return {text: run.jobs for text, run in zip(edits, runs, strict=True)}


@pytest.fixture(scope="module")
def library_plans(miniature, tmp_path_factory) -> dict[str, Jobs]:
    """The jobs planned after each edit of the library, in two copies at a time, since the edits are in place."""
    second = tmp_path_factory.mktemp("second") / "project"
    shutil.copytree(miniature.folder, second, symlinks=True)
    copies = SimpleQueue()
    for copy in (miniature, replace(miniature, folder=second)):
        copies.put(copy)

    def plan(module: str) -> Jobs:
        copy = copies.get()
        try:
            with copy.edited(f"{LIBRARY}/{module}", add_a_statement):
                return planned(copy)
        finally:
            copies.put(copy)

    edits = [*LIBRARY_EDITS, *ANALYSES_OF_LIBRARY]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(edits, pool.map(plan, edits), strict=True))


def planned(miniature) -> Jobs:
    return miniature.snakemake("-n", "all", overlays=(MINIATURE,)).jobs


@pytest.mark.parametrize(("edit", "stale"), CONFIG_EDITS.items(), ids=CONFIG_EDITS)
def test_an_edited_value_makes_stale_what_depends_on_it(plans, edit, stale):
    assert of_study(plans[edit]) == stale


@pytest.mark.parametrize(("edit", "stale"), ANALYSES_AFTER.items(), ids=ANALYSES_AFTER)
def test_an_edited_value_makes_stale_the_analyses_that_depend_on_it(plans, edit, stale):
    assert of_analyses(plans[edit]) == stale | REPORT


@pytest.mark.parametrize(("module", "stale"), LIBRARY_EDITS.items(), ids=LIBRARY_EDITS)
def test_an_edited_function_makes_stale_the_stages_that_run_it(library_plans, module, stale):
    assert of_study(library_plans[module]) == stale


@pytest.mark.parametrize(("module", "stale"), ANALYSES_OF_LIBRARY.items(), ids=ANALYSES_OF_LIBRARY)
def test_an_edited_function_makes_stale_the_analyses_that_run_it(library_plans, module, stale):
    assert of_analyses(library_plans[module]) == (stale | REPORT if stale else NONE)


def add_a_statement(source: str) -> str:
    """Return `source` with a statement more before the first `return` of a function."""
    return source.replace("\n    return ", "\n    print()\n    return ", 1)


def add_comments(source: str) -> str:
    return source.replace("\n    return ", "\n\n    # Why it is so.\n    return ", 1) + "\n\n# The end.\n"


def reword_docstring(source: str) -> str:
    return source.replace('    """Return', '    """Give back', 1)


def reformat(source: str) -> str:
    return source.replace(", ", ",    ").replace(" = ", "   =   ")


def reword_description(source: str) -> str:
    return source.replace('description="p_joint (Table 3)', 'description="(Table 3) p_joint', 1)


def test_what_only_a_reader_sees_of_the_library_makes_nothing_stale(miniature):
    edits: dict[str, Callable[[str], str]] = {
        "physics/fourier.py": add_comments,
        "sampling/daps.py": reword_docstring,
        "sampling/mcmc.py": reformat,
        "config/priors.py": reword_description,
    }
    with ExitStack() as stack:
        for module, edit in edits.items():
            stack.enter_context(miniature.edited(f"{LIBRARY}/{module}", edit))
        assert planned(miniature) == NONE


def turn_round(values: object) -> object:
    """Return mappings with their keys in the opposite order, but where the order is that of the tables."""
    if not isinstance(values, dict):
        return values
    return {
        key: values[key] if key in ("methods", "tasks") else turn_round(values[key]) for key in reversed(list(values))
    }


def test_comments_and_the_order_of_keys_make_nothing_stale(miniature):
    def rewrite(text: str) -> str:
        return "# A comment.\n" + yaml.safe_dump(turn_round(yaml.safe_load(text)), sort_keys=False)

    with miniature.edited("config/config.yaml", rewrite), miniature.edited(MINIATURE, rewrite):
        assert planned(miniature) == NONE


def test_a_touched_file_of_the_configuration_makes_nothing_stale(miniature):
    (miniature.folder / "config/config.yaml").touch()
    assert planned(miniature) == NONE


def test_no_value_of_a_profile_makes_anything_stale(miniature):
    """How the jobs run is not what they compute: threads, memory, time, GPUs, retries, groups."""
    of_rules = ["--set-threads", "sample=7", "train_denoiser=3", "--set-resources", "train_denoiser:gpu=4"]
    of_rules += ["sample:mem_mb=99000", "evaluate:runtime=7", "--groups", "evaluate=scores"]
    of_all = ["--default-resources", "mem_mb=123", "runtime=7", "--retries", "4", "--latency-wait", "9", "--keep-going"]
    run = miniature.snakemake("-n", "all", *of_rules, *of_all, overlays=(MINIATURE,))
    assert run.jobs == NONE


def test_the_order_of_the_methods_is_that_of_the_table(miniature):
    def rewrite(text: str) -> str:
        study = yaml.safe_load(text)
        study["methods"] = dict(reversed(study["methods"].items()))
        return yaml.safe_dump(study, sort_keys=False)

    with miniature.edited("config/config.yaml", rewrite):
        assert of_study(planned(miniature)) == total(
            {"plot_comparison": 2, "plot_movie": 2}, TABLES, TABLES, {"table_costs": 1, "table_training": 1}
        )
