"""Another workflow uses this one as a module: with its own configuration, in its own folder."""

import os
import shlex
from pathlib import Path

import pytest
import yaml
from project_copy import MINIATURE, ONE_THREAD, PROJECT, Copy
from step.io.reconstructions import read_reconstructions

RESULTS = "results/miniature"
ZERO_FILLED = f"{RESULTS}/mri8/references/zero_filled.h5"
IMPORT = f"""
module step:
    snakefile: "{PROJECT}/Snakefile"
    config: config["step"]


use rule * from step as step_*
"""
WORKFLOW = f"""
import os
import signal
import sys

heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))


configfile: "importing.yaml"


rule sizes:
    input:
        "sizes.txt",

{IMPORT}
os.kill(os.getpid(), signal.SIGUSR1)
print("signals heard:", len(heard), file=sys.stderr)
print("search path:", os.environ["PYTHONPATH"], file=sys.stderr)


rule measure_sizes:
    input:
        "{ZERO_FILLED}",
    output:
        "sizes.txt",
    shell:
        "wc -c {{input}} > {{output}}"
"""


@pytest.fixture
def importing(tmp_path) -> Copy:
    """A folder with a workflow that imports this one, and hands it the miniature, which is overlaid on nothing."""
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    write_config(tmp_path, {"step": yaml.safe_load(MINIATURE.read_text())})
    return Copy(tmp_path)


def write_config(folder: Path, values: dict) -> None:
    (folder / "importing.yaml").write_text(yaml.safe_dump(values))


def test_an_importing_workflow_reconstructs_with_its_own_configuration_in_its_own_folder(importing):
    run = importing.snakemake()
    data = ["step_simulate_mri", "step_ingest", "step_prepare", "step_split", "step_measure", "step_reference"]
    # The importing workflow's own first rule is what runs unless something else is asked for.
    assert run.jobs == dict.fromkeys([*data, "measure_sizes", "sizes"], 1)
    reconstructions = read_reconstructions([importing.folder / ZERO_FILLED])
    assert [one.samples.shape for one in reconstructions.values()] == [(1, 4, 2, 16, 16)] * 2
    size, name = (importing.folder / "sizes.txt").read_text().split()
    assert (int(size), name) == ((importing.folder / ZERO_FILLED).stat().st_size, ZERO_FILLED)


@pytest.mark.quick
def test_the_project_s_own_files_are_its_own_and_all_others_those_of_the_importing_workflow(importing):
    targets = [f"{RESULTS}/{name}" for name in ("tables/table1.csv", "tables/table2.csv", "tour.html")]
    run = importing.snakemake("-n", "-p", *targets)
    assert run.status == 0, run.stdout + run.stderr
    inputs = {
        file.strip()
        for line in run.stdout.splitlines()
        if line.startswith("    input: ")
        for file in line.removeprefix("    input: ").split(",")
    }
    own = ["eht2017", "paper_settings", "paper_tables", "weights"]
    assert {name for name in inputs if os.path.isabs(name)} == {f"{PROJECT}/resources/{name}.csv" for name in own}
    assert {name.split("/")[0] for name in inputs if not os.path.isabs(name)} == {"results"}
    [report] = [shlex.split(line) for line in run.stdout.splitlines() if "snakemake --nolock" in line]
    assert report[report.index("--snakefile") + 1] == f"{PROJECT}/Snakefile"


def test_two_imports_have_a_configuration_each_and_leave_the_importing_workflow_as_it_is(importing):
    """Its answer to a signal stays; to its search path the library is added once."""
    importing.folder.joinpath("Snakefile").write_text(WORKFLOW + IMPORT.replace("step", "smaller"))
    values, smaller = (yaml.safe_load(MINIATURE.read_text()) for _ in range(2))
    smaller["results"] = "results/smaller"
    smaller["data"]["mri"] |= {"root": "results/smaller/raw", "subjects_per_job": 3}
    smaller["data"]["blackhole"]["root"] = "results/smaller/black_holes"
    write_config(importing.folder, {"step": values, "smaller": smaller})
    run = importing.snakemake("-n", *(f"{values['results']}/mri/index.csv" for values in (values, smaller)))
    assert (run.jobs["step_prepare"], run.jobs["smaller_prepare"]) == (1, 2)
    assert "signals heard: 1" in run.stderr
    [path] = [line.removeprefix("search path: ") for line in run.stderr.splitlines() if line.startswith("search path")]
    assert path == str(PROJECT / "workflow")


def test_a_bad_value_that_is_handed_over_is_one_line(importing):
    write_config(importing.folder, {"step": {"priors": {"mri": {"joint": {"p_joint": 1.5}}}}})
    run = importing.snakemake("-n")
    assert run.status == 1
    [line] = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert [part for part in ("priors.mri.joint.p_joint", "1.5", "importing.yaml") if part not in line] == []


def test_a_module_that_is_handed_nothing_is_the_study_of_the_paper(importing):
    importing.folder.joinpath("Snakefile").write_text(IMPORT.replace('    config: config["step"]\n', ""))
    run = importing.snakemake("-n", "results/mri8/metrics.csv")
    assert run.status == 1
    assert "error: no folder data/cmrxrecon" in run.stderr


@pytest.mark.slow
def test_the_workflow_runs_in_any_folder(tmp_path):
    target = f"{RESULTS}/blackhole/metrics.csv"
    run = Copy(tmp_path).snakemake("--snakefile", PROJECT / "Snakefile", "-n", target, overlays=(MINIATURE,))
    assert run.jobs["measure"] == 1


@pytest.mark.study
def test_an_importing_workflow_makes_the_tour_and_its_report(importing):
    threads = [word if word.startswith("--") else f"step_{word}" for word in ONE_THREAD]
    run = importing.snakemake(f"{RESULTS}/tour.html", *threads)
    assert run.status == 0, run.stdout + run.stderr
    assert "mri8" in (importing.folder / RESULTS / "tour.html").read_text()
