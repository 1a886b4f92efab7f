"""What planning a study of ten thousand jobs takes: the paper's, on two hundred test videos of each task."""

import os
import subprocess
import sys

import pytest
from project_copy import JOB_COUNT, Copy, copy_of_project

MEMORY_GIB = 2.0
LARGE, SMALL = 200, 20
"""Test videos of each task."""

STUDY = """\
data:
  mri: {source: simulation, root: raw/mri, test_videos: VIDEOS}
  blackhole:
    source: simulation
    root: raw/blackhole
    test_videos: VIDEOS
    single_images: {folder: images, format: ipole}
"""

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    return copy_of_project(tmp_path_factory.mktemp("large"))


def plan(copy: Copy, videos: int) -> tuple[int, float, float]:
    """Return jobs, seconds of a core and GiB of a dry run of a study of so many test videos."""
    study, output = copy.overlay(f"study{videos}", STUDY.replace("VIDEOS", str(videos))), copy.folder / "output"
    command = [sys.executable, "-m", "snakemake", "-n", "all", "--cores", "2", "--nocolor", "--configfile", str(study)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with output.open("w") as file:
        run = subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=file, stderr=file)
        _, status, used = os.wait4(run.pid, 0)  # of this process alone: the machine may be busy with others
    run.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text()
    assert run.returncode == 0, text[-2000:]
    return int(dict(JOB_COUNT.findall(text))["total"]), used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def test_ten_thousand_jobs_are_planned_within_two_gibibytes_and_each_as_fast_as_one_of_fewer(copy):
    few, small_s, _ = plan(copy, SMALL)
    many, large_s, gibibytes = plan(copy, LARGE)
    assert many > 10_000 > few
    assert gibibytes < MEMORY_GIB
    assert large_s / many < 1.5 * small_s / few  # 2.5 times, were each planned by all others
