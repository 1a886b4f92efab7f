"""What planning a study of ten thousand jobs takes: the paper's, on two hundred test videos of each task."""

import os
import subprocess
import sys

import pytest
from project_copy import JOB_COUNT, Copy, copy_of_project

CPU_S = 60.0
MEMORY_GIB = 2.0
STUDY = """\
data:
  mri: {source: simulation, root: raw/mri, test_videos: 200}
  blackhole:
    source: simulation
    root: raw/blackhole
    test_videos: 200
    single_images: {folder: images, format: ipole}
"""

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    return copy_of_project(tmp_path_factory.mktemp("large"))


def test_a_dry_run_of_ten_thousand_jobs_plans_within_a_minute_and_two_gibibytes(copy):
    study, output = copy.overlay("large", STUDY), copy.folder / "output"
    command = [sys.executable, "-m", "snakemake", "-n", "all", "--cores", "2", "--nocolor", "--configfile", str(study)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with output.open("w") as file:
        run = subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=file, stderr=file)
        _, status, used = os.wait4(run.pid, 0)  # of this process alone: the machine may be busy with others
    run.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text()
    assert run.returncode == 0, text[-2000:]
    assert int(dict(JOB_COUNT.findall(text))["total"]) > 10_000
    assert used.ru_maxrss / 2**20 < MEMORY_GIB
    assert used.ru_utime + used.ru_stime < CPU_S
