"""An edit makes stale the jobs that it touches and all below them, and no other: over the real, finished graph."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import yaml

MINIATURE = "config/miniature.yaml"
LIBRARY = "workflow/step"

PICTURES = {"plot_comparison": 1, "plot_movie": 5}
TABLE = {"evaluate": 8, "tabulate": 1}
BELOW_MEASURE = {"sample": 4, "reference": 4} | TABLE | PICTURES
FROM_MEASURE = {"measure": 1} | BELOW_MEASURE
FROM_TRAINING = {"train_autoencoder": 1, "train_denoiser": 3, "plot_losses": 4}
FROM_SPLIT = {"split": 1} | FROM_TRAINING | FROM_MEASURE
FROM_PREPARE = {"prepare": 1} | FROM_SPLIT
FROM_INGEST = {"ingest": 1} | FROM_PREPARE
FROM_SIMULATION = {"simulate_heart": 1} | FROM_INGEST
FROM_SAMPLE = {"sample": 4, "evaluate": 4, "tabulate": 1} | PICTURES
NONE: dict[str, int] = {}


def of_methods(sampled: int) -> dict[str, int]:
    """Return the jobs from the samples of some methods down: their rows, their movies and the one of all rows."""
    return {"sample": sampled, "evaluate": sampled, "tabulate": 1, "plot_comparison": 1, "plot_movie": sampled + 1}


def of_networks(trained: int, sampled: int) -> dict[str, int]:
    """Return the jobs from the training of some denoisers down."""
    return {"train_denoiser": trained, "plot_losses": trained} | of_methods(sampled)


CONFIG_EDITS = {
    "seed: 1": FROM_SIMULATION,
    "data: {mri: {simulation: {noise: 0.01}}}": FROM_SIMULATION,
    "data: {mri: {scale: 2.0e+6}}": FROM_PREPARE,
    "data: {mri: {split: {test: 1}}}": FROM_SPLIT,
    "data: {mri: {images: 20}}": FROM_SPLIT,
    "data: {mri: {display: unit_range}}": TABLE | PICTURES,
    # The passage through the autoencoder is a reference too.
    "priors: {mri: {autoencoder_training: {kl_weight: 0.5}}}": FROM_TRAINING
    | of_methods(4)
    | {"reference": 1, "evaluate": 5},
    # The joint prior starts from the image prior, on which two methods stand.
    "priors: {mri: {image: {optimisation: {learning_rate: 1.0e-3}}}}": of_networks(trained=2, sampled=3),
    "priors: {mri: {video: {optimisation: {epochs: 2}}}}": of_networks(trained=1, sampled=1),
    "priors: {mri: {joint: {p_joint: 0.5}}}": of_networks(trained=1, sampled=1),
    "tasks: {mri8: {measurement: {noise_level: 0.02}}}": FROM_MEASURE,
    "tasks: {mri8: {measurement: {acceleration: 2}}}": FROM_MEASURE | {"plot_masks": 1},
    "tasks: {mri6: {measurement: {acceleration: 2}}}": {"plot_masks": 1},
    "tasks: {mri8: {sampler: {mcmc: {steps: 3}}}}": FROM_SAMPLE,
    "tasks: {mri8: {samples: 2}}": FROM_SAMPLE,
    "tasks: {mri8: {total_variation: {weight: 0.1}}}": {
        "reference": 1,
        "evaluate": 1,
        "tabulate": 1,
        "plot_comparison": 1,
        "plot_movie": 1,
    },
    "methods: {bcs: {noise: independent}}": of_methods(1),
    "targets: {tour: [mri6]}": NONE,
    "tasks: {mri6: {sampler: {mcmc: {steps: 3}}}}": NONE,
    "priors: {blackhole: {joint: {p_joint: 0.5}}}": NONE,
}

LIBRARY_EDITS = {
    "ingest/simulate/anatomy.py": FROM_SIMULATION,
    "ingest/coils.py": FROM_INGEST,
    "prepare/cine.py": FROM_PREPARE,
    "training/objectives.py": FROM_TRAINING | of_methods(4) | {"reference": 1, "evaluate": 5},
    "physics/masks.py": FROM_MEASURE | {"plot_masks": 1},
    "sampling/mcmc.py": FROM_SAMPLE,
    "sampling/total_variation.py": {
        "reference": 4,
        "evaluate": 4,
        "tabulate": 1,
        "plot_comparison": 1,
        "plot_movie": 1,
    },
    # The comparison says the PSNR of what it shows.
    "evaluation/images.py": TABLE | {"plot_comparison": 1},
    "figures/losses.py": {"plot_losses": 4},
    "cli/describe.py": NONE,
}


@pytest.fixture(scope="module")
def plans(miniature) -> dict[str, dict[str, int]]:
    """The jobs planned after each edit of the configuration; two plans are made at a time."""
    overlays = [miniature.overlay(f"edit{number}", text) for number, text in enumerate(CONFIG_EDITS)]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda file: miniature.snakemake("-n", "all", overlays=(MINIATURE, file)), overlays))
    return {text: run.jobs for text, run in zip(CONFIG_EDITS, runs, strict=True)}


def planned(miniature) -> dict[str, int]:
    return miniature.snakemake("-n", "all", overlays=(MINIATURE,)).jobs


@pytest.mark.parametrize(("edit", "stale"), CONFIG_EDITS.items(), ids=CONFIG_EDITS)
def test_an_edited_value_makes_stale_what_depends_on_it(plans, edit, stale):
    assert plans[edit] == stale


@pytest.mark.parametrize(("module", "stale"), LIBRARY_EDITS.items(), ids=LIBRARY_EDITS)
def test_an_edited_function_makes_stale_the_stages_that_run_it(miniature, module, stale):
    with miniature.edited(f"{LIBRARY}/{module}", add_a_statement):
        assert planned(miniature) == stale


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


def test_the_order_of_the_methods_is_that_of_the_table(miniature):
    def rewrite(text: str) -> str:
        study = yaml.safe_load(text)
        study["methods"] = dict(reversed(study["methods"].items()))
        return yaml.safe_dump(study, sort_keys=False)

    with miniature.edited("config/config.yaml", rewrite):
        assert planned(miniature) == {"tabulate": 1} | {"plot_comparison": 1, "plot_movie": 1}
