"""With `--sdm apptainer` every job runs in the container, and finds the library in the project's own folder."""

import os

import pytest
from project_copy import copy_of_project

INDEX = "results/miniature/mri/index.csv"
APPTAINER = """#!/bin/sh
# Stands in for Apptainer, which hands the environment on: notes its image and where Python would look in it.
if [ "$1" = --version ]; then echo "apptainer version 1.3.0"; exit; fi
while [ "$1" != envs/step.sif ]; do shift || exit 64; done
echo "$1 $PYTHONPATH" >> containers.txt
shift
exec "$@"
"""

pytestmark = pytest.mark.study


@pytest.fixture
def apptainer(tmp_path, monkeypatch) -> None:
    """Put a program in the path that snakemake takes for Apptainer."""
    program = tmp_path / "bin/apptainer"
    program.parent.mkdir()
    program.write_text(APPTAINER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"]]))


def test_every_job_runs_in_the_container_with_the_library_of_the_project(apptainer, tmp_path):
    (tmp_path / "study").mkdir()
    copy = copy_of_project(tmp_path / "study")
    run = copy.snakemake(INDEX, "--sdm", "apptainer", overlays=("config/miniature.yaml",))
    assert run.status == 0, run.stdout + run.stderr
    calls = (copy.folder / "containers.txt").read_text().splitlines()
    assert len(calls) == sum(run.jobs.values())
    for call in calls:
        image, path = call.split(" ")
        assert image == "envs/step.sif"
        assert str(copy.folder / "workflow") in path.split(os.pathsep)
