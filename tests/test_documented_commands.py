"""Every command of README and docs is run by something that is named, or says why not."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml
from documented_code import blocks
from documented_commands import (
    PAGES,
    PROJECT,
    RUN_BY,
    commands_of,
    commands_to_run,
    documented_commands,
    unknown,
)
from project_copy import copy_of_project
from step.__main__ import parse

README_LINES = 150
PLANNED = [command for command in commands_to_run() if command.startswith("snakemake ") and "--lint" not in command]
STAGES = [command for command in commands_to_run() if "python -m step" in command]
BEGINS = "<!-- not run: "


def runs(by: str, command: str) -> bool:
    """Return whether the test `by` is there, or the file of checks `by` has the words of `command`."""
    file, _, name = by.partition("::")
    text = (PROJECT / file).read_text()
    if not name:
        return set(shlex.split(command)) <= {word for line in text.splitlines() for word in words_of(line)}
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(ast.parse(text)))


def words_of(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quotation over several lines
        return line.split()


def test_every_command_is_run_by_something_or_says_why_not():
    assert unknown(documented_commands()) == []


def test_every_command_that_something_is_said_to_run_is_in_the_documentation():
    assert set(RUN_BY) - set(commands_to_run()) == set()


@pytest.mark.parametrize("command", RUN_BY)
def test_what_is_said_to_run_a_command_is_there(command):
    assert runs(RUN_BY[command], command)


def test_an_unknown_command_is_found_and_a_marked_one_is_not():
    page = "A text.\n\n```bash\nsnakemake --profile demo && rm -r results   # all of them\nls \\\n  -l\n```\n"
    assert unknown(commands_of(page, "a.md")) == ["a.md: rm -r results", "a.md: ls -l"]
    assert unknown(commands_of(f"{BEGINS}for a reason -->\n```bash\nls\n```\n", "a.md")) == []
    assert unknown(commands_of(f"{BEGINS}for a reason -->\n\n```bash\nls\n```\n", "a.md")) == ["a.md: ls"]
    assert unknown(commands_of("* A list:\n\n  ```sh\n  ls\n  ```\n", "a.md")) == ["a.md: ls"]


def test_something_that_runs_nothing_of_the_kind_is_found():
    assert not runs("tests/test_documented_commands.py::test_nothing_of_the_kind", "ls")
    assert not runs(".ci/run", "pytest -m nonsense")


def test_no_mark_stands_where_it_marks_nothing():
    texts = [re.sub(r"^```markdown\n.*?^```$", "", page.read_text(), flags=re.M | re.S) for page in PAGES]
    marks = sum(text.count(BEGINS) for text in texts)
    assert marks == len(re.findall(rf"^{BEGINS}.+ -->\n```bash$", "\n".join(texts), re.MULTILINE))


def test_every_test_that_a_page_names_is_there():
    names = {name for page in PAGES for name in re.findall(r"\btests/[\w/]+\.py", page.read_text())}
    assert names
    assert [name for name in sorted(names) if not (PROJECT / name).is_file()] == []


def test_the_readme_is_short():
    assert len((PROJECT / "README.md").read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("command", STAGES)
def test_the_command_line_understands_every_command_of_the_documentation(command, capsys):
    words = shlex.split(command.partition("python -m step ")[2])
    if words[-1] == "--help":
        with pytest.raises(SystemExit) as ended:
            parse(words)
        assert ended.value.code == 0
        assert "usage:" in capsys.readouterr().out
    else:
        assert parse(words)[0].name == words[0]


@pytest.mark.slow
def test_an_environment_is_made_and_activated(tmp_path):
    made = "python -m venv --without-pip .venv && . .venv/bin/activate && python -c 'import sys; print(sys.prefix)'"
    job = subprocess.run(["bash", "-c", made], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert job.stdout.strip() == str(tmp_path / ".venv")


@pytest.fixture(scope="module")
def planner(tmp_path_factory) -> Path:
    """A copy of the project with the files that the documentation's commands name: planning opens none of them."""
    folder = copy_of_project(tmp_path_factory.mktemp("documented")).folder
    shutil.copytree(PROJECT / "profiles", folder / "profiles")
    for name in ("demo", "slurm"):
        (folder / name).symlink_to(f"profiles/{name}")
    scan = next(text for text in blocks(PROJECT / "docs/own-data-mri.md", "yaml") if "my_scan" in text)
    (folder / "my_scan.yaml").write_text(scan)
    [mine] = blocks(PROJECT / "docs/paper-study.md", "yaml")
    (folder / "mine.yaml").write_text(mine.replace("/data/", "data/"))
    data = yaml.safe_load(scan)["observations"]["my_scan"]["data"]
    cine = "data/CMRxRecon2023/Cine/TrainingSet/FullSample/P{:03d}/cine_sax.mat"
    names = [data["file"], "data/cine/sax_20x.npz", "data/eht/sgra_2017.uvfits"]
    names += [f"data/ocmr/{name}_1_5T.h5" for name in ("fs_0001", "fs_0002", "fs_0003", "fs_0004", "us_0084")]
    names += [cine.format(number) for number in range(1, 30)]
    names += [f"data/grmhd/{kind}/flow{number}.h5" for kind in ("movies", "images/set") for number in range(60)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for number in (1, 101, 102, 103, 104):
        # Of NIfTI files the headers are read, which say whether there are frames.
        place = folder / f"data/acdc/{'testing' if number > 100 else 'training'}/patient{number:03d}"
        place.mkdir(parents=True)
        cine = nibabel.Nifti1Image(np.zeros((4, 4, 1, 12), np.int16), np.eye(4))
        nibabel.save(cine, place / f"patient{number:03d}_4d.nii.gz")
    tuned = folder / "results/demo/blackhole/tuning/tuned.yaml"
    tuned.parent.mkdir(parents=True)
    tuned.write_text("tasks: {blackhole: {sampler: {mcmc: {damping: 0.7}}}}\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", PLANNED)
def test_the_workflow_plans_every_command_of_the_documentation(command, planner):
    words = shlex.split(command)[1:]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    job = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", *words], cwd=planner, env=environment, capture_output=True, text=True
    )
    assert job.returncode == 0, job.stdout[-2000:] + job.stderr[-2000:]
    assert "Job stats:" in job.stdout + job.stderr
