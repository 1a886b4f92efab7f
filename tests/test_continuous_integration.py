"""The hosted checks are those of .ci/run, and the catalogue is told what is there."""

import re
import tomllib

import yaml
from step.config.study import BASE_CONFIG

ROOT = BASE_CONFIG.parents[1]


def hosted_commands(job: str) -> list[str]:
    """Return the shell commands of a job of the hosted checks."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    return [step["run"] for step in jobs[job]["steps"] if "run" in step]


def own_checks() -> list[str]:
    """Return the commands that .ci/run checks."""
    return re.findall(r"^check (.+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)


def test_the_style_is_checked_alike_here_and_there():
    assert hosted_commands("lint")[1:] == [command for command in own_checks() if not command.startswith("pytest")]


def test_every_set_of_tests_that_is_asked_for_is_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    commands = [*own_checks(), *hosted_commands("quick")]
    asked_for = {name for command in commands for name in re.findall(r"pytest -m (\w+)", command)}
    assert asked_for <= {marker.partition(":")[0] for marker in declared}
    assert "quick" in asked_for


def test_every_hosted_job_installs_what_the_tests_need():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert {hosted_commands(job)[0] for job in jobs} == {'pip install ".[test]"'}


def test_the_hosted_python_is_the_lowest_that_the_package_admits():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert re.findall(r'python-version: "(.*)"', text) == [project["requires-python"].removeprefix(">=")]


def test_the_catalogue_is_told_of_the_report_and_of_the_environments_that_are_there():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    environments = {"conda": "envs/step.yaml", "apptainer": "envs/step.def", "apptainer+conda": "none"}
    there = {name: (ROOT / file).is_file() for name, file in environments.items()}
    assert usage["software-stack-deployment"] == there
    assert usage["report"]
    configuration = usage["mandatory-flags"]["flags"].split()[-1]
    assert (ROOT / configuration).is_file()
