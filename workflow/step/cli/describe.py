"""Say what a study will compute: shapes, training data, network sizes, evaluations per sample, jobs; and what it costs.

Of data it reads the index alone, if the split has written it.

Without --config it is the study of config/config.yaml.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.keys import DEMO_CONFIG, keys_as_markdown
from step.config.schema import configuration_schema
from step.config.sections import Section
from step.config.study import BASE_CONFIG, Config, load_config
from step.description import as_text, describe
from step.errors import InputError

if TYPE_CHECKING:
    from step.estimate.study import StudyEstimate
    from step.estimate.unit_costs import Machine


class DescriptionSettings(Section):
    """The whole study."""

    config: Config


Settings = DescriptionSettings


def select(config: Config) -> DescriptionSettings:
    """Return the whole study."""
    return DescriptionSettings(config=config)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options to `parser`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--keys",
        type=Path,
        nargs="?",
        const=DEMO_CONFIG,
        metavar="FILE",
        help="print instead, as Markdown, every key of the configuration with its values in "
        "config/config.yaml and, where they differ, in FILE (default: config/demo.yaml)",
    )
    parser.add_argument(
        "--schema", action="store_true", help="print instead the JSON schema of a configuration file, for editors"
    )
    costs = parser.add_argument_group("what it costs", "hours by stage, space, and the time to the end")
    costs.add_argument("--costs", action="store_true", help="print these instead, of all jobs from nothing")
    costs.add_argument("--target", default="all", help="what of the study is made (default: all)")
    costs.add_argument("--machine", default="cpu", help="the kind of machine: cpu (default), or a GPU such as h200")
    costs.add_argument("--slots", type=int, default=2, metavar="N", help="jobs that run at once (default: 2)")
    costs.add_argument("--gpus", type=int, metavar="N", help="those of them that a GPU is there for (default: all)")
    costs.add_argument("--progress", action="store_true", help="print how far the last run is, and write its page anew")
    costs.add_argument("--costs-page", type=Path, metavar="MD", help="write the tables of the page of costs instead")
    parser.set_defaults(config=[BASE_CONFIG])


def run(arguments: argparse.Namespace, settings: DescriptionSettings) -> None:
    """Print the description, or what the options ask for in its place."""
    if arguments.schema:
        print(json.dumps(configuration_schema(), indent=2))
        return
    if arguments.keys:
        print(keys_as_markdown(load_config(), {arguments.keys.name: load_config(arguments.keys)}), end="")
        return
    if arguments.costs_page:
        _write_page(arguments.costs_page)
        return
    if arguments.progress:
        _print_progress(settings.config)
        return
    if arguments.costs:
        _print_costs(arguments, settings.config)
        return
    description = describe(settings.config)
    print(json.dumps(description, indent=2) if arguments.json else as_text(description))


def _print_costs(arguments: argparse.Namespace, config: Config) -> None:
    """Print what making the target takes; raises `InputError` where it cannot be planned."""
    from step.estimate.study import as_lines, without_missing_data
    from step.estimate.unit_costs import Machine, read_unit_costs

    if min(arguments.slots, arguments.gpus or 1) < 1:
        raise InputError(f"--slots {arguments.slots} --gpus {arguments.gpus}: give at least one of each")
    machine = Machine(arguments.machine, read_unit_costs())
    config, missing = without_missing_data(config)
    estimate, space = _estimated(config, arguments.target, machine, arguments.slots, arguments.gpus)
    if arguments.json:
        facts = dataclasses.asdict(estimate) | {"space_gb": space, "simulated_in_place_of_missing_data": missing}
        print(json.dumps(facts, indent=2))
        return
    lines = [f"{arguments.target} of {config.results} on {machine.name}", *as_lines(estimate)]
    lines.append(f"space: {sum(space.values()):.3g} GB: {', '.join(f'{name} {gb:.2g}' for name, gb in space.items())}")
    lines.append("  and raw data, which the archive says the size of")
    lines += [f"data.{domain}.root is not there: counted with simulated subjects in its place" for domain in missing]
    print("\n".join(lines))


def _print_progress(config: Config) -> None:
    """Print how far the last run of the study is, and write its page; raises `InputError` where there was no run."""
    from step.estimate.following import write_progress_page
    from step.estimate.progress_page import as_lines

    progress, page = write_progress_page(config)
    print("\n".join([*as_lines(progress), f"wrote {page}"]))


def _estimated(
    config: Config, target: str, machine: "Machine", slots: int, gpus: int | None
) -> tuple["StudyEstimate", dict[str, float]]:
    """Return what making `target` takes, and gigabytes by kind; raises `InputError` where it cannot be planned."""
    from step.estimate import planning
    from step.estimate.space import space_gb
    from step.estimate.study import estimate_study, study_work

    jobs = planning.plan(config, target)
    parameters = {domain: of["parameters"] for domain, of in describe(config)["domains"].items()}
    space = space_gb(config, jobs, study_work(config), parameters)
    return estimate_study(config, jobs, machine, slots, gpus), space


def _write_page(page: Path) -> None:
    """Write the tables of the page of costs, from the table of unit costs and the configurations of the project."""
    from step.estimate.page import EstimatedStudy, study_table, unit_table, write_into_page
    from step.estimate.study import without_missing_data
    from step.estimate.unit_costs import PROCESSOR, Machine, read_unit_costs

    costs, demo = read_unit_costs(), load_config(DEMO_CONFIG)
    paper, _ = without_missing_data(load_config())
    gpu = next(cost.machine for cost in costs if cost.machine != PROCESSOR)
    rows = [
        ("the demo's tour, shipped priors", demo, "tour", PROCESSOR, 2, None),
        ("the demo's `all`, shipped priors", demo, "all", PROCESSOR, 2, None),
        ("the paper's `all`, one GPU", paper, "all", gpu, 8, 1),
        ("the paper's `all`, eight GPUs", paper, "all", gpu, 20, 8),
    ]
    studies = []
    for words, config, target, name, slots, gpus in rows:
        estimate, space = _estimated(config, target, Machine(name, costs), slots, gpus)
        studies.append(EstimatedStudy(words, estimate, sum(space.values())))
    write_into_page(page, {"units": unit_table(costs), "studies": study_table(studies)})
