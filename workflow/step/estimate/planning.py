"""Ask snakemake for the jobs of a study, and say at the end of a dry run what they take."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from step.config.study import Config
from step.errors import InputError
from step.estimate.graph import Job, planned_jobs, read_graph, write_graph
from step.estimate.study import estimate_study, in_one_line
from step.estimate.unit_costs import PROCESSOR, UNIT_COSTS, Machine, UnitCost, read_unit_costs
from step.plugins import LIBRARY

GRAPH = "STEP_GRAPH"
"""Names, in the environment of a dry run, the file that all jobs are to be written to."""

SNAKEFILE = LIBRARY.parents[1] / "Snakefile"


def plan(config: Config, target: str) -> list[Job]:
    """Return all jobs that snakemake plans to make `target` of the study `config` from nothing.

    Those that have run say when. Raises `InputError` where it cannot plan them.
    """
    if not SNAKEFILE.is_file():
        raise InputError(f"there is no {SNAKEFILE}: estimate from a clone of the project, which has the workflow")
    with tempfile.TemporaryDirectory() as folder:
        study, graph = Path(folder, "study.yaml"), Path(folder, "graph.json")
        study.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--configfile", str(study)]
        command += ["--dry-run", "--forceall", "--nolock", "--cores", "1", "--quiet", "all"]
        command += ["--workflow-profile", "none", "--rerun-triggers", "mtime", "--", target]
        environment = {name: value for name, value in os.environ.items() if name != "SNAKEMAKE_PROFILE"}
        run = subprocess.run(command, capture_output=True, text=True, env=environment | {GRAPH: str(graph)})
        if run.returncode or not graph.is_file():
            raise InputError(f"snakemake cannot plan {target}: {_last_error(run.stderr + run.stdout)}")
        return read_graph(graph)


def say_what_it_takes(workflow: Any, config: Config, environment: Mapping[str, str] = os.environ) -> None:
    """Print what the jobs of a dry run of `workflow` take, as one line; or write all to the file that GRAPH names."""
    dag = getattr(workflow, "_dag", None)
    if dag is None or not workflow.dryrun:
        return
    if GRAPH in environment:
        write_graph(Path(environment[GRAPH]), planned_jobs(dag, all_of_them=True))
        return
    jobs = planned_jobs(dag)
    if not any(job.stage for job in jobs):
        return
    try:
        costs = read_unit_costs(UNIT_COSTS)
        name, slots = machine_of_run(workflow, costs)
        print(in_one_line(estimate_study(config, jobs, Machine(name, costs), slots)), file=sys.stderr)
    except InputError as error:
        print(f"no estimate: {error}", file=sys.stderr)


def machine_of_run(workflow: Any, costs: Sequence[UnitCost]) -> tuple[str, int]:
    """Return the kind of machine that a run of `workflow` is taken to use, and how many of its jobs run at once.

    A cluster, and a machine with a GPU, are taken for the GPU that was measured.
    """
    cores, nodes = workflow.resource_settings.cores, workflow.resource_settings.nodes
    slots = (cores if workflow.local_exec or workflow.executor_plugin.common_settings.dryrun_exec else nodes) or nodes
    gpus = [cost.machine for cost in costs if cost.machine != PROCESSOR]
    on_gpu = gpus and (slots == nodes or shutil.which("nvidia-smi"))
    return gpus[0] if on_gpu else PROCESSOR, slots or 1


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (named or lines or ["no reason given"])[-1]
