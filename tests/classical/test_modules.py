"""A classical reconstruction is found by its name, checked, and given what it needs."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from own_classical import MODULE
from step.classical.modules import build_classical, files_of_reference, open_classical
from step.config.classical import OURS
from step.config.sections import AnySettings
from step.config.study import Config, load_config
from step.errors import InputError
from step.plugins import LIBRARY
from step.references import reference_settings

NAME = "my_lab.brighter"
ROW = "my_lab.brighter: {brightness: 0.5, unit: unit.txt}"


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Path:
    """Return a folder with the package of a lab, which Python finds, and with the file that its settings name."""
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab/__init__.py").touch()
    (tmp_path / "my_lab/brighter.py").write_text(MODULE)
    (tmp_path / "my_lab/empty.py").write_text("class Settings: ...\n")
    (tmp_path / "unit.txt").write_text("4")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "my_lab"]:
        del sys.modules[name]


def study(folder: Path, row: str = ROW) -> Config:
    """Return the paper's study with a row of the lab's."""
    overlay = f"tasks: {{mri8: {{classical: {{{row}}}, references: [zero_filled, {NAME}, static]}}}}"
    (folder / "overlay.yaml").write_text(overlay)
    return load_config(folder / "overlay.yaml")


class Bright:
    """An instrument whose picture of the data is 1 everywhere."""

    def backprojection(self, measurement):
        return torch.ones(1, 2, 1, 3, 3)


@pytest.mark.parametrize("name", OURS)
def test_the_configuration_knows_the_settings_of_the_library_s_modules(name):
    assert importlib.import_module(f"step.classical.{name}").Settings is OURS[name]


def test_every_module_of_the_library_that_reconstructs_is_known_to_the_configuration():
    modules = Path(LIBRARY / "classical").glob("*.py")
    assert {path.stem for path in modules if "\ndef reconstruct(" in path.read_text()} == set(OURS)


def test_one_from_elsewhere_is_called_with_its_own_settings(lab):
    settings = reference_settings(study(lab), "mri8", NAME)
    assert settings.modules == ["step.physics.mri", NAME]
    video = build_classical(NAME, settings.classical)(Bright(), {})
    assert torch.equal(video, torch.full((1, 2, 1, 3, 3), 2.0))


def test_a_file_that_its_settings_name_is_an_input_and_ours_name_none(lab):
    config = study(lab)
    assert files_of_reference(config, "mri8", NAME) == [Path("unit.txt")]
    for name in ("zero_filled", "static", "total_variation"):
        assert files_of_reference(config, "mri8", name) == []


def test_values_that_it_does_not_take_are_one_line(lab):
    config = study(lab, ROW.replace("0.5", "-1"))
    with pytest.raises(InputError, match=r"settings of my_lab\.brighter: brightness: Input should be greater than 0"):
        files_of_reference(config, "mri8", NAME)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_lab.empty", r"my_lab\.empty has no reconstruct, so that it is no classical reconstruction"),
        ("my_lab.absent", r"there is no module step\.classical\.my_lab\.absent and none called my_lab\.absent"),
        ("likelihood", r"step\.classical\.likelihood has no Settings"),
    ],
)
def test_what_is_no_classical_reconstruction_is_one_line(lab, name, message):
    with pytest.raises(InputError, match=message):
        open_classical(name, AnySettings())


def test_a_video_that_is_not_finite_is_refused(lab):
    (lab / "unit.txt").write_text("nan")
    reconstruct = build_classical(NAME, AnySettings(brightness=1.0, unit="unit.txt"))
    with pytest.raises(FloatingPointError, match=r"the video by my_lab\.brighter is not finite"):
        reconstruct(Bright(), {})
