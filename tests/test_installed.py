"""An installed copy works from any folder: as a command, and as a library with the study's configuration."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from step.plugins import LIBRARY
from tiny_priors import write_tiny_prior

PROJECT = LIBRARY.parents[1]
DOMAINS = ("mri", "blackhole")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The binaries of an environment with the package, and what it needs from this one."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    for name in ("workflow/step", "config", "resources"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for domain in set(DOMAINS) - {prior.name for prior in (PROJECT / "resources/priors").glob("*")}:
        write_tiny_prior(folder / domain, domain)
        shutil.copytree(folder / domain / "prior", source / "resources/priors" / domain)
    venv.create(folder / "venv", with_pip=True)
    [packages] = (folder / "venv/lib").glob("python*/site-packages")
    # A path of its own there does not bring an editable install of the project with it.
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "others.pth").write_text("\n".join(others))
    subprocess.run(
        [folder / "venv/bin/python", "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", source],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(others)},  # its setuptools, not those of the new environment
    )
    return folder / "venv/bin"


def output_of(command: list[str | Path], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    job = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert job.returncode == 0, job.stderr
    return job.stdout


def test_the_command_describes_the_study_in_an_empty_folder(installed, tmp_path):
    text = output_of([installed / "step", "describe"], tmp_path)
    assert "domain blackhole\n  video_shape: 64 x 1 x 256 x 256" in text


def test_the_library_finds_the_configuration_and_the_files_that_it_names(installed, tmp_path):
    program = (
        "import step; from step.config.study import load_config; print(step.__file__);"
        "print(load_config().tasks['blackhole'].measurement.array.read_text().count('ALMA') > 0);"
        "print(step.daps([], 'mri8').settings.annealing.levels)"
    )
    home, has_stations, levels = output_of([installed / "python", "-c", program], tmp_path).split()
    assert Path(home).is_relative_to(installed.parent)
    assert (has_stations, levels) == ("True", "20")


def test_the_library_finds_the_priors_that_are_shipped(installed, tmp_path):
    program = (
        "import step; from step.config.study import own_path; from step.io.prior_folders import verify_prior;"
        "from pathlib import Path;"
        f"folders = [own_path('resources/priors/' + domain) for domain in {DOMAINS}];"
        "[verify_prior(Path(folder)) for folder in folders];"
        f"print(*folders, *(step.load_prior('resources/priors/' + domain).facts.domain for domain in {DOMAINS}))"
    )
    *folders, one, other = output_of([installed / "python", "-c", program], tmp_path).split()
    assert all(Path(folder).is_relative_to(installed.parent) for folder in folders)
    assert (one, other) == DOMAINS
