"""The shell commands of README and docs, and what runs each of them."""

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))

BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>.+?) -->\n)?(?P<indent> *)```(?:bash|sh|shell|console)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
COMMENT = re.compile(r"(?:^|\s)#\s.*$", re.MULTILINE)

CHECKS = ".ci/run"
HOSTED = ".github/workflows/ci.yml"
PLANS = "tests/test_documented_commands.py::test_the_workflow_plans_every_command_of_the_documentation"
PARSES = "tests/test_documented_commands.py::test_the_command_line_understands_every_command_of_the_documentation"
ENVIRONMENT = "tests/test_documented_commands.py::test_an_environment_is_made_and_activated"
INSTALLS = "tests/test_installed.py::test_the_command_describes_the_study_in_an_empty_folder"
DESCRIBES = "tests/test_description.py::test_the_text_says_which_million_it_means"
TOUR = "tests/workflow/test_tour.py::test_the_tour_ends_with_videos_pictures_and_a_table_of_finite_scores"
STUDY = "tests/workflow/test_graph.py::test_the_whole_study_runs_from_nothing"
PRIORS = "tests/workflow/test_pretrained.py::test_a_trained_prior_serves_another_study_from_a_folder_elsewhere"
OBSERVATIONS = (
    "tests/workflow/test_graph.py"
    "::test_measured_data_end_in_samples_chi_squares_pictures_and_the_formats_of_their_field"
)
TUNING = "tests/workflow/test_own_sampler.py::test_it_is_tuned_by_its_own_settings"
CLASSICAL = "tests/workflow/test_own_classical.py::test_it_is_tuned_without_a_prior"
FIGURES = "tests/workflow/test_graph.py::test_each_figure_of_the_paper_can_be_asked_for_alone"
WEIGHTS = "tests/workflow/test_graph.py::test_the_networks_of_others_can_be_fetched_ahead"
RESULTS = "tests/workflow/test_results_pages.py::test_a_study_fills_the_places_of_its_results_and_only_these"
BENCHMARK = "tests/cli/test_bench.py::test_the_table_and_the_picture_are_made_of_it"
VLBI = (
    "tests/physics/test_vlbi_cost.py::test_the_gradient_is_at_least_five_times_faster_than_by_the_matrix_and_the_same"
)
SLURM = "tests/workflow/test_slurm.py::test_the_results_are_those_of_a_run_without_slurm"

RUN_BY = {
    "python -m venv .venv": ENVIRONMENT,
    ". .venv/bin/activate": ENVIRONMENT,
    "pip install .": INSTALLS,
    'pip install ".[test]"': CHECKS,
    "pytest -m quick": HOSTED,
    "pytest -s -m long tests/physics/test_vlbi_cost.py": VLBI,
    "ruff check .": CHECKS,
    "ruff format --check .": CHECKS,
    "mypy": CHECKS,
    "snakefmt --check Snakefile workflow": CHECKS,
    "snakemake --lint --configfile config/demo.yaml": CHECKS,
    "mkdocs build --strict": CHECKS,
    "export PYTHONPATH=workflow": DESCRIBES,
    "PYTHONPATH=workflow python -m step describe": DESCRIBES,
    "PYTHONPATH=workflow python -m step describe --costs --config config/demo.yaml --target tour": PARSES,
    "PYTHONPATH=workflow python -m step describe --costs --machine h200 --slots 20 --gpus 8": PARSES,
    "python -m step --help": PARSES,
    "python -m step sample --help": PARSES,
    "python -m step sample --config config/demo.yaml --task mri8 --method step_joint"
    " --autoencoder results/demo/mri/priors/autoencoder --denoiser results/demo/mri/priors/joint"
    " --measurements results/demo/mri8/measurements/video000.h5 --samples 0 4 --output four.h5": PARSES,
    "snakemake --profile demo": TOUR,
    "snakemake --profile demo all": STUDY,
    "snakemake --profile demo posteriors": STUDY,
    "snakemake --profile demo ablations": STUDY,
    "snakemake --profile demo tuning": TUNING,
    "snakemake --profile demo results/demo/mri8/tuning/representation.yaml": TUNING,
    "snakemake --profile demo results/demo/mri8/tuning/low_rank_sparse/tuned.yaml": CLASSICAL,
    "snakemake --profile demo benchmark": BENCHMARK,
    "snakemake --profile demo figure5": FIGURES,
    "snakemake --profile demo results_pages": RESULTS,
    "snakemake --profile demo --configfile config/demo.yaml config/train_demo.yaml -- priors": PRIORS,
    "snakemake --profile demo --configfile config/demo.yaml config/sgra_2017.yaml -- observations": OBSERVATIONS,
    "snakemake --profile demo --configfile config/demo.yaml my_scan.yaml -- observations": OBSERVATIONS,
    "snakemake --profile demo --configfile config/demo.yaml config/cine_archive.yaml": PLANS,
    "snakemake --profile demo --configfile config/demo.yaml config/eht_imaging.yaml -- tour": PLANS,
    "snakemake --profile demo --configfile config/demo.yaml config/acdc.yaml": PLANS,
    "snakemake --profile demo --configfile config/demo.yaml config/ocmr.yaml": PLANS,
    "snakemake --profile demo --configfile config/demo.yaml config/cine_archive.yaml config/train_cine.yaml": PLANS,
    "snakemake --profile demo --configfile config/demo.yaml results/demo/blackhole/tuning/tuned.yaml -- all": PLANS,
    "snakemake -n tour --profile demo": PLANS,
    "snakemake -n --configfile mine.yaml --cores 8 results/mri8/metrics.csv": PLANS,
    "snakemake --cores 1 weights": WEIGHTS,
    "snakemake --cores 1 --forcerun fetch_weights -- weights": WEIGHTS,
    "snakemake --profile slurm --configfile mine.yaml -n all": PLANS,
    "snakemake --profile slurm --configfile config/demo.yaml -- tour": SLURM,
}
"""What runs each command, or the same with a smaller study: a test, or a file of checks that has its words.

All of Snakemake are planned besides, as they stand.
"""


@dataclass(frozen=True)
class Command:
    """One command of a page."""

    text: str
    page: str
    why_not: str | None  # why nothing runs it


def commands_of(text: str, page: str) -> list[Command]:
    """Return the commands of the shell blocks in a page's `text`, in their order."""
    found = []
    for block in BLOCK.finditer(text):
        lines = COMMENT.sub("", re.sub(r"\\\n", " ", block["text"])).splitlines()
        commands = [" ".join(one.split()) for line in lines for one in line.split("&&")]
        found += [Command(one, page, block["why"]) for one in commands if one]
    return found


def documented_commands() -> list[Command]:
    """Return the commands of README and docs."""
    return [one for page in PAGES for one in commands_of(page.read_text(), page.relative_to(PROJECT).as_posix())]


def commands_to_run() -> list[str]:
    """Return the commands that are not marked, each once."""
    return list(dict.fromkeys(one.text for one in documented_commands() if one.why_not is None))


def unknown(commands: list[Command]) -> list[str]:
    """Return "PAGE: COMMAND" for what is neither run by something nor marked."""
    return [f"{one.page}: {one.text}" for one in commands if one.why_not is None and one.text not in RUN_BY]
