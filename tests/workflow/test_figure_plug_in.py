"""A figure that the project does not know: one module, named in the configuration, and nothing else."""

import numpy as np
import pytest
from project_copy import copy_of_project

pytestmark = pytest.mark.plan

MINIATURE = "config/miniature.yaml"
MODULE = """
'''How much moves from frame to frame.'''

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from step.config.views import ViewSettings, view_of_task
from step.figures import style
from step.io.truths import read_truth
from step.physics.display import to_unit_range
from step.products import Numbers, Pictures, Truths

CAPTION = Path(__file__).with_suffix(".rst")
Settings = ViewSettings
select = view_of_task


@dataclass(frozen=True)
class Files:
    truths: Truths
    output: Pictures
    data: Numbers


def plot(files, settings):
    energies = {}
    for path in files.truths:
        truth = read_truth(path, path.stem)
        energies[path.stem] = (np.diff(to_unit_range(truth, truth, settings.display), axis=0) ** 2).sum(axis=(1, 2))
    with style.styled():
        figure = style.new_figure(figsize=(3, 2))
        figure.subplots().plot(np.stack(list(energies.values())).T)
    style.save_figure(figure, files.output)
    np.savez(files.data, **energies)
"""
ENTRY = "figures: {plug_ins: [my_lab.motion_energy]}\n"
TARGET = "results/miniature/mri8/figures/motion_energy"


@pytest.fixture(scope="module")
def plotted(tmp_path_factory):
    """Return a copy of the project in which the figure was plotted, from nothing, and the overlay that names it."""
    copy = copy_of_project(tmp_path_factory.mktemp("plug_in"))
    (copy.folder / "my_lab").mkdir()
    (copy.folder / "my_lab/motion_energy.py").write_text(MODULE)
    (copy.folder / "my_lab/motion_energy.rst").write_text("What moves.")
    entry = copy.overlay("motion_energy", ENTRY)
    run = copy.snakemake(f"{TARGET}.png", overlays=(MINIATURE, entry))
    assert run.status == 0, run.stdout + run.stderr
    assert run.jobs["plot_motion_energy"] == 1
    return copy, entry


def test_a_figure_of_your_own_is_plotted_from_the_files_that_it_asks_for(plotted):
    copy, _ = plotted
    for suffix in (".png", ".pdf"):
        assert (copy.folder / f"{TARGET}{suffix}").stat().st_size > 1000
    energies = np.load(copy.folder / f"{TARGET}.npz")
    truths = sorted(file.stem for file in (copy.folder / "results/miniature/mri8/truths").glob("*.h5"))
    assert sorted(energies) == truths
    assert all(energy.sum() > 0 for energy in energies.values())


def test_an_edit_of_it_makes_it_stale_and_nothing_else(plotted):
    copy, entry = plotted
    targets = [f"{TARGET}.png", "results/miniature/mri8/measurements"]
    assert copy.snakemake("-n", *targets, overlays=(MINIATURE, entry)).jobs == {}
    with copy.edited("my_lab/motion_energy.py", lambda text: text.replace("** 2", "** 4")):
        assert copy.snakemake("-n", *targets, overlays=(MINIATURE, entry)).jobs == {"plot_motion_energy": 1}
    with copy.edited("workflow/step/figures/losses.py", lambda text: text.replace("alpha=0.3", "alpha=0.4")):
        assert copy.snakemake("-n", *targets, overlays=(MINIATURE, entry)).jobs == {}


def test_it_is_among_the_results_of_every_task(plotted):
    copy, entry = plotted
    jobs = copy.snakemake("-n", "-F", "all", overlays=(MINIATURE, entry)).jobs
    assert jobs["plot_motion_energy"] == 2


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda text: text.replace("truths: Truths", "optical_flows: Truths"),
            "my_lab.motion_energy asks for 'optical_flows'",
        ),
        (lambda text: text.replace("def plot", "def paint"), "my_lab.motion_energy has no plot, so that plot cannot"),
        (lambda text: text.replace("Settings = ", "Values = "), "my_lab.motion_energy has no Settings"),
    ],
)
def test_a_module_that_is_no_figure_is_refused_in_one_line(plotted, edit, says):
    copy, entry = plotted
    with copy.edited("my_lab/motion_energy.py", edit):
        run = copy.snakemake("-n", "-F", f"{TARGET}.png", overlays=(MINIATURE, entry))
    assert run.status != 0
    assert f"error: {says}" in run.stdout + run.stderr
