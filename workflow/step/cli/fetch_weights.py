"""Fetch the weights of a network that others trained, check them, and keep them as safetensors.

Where they cannot be obtained the file that is kept says why, and what needs them is left out. A file that is not
the known one is an error.
"""

import argparse
from pathlib import Path

from step.config.metrics import Network
from step.config.sections import Section
from step.config.study import Config


class WeightsSettings(Section):
    """What fetching uses of the configuration."""

    network: Network
    source: str | None  # a file, or `fetch`, or null


Settings = WeightsSettings


def select(config: Config, network: Network) -> WeightsSettings:
    """Return the part of `config` that fetching the weights of `network` uses."""
    source = getattr(config.weights, network)
    return WeightsSettings(network=network, source=None if source is None else str(source))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of the stage."""
    parser.add_argument("--checksums", required=True, type=Path, metavar="CSV", help="table of the known files")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the weights, safetensors")


def run(arguments: argparse.Namespace, settings: WeightsSettings) -> None:
    """Write the weights, or why there are none; raises `InputError` for a file that is not the known one."""
    from step.metrics.kept_weights import keep_weights

    keep_weights(settings.network, settings.source, arguments.checksums, arguments.output)
