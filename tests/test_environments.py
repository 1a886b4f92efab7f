"""The conda file and the container recipe ask for the versions that the package asks for."""

import re
import tomllib

import pytest
import yaml
from packaging.utils import canonicalize_name
from packaging.version import Version
from step.config.study import BASE_CONFIG

ROOT = BASE_CONFIG.parents[1]
CONDA_NAMES = {
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",
    "astropy-base": "astropy",
    "snakemake-minimal": "snakemake",
}


def bounds(requirements: list[str]) -> dict[str, str]:
    pairs = (re.fullmatch(r"([\w-]+)>=([\d.]+)", text).groups() for text in requirements)
    return {CONDA_NAMES.get(name, name): bound for name, bound in pairs}


def test_the_conda_file_has_the_bounds_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    *conda, from_pip = yaml.safe_load((ROOT / "envs/step.yaml").read_text())["dependencies"]
    wanted = {"python": project["requires-python"].removeprefix(">="), **bounds(project["dependencies"])}
    assert bounds([*(text for text in conda if text != "pip"), *from_pip["pip"]]) == wanted


def test_what_snakemake_needs_for_a_report_comes_with_the_package():
    """It asks for it only when the report is made, after everything else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "pygments" in bounds(project["dependencies"])


@pytest.mark.parametrize("recipe", ["Dockerfile", "step.def"])
def test_a_container_has_the_python_of_the_package_and_the_locked_versions(recipe):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "envs" / recipe).read_text()
    (python,) = re.findall(r"^(?:From:|FROM) python:([\d.]+)-slim$", text, re.MULTILINE)
    assert python == project["requires-python"].removeprefix(">=")
    assert "-r /opt/step/step.lock.txt" in text


def test_the_locked_versions_are_within_the_bounds_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "envs/step.lock.txt").read_text().splitlines()
    pairs = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines if not line.startswith("#")]
    locked = {canonicalize_name(name): version for name, version in pairs}
    for name, bound in bounds(project["dependencies"] + project["optional-dependencies"]["slurm"]).items():
        assert Version(locked[canonicalize_name(name)]) >= Version(bound), name


def test_the_workflow_runs_in_the_image_that_the_recipe_makes():
    (image,) = re.findall(r'^container: own\("(.*)"\)$', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    assert f"apptainer build {image} envs/step.def" in (ROOT / "envs/step.def").read_text()


def test_the_workflow_and_the_package_ask_for_the_same_snakemake():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = re.findall(r'min_version\("([\d.]+)"\)', (ROOT / "Snakefile").read_text())
    assert wanted == bounds(project["dependencies"])["snakemake"]
