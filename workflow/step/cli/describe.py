"""Say what a study will compute: shapes, training data, network sizes, evaluations per sample, jobs; and what it costs.

Of data it reads the index alone, if the split has written it.

Without --config it is the study of config/config.yaml.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from step.config.keys import DEMO_CONFIG, keys_as_markdown
from step.config.schema import configuration_schema
from step.config.sections import Section
from step.config.study import BASE_CONFIG, Config, load_config
from step.description import as_text, describe
from step.errors import InputError


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
    parser.set_defaults(config=[BASE_CONFIG])


def run(arguments: argparse.Namespace, settings: DescriptionSettings) -> None:
    """Print the description, the keys or the schema."""
    if arguments.schema:
        print(json.dumps(configuration_schema(), indent=2))
        return
    if arguments.keys:
        print(keys_as_markdown(load_config(), {arguments.keys.name: load_config(arguments.keys)}), end="")
        return
    if arguments.costs:
        _print_costs(arguments, settings.config)
        return
    description = describe(settings.config)
    print(json.dumps(description, indent=2) if arguments.json else as_text(description))


def _print_costs(arguments: argparse.Namespace, config: Config) -> None:
    """Print what making the target takes; raises `InputError` where it cannot be planned."""
    from step.estimate.planning import plan
    from step.estimate.space import space_gb
    from step.estimate.study import as_lines, estimate_study, study_work, without_missing_data
    from step.estimate.unit_costs import Machine, read_unit_costs

    if min(arguments.slots, arguments.gpus or 1) < 1:
        raise InputError(f"--slots {arguments.slots} --gpus {arguments.gpus}: give at least one of each")
    machine = Machine(arguments.machine, read_unit_costs())
    config, missing = without_missing_data(config)
    jobs = plan(config, arguments.target)
    estimate = estimate_study(config, jobs, machine, arguments.slots, arguments.gpus)
    parameters = {domain: of["parameters"] for domain, of in describe(config)["domains"].items()}
    space = space_gb(config, jobs, study_work(config), parameters)
    if arguments.json:
        facts = dataclasses.asdict(estimate) | {"space_gb": space, "simulated_in_place_of_missing_data": missing}
        print(json.dumps(facts, indent=2))
        return
    lines = [f"{arguments.target} of {config.results} on {machine.name}", *as_lines(estimate)]
    lines.append(f"space: {sum(space.values()):.3g} GB: {', '.join(f'{name} {gb:.2g}' for name, gb in space.items())}")
    lines.append("  and raw data, which the archive says the size of")
    lines += [f"data.{domain}.root is not there: counted with simulated subjects in its place" for domain in missing]
    print("\n".join(lines))
