"""Every command that the workflow plans is one that the command line understands."""

import re
import shlex
from collections import Counter

import pytest
from step.__main__ import parse

MINIATURE = "config/miniature.yaml"
TARGETS = ("all", "observations", "posteriors", "ablations", "tuning", "benchmark", "results_pages")


@pytest.fixture(scope="module")
def commands(project_copy) -> list[list[str]]:
    """Return the words of all commands of the miniature, as a dry run prints them."""
    run = project_copy.snakemake("-n", "-F", "-p", *TARGETS, overlays=(MINIATURE,))
    assert run.status == 0, run.stdout + run.stderr
    return [shlex.split(line) for line in re.findall(r"^Shell command: python -m step (.*)$", run.stdout, re.M)]


def test_every_planned_command_has_the_options_of_its_stage(commands):
    counts = Counter(parse(words)[0].name for words in commands)
    figures = {name.removeprefix("plot ") for name in counts if name.startswith("plot ")}
    of_study = {"comparison", "movie", "methods", "deltas", "priors", "optical_flow", "losses", "generated", "masks"}
    assert {"coverage", "dirty", "calibration", "ablation", "modes", "samples", "uncertainty"} | of_study <= figures
    assert {"autoencoder", "observation", "tuning", "benchmark"} <= figures
    assert {"sample", "evaluate", "train"} < counts.keys()
