"""Say what a study will compute: shapes, training data, network sizes, evaluations per sample, jobs.

Of data it reads the index alone, if the split has written it.

Without --config it is the study of config/config.yaml.
"""

import argparse
import json
from pathlib import Path

from step.config.keys import DEMO_CONFIG, keys_as_markdown
from step.config.schema import configuration_schema
from step.config.sections import Section
from step.config.study import BASE_CONFIG, Config, load_config
from step.description import as_text, describe


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
    parser.set_defaults(config=[BASE_CONFIG])


def run(arguments: argparse.Namespace, settings: DescriptionSettings) -> None:
    """Print the description, the keys or the schema."""
    if arguments.schema:
        print(json.dumps(configuration_schema(), indent=2))
        return
    if arguments.keys:
        print(keys_as_markdown(load_config(), {arguments.keys.name: load_config(arguments.keys)}), end="")
        return
    description = describe(settings.config)
    print(json.dumps(description, indent=2) if arguments.json else as_text(description))
