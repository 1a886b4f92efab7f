"""Measure what a unit of work costs: from the times of a finished run, by stage and amount of work.

It is called in the folder of the run, whose jobs snakemake has noted the times of.
"""

import argparse
import logging
from pathlib import Path

from step.config.sections import Section
from step.config.study import Config

log = logging.getLogger(__name__)


class UnitCostsSettings(Section):
    """The whole study."""

    config: Config


Settings = UnitCostsSettings


def select(config: Config) -> UnitCostsSettings:
    """Return the whole study."""
    return UnitCostsSettings(config=config)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options and files of the stage."""
    parser.add_argument("--target", default="all", help="what of the study was made (default: all)")
    parser.add_argument("--machine", required=True, help="a short name of the kind of machine, such as cpu or h100")
    parser.add_argument("--source", required=True, help="the run in words: machine, cores, what else it did")
    parser.add_argument("--stages", nargs="+", help="take the times of these stages alone (default: of all)")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="CSV", help="the table; rows of other sources stay in it"
    )


def run(arguments: argparse.Namespace, settings: UnitCostsSettings) -> None:
    """Write the table; raises `InputError` where no job of the run has a time."""
    from step.errors import InputError
    from step.estimate.planning import plan
    from step.estimate.study import study_work
    from step.estimate.unit_costs import as_rows, measured_costs, read_unit_costs, with_all_runs
    from step.io.tables import write_table

    config = settings.config
    jobs = [with_all_runs(job, config) for job in plan(config, arguments.target)]
    if arguments.stages:
        jobs = [job for job in jobs if job.stage in arguments.stages]
    measured = measured_costs(jobs, study_work(config), arguments.machine, arguments.source)
    if not measured:
        raise InputError(f"no job of {config.results} has a time; make {arguments.target} in this folder first")
    there = read_unit_costs(arguments.output) if arguments.output.exists() else []
    kept = [cost for cost in there if (cost.machine, cost.source) != (arguments.machine, arguments.source)]
    write_table(arguments.output, as_rows([*kept, *measured]))
    log.info(
        "%d of %d jobs have a time; wrote %s", sum(job.seconds is not None for job in jobs), len(jobs), arguments.output
    )
