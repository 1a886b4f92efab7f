"""When a training goes on from a state, and when it starts anew."""

from types import SimpleNamespace

import pytest
from step.cli import train
from step.config.priors import ChosenDenoiser
from step.config.study import load_config

MODULE = """
from pathlib import Path

from step.config.sections import Section


class Settings(Section):
    taps: Path


Network = object


def build(settings, latent_channels, temporal):
    pass


def inflate(image_network):
    pass
"""


@pytest.mark.slow
def test_another_content_of_a_file_that_the_denoisers_settings_name_starts_anew(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "filters_of_mine.py").write_text(MODULE)
    taps, index = tmp_path / "taps.csv", tmp_path / "index.csv"
    index.write_text("no videos\n")
    chosen = ChosenDenoiser(architecture="filters_of_mine", values={"taps": str(taps)})
    settings = train.select(load_config(), "mri", "image").model_copy(update={"denoiser": chosen})
    arguments = SimpleNamespace(index=index, autoencoder=None, initial=None)

    def key() -> str:
        return train._run_key(arguments, settings, SimpleNamespace(records=[]))

    taps.write_text("1\n")
    first = key()
    assert key() == first
    taps.write_text("2\n")
    assert key() != first
