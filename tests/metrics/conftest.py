"""The real weights of the learned metrics, fetched once; tests that need them are skipped where there are none."""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from step.cli import fetch_weights
from step.config.study import load_config
from step.io.learned_weights import LearnedWeights, read_learned_weights

CHECKSUMS = Path(__file__).parents[2] / "resources" / "weights.csv"


@pytest.fixture(scope="session")
def learned_weights(tmp_path_factory) -> Callable[[str], LearnedWeights]:
    """Return the weights of a network by its name."""
    folder = tmp_path_factory.mktemp("weights")

    @cache
    def fetched(network: str) -> LearnedWeights:
        arguments = argparse.Namespace(checksums=CHECKSUMS, output=folder / f"{network}.safetensors")
        fetch_weights.run(arguments, fetch_weights.select(load_config(), network))
        return read_learned_weights(arguments.output, network, CHECKSUMS)

    def available(network: str) -> LearnedWeights:
        weights = fetched(network)
        if weights.missing:
            pytest.skip(weights.missing)
        return weights

    return available
