"""What a fault costs the study: nothing that was finished, and one command to go on."""

import csv
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from project_copy import ONE_THREAD, Copy, Run, copy_of_project
from waiting import wait_for

STUDY = "config/miniature.yaml"
INDEX = "results/miniature/mri/index.csv"
AUTOENCODER = Path("results/miniature/mri/priors/autoencoder")
LOG = "results/miniature/logs/mri/train/autoencoder.log"
STATE = AUTOENCODER.with_name(".state")
LONG = "priors: {mri: {autoencoder_training: {optimisation: {epochs: 60, checkpoint_minutes: 0.01}}}}"
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Copy:
    """A copy of the project with the videos of the heart in it, and the settings of a longer training."""
    copy = copy_of_project(tmp_path_factory.mktemp("prepared"))
    copy.overlay("long", LONG)
    finish(copy, INDEX)
    return copy


@pytest.fixture
def copy(prepared, tmp_path) -> Copy:
    """A study of which nothing is lost yet."""
    shutil.copytree(prepared.folder, tmp_path / "study")
    return Copy(tmp_path / "study")


@pytest.fixture(scope="module")
def weights(prepared, tmp_path_factory) -> bytes:
    """The weights of a training that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    shutil.copytree(prepared.folder, folder)
    finish(Copy(folder), AUTOENCODER)
    return Copy(folder).weights(AUTOENCODER)


def run(copy: Copy, *arguments: str | Path, overlays: tuple[str | Path, ...] = ()) -> Run:
    return copy.snakemake(*arguments, *ONE_THREAD, overlays=(STUDY, "long.yaml", *overlays))


def finish(copy: Copy, target: str | Path, *arguments: str) -> Run:
    """Return the run that makes `target`, which must end well."""
    ended = run(copy, target, *arguments)
    assert ended.status == 0, ended.stdout + ended.stderr
    return ended


def start_training(copy: Copy) -> tuple[subprocess.Popen, psutil.Process]:
    """Start snakemake with the training, and return both processes once it has saved its state."""
    workflow = copy.start(AUTOENCODER, *ONE_THREAD, overlays=(STUDY, "long.yaml"))
    wait_for(lambda: list((copy.folder / STATE).rglob("*.safetensors")), lambda: "no state was saved")
    jobs = psutil.Process(workflow.pid).children(recursive=True)
    [training] = [job for job in jobs if job.cmdline()[1:4] == ["-m", "step", "train"]]
    return workflow, training


def finished_files(copy: Copy) -> dict[Path, int]:
    """Return when each file of the videos was written."""
    folder = copy.folder / "results/miniature/mri"
    kept = [folder / "index.csv", *(folder / "prepared").rglob("*"), *(folder / "ingested").rglob("*")]
    return {file: file.stat().st_mtime_ns for file in kept if file.is_file()}


def assert_goes_on(copy: Copy, before: dict[Path, int], weights: bytes) -> None:
    """Raise unless the training goes on from its state to the `weights`, and nothing else is made again."""
    jobs = finish(copy, AUTOENCODER, "--rerun-incomplete").jobs
    assert jobs == {"train_autoencoder": 1}
    assert "resuming at step" in (copy.folder / LOG).read_text()
    assert copy.weights(AUTOENCODER) == weights
    assert finished_files(copy) == before


def test_a_killed_training_is_named_with_its_log_and_goes_on(copy, weights):
    before = finished_files(copy)
    workflow, training = start_training(copy)
    training.kill()
    stdout, stderr = workflow.communicate()
    assert workflow.returncode == 1
    assert "Error in rule train_autoencoder" in stdout + stderr
    assert LOG in stdout + stderr
    assert not (copy.folder / AUTOENCODER).exists()
    assert_goes_on(copy, before, weights)


def test_a_training_that_the_system_kills_for_its_memory_goes_on(copy, weights, small_memory):
    before = finished_files(copy)
    workflow, training = start_training(copy)
    small_memory(training.pid)
    workflow.communicate()
    assert workflow.returncode == 1
    assert not (copy.folder / AUTOENCODER).exists()
    assert_goes_on(copy, before, weights)


def test_a_machine_that_goes_down_costs_an_unlock(copy, weights):
    before = finished_files(copy)
    workflow, _ = start_training(copy)
    os.killpg(workflow.pid, signal.SIGKILL)
    workflow.communicate()
    again = run(copy, AUTOENCODER)
    assert again.status == 1
    assert "--unlock" in again.stdout + again.stderr
    assert run(copy, "--unlock").status == 0
    assert_goes_on(copy, before, weights)


def test_a_training_that_ends_after_snakemake_was_killed_is_not_made_again(copy, weights):
    """Nobody notes that its outputs are complete, so snakemake deletes them; its last state gives them back."""
    before = finished_files(copy)
    workflow, training = start_training(copy)
    os.kill(workflow.pid, signal.SIGKILL)
    workflow.communicate()
    wait_for(lambda: not training.is_running(), lambda: "the training did not end")
    assert copy.weights(AUTOENCODER) == weights
    assert run(copy, "--unlock").status == 0
    assert_goes_on(copy, before, weights)
    steps = _losses(copy)[-1]["step"]
    assert f"resuming at step {steps} of {steps}" in (copy.folder / LOG).read_text()


def test_a_second_snakemake_is_refused_and_the_first_is_not_disturbed(copy, weights):
    workflow, training = start_training(copy)
    training.suspend()  # however long the second takes to start, the training must not end before
    second = run(copy, AUTOENCODER)
    training.resume()
    assert second.status == 1
    assert "cannot be locked" in second.stdout + second.stderr
    stdout, stderr = workflow.communicate()
    assert workflow.returncode == 0, stdout + stderr
    assert copy.weights(AUTOENCODER) == weights


def test_a_state_that_was_cut_short_is_named_with_the_remedy(copy, weights):
    workflow, training = start_training(copy)
    training.kill()
    workflow.communicate()
    [state] = (copy.folder / STATE).rglob("*.safetensors")
    state.write_bytes(state.read_bytes()[:-100])
    again = run(copy, AUTOENCODER, "--rerun-incomplete")
    assert again.status == 1
    relative = state.relative_to(copy.folder)
    assert f"error: the training state {relative} is damaged" in (copy.folder / LOG).read_text()
    assert "delete it to start over" in (copy.folder / LOG).read_text()
    state.unlink()
    finish(copy, AUTOENCODER, "--rerun-incomplete")
    assert copy.weights(AUTOENCODER) == weights


def test_a_disk_that_is_full_costs_what_was_being_written(copy, weights, mount):
    before = finished_files(copy)
    priors = copy.folder / AUTOENCODER.parent
    priors.mkdir(parents=True)
    mount(priors, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    ended = run(copy, AUTOENCODER)
    assert ended.status == 1
    assert "No space left on device" in (copy.folder / LOG).read_text()
    assert "free space" in (copy.folder / LOG).read_text()
    subprocess.run(["umount", str(priors)], check=True)
    jobs = finish(copy, AUTOENCODER, "--rerun-incomplete").jobs
    assert jobs == {"train_autoencoder": 1}
    assert copy.weights(AUTOENCODER) == weights
    assert finished_files(copy) == before


def test_results_that_cannot_be_written_are_named(copy, mount):
    before = finished_files(copy)
    results = copy.folder / "results"
    mount(results, "--bind", str(results))
    subprocess.run(["mount", "-o", "remount,bind,ro", str(results)], check=True)
    ended = run(copy, AUTOENCODER)
    assert ended.status == 1
    assert "Read-only file system" in ended.stdout + ended.stderr
    assert "results/miniature" in ended.stdout + ended.stderr
    assert finished_files(copy) == before


def test_files_of_a_clock_that_is_ahead_are_used_and_what_they_made_is_kept(copy):
    """A file of tomorrow makes what is made of it stale once, and snakemake says why; then there is nothing to do."""
    tomorrow = time.time() + 86400
    for file in (copy.folder / "results/miniature/mri/ingested").rglob("*.h5"):
        os.utime(file, (tomorrow, tomorrow))
    finish(copy, INDEX)
    again = run(copy, "-n", INDEX)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize(
    "root",
    ["raw'; touch hacked; '", 'raw"; touch hacked; "', "raw$(touch hacked)", "raw`touch hacked`", "raw\ntouch hacked"],
    ids=["quote", "double quote", "substitution", "backquote", "newline"],
)
def test_no_value_of_the_configuration_is_run_by_the_shell(copy, root):
    copy.overlay("root", f"data: {{mri: {{root: {_quoted('results/miniature/' + root)}}}}}")
    ended = run(copy, INDEX, overlays=("root.yaml",))
    assert not list(copy.folder.rglob("hacked"))
    assert ended.status == 0, ended.stdout + ended.stderr
    assert (copy.folder / f"results/miniature/{root}").is_dir()


@pytest.mark.parametrize(
    "text", ["tasks: {'mri8; touch hacked': {domain: mri}}", "methods: {'bis$(touch hacked)': {prior: image}}"]
)
def test_a_name_that_would_be_a_command_is_refused(copy, text):
    copy.overlay("names", text)
    ended = run(copy, "-n", INDEX, overlays=("names.yaml",))
    assert ended.status == 1
    assert "touch hacked" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(copy.folder.rglob("hacked"))


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount something on a folder until the test has ended; skips where that is not allowed."""
    folders: list[Path] = []

    def at(folder: Path, *arguments: str) -> None:
        try:
            done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True).returncode == 0
        except FileNotFoundError:
            done = False
        if not done:
            pytest.skip("nothing can be mounted here")
        folders.append(folder)

    yield at
    # A folder mounted on itself is no mount point to os.path.ismount.
    mounted = {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()}
    for folder in folders:
        if str(folder) in mounted:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_memory() -> Iterator[Callable[[int], None]]:
    """Give a process hardly any memory more than it has; skips where groups of processes cannot be made."""
    group = MEMORY_GROUPS / f"step-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("4096")
    except OSError:
        pytest.skip("no memory limit can be set here")

    yield lambda pid: (group / "cgroup.procs").write_text(str(pid))
    group.rmdir()


def _losses(copy: Copy) -> list[dict[str, str]]:
    """Return the rows of the autoencoder's history."""
    with (copy.folder / AUTOENCODER / "losses.csv").open() as file:
        return list(csv.DictReader(file))


def _quoted(text: str) -> str:
    """Return `text` as YAML in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
