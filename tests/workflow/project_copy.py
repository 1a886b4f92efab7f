"""A copy of the project that tests may edit, and the miniature study in it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

PROJECT = Path(__file__).parents[2]
MINIATURE = Path(__file__).with_name("miniature.yaml")
TARGETS = {"all", "tour", "total", "tuning", "ablations", "posteriors", "benchmark"}
TARGETS |= {f"figure{number}" for number in range(1, 13)}
ONE_THREAD = [
    "--set-threads",
    *(f"{rule}=1" for rule in ("train_autoencoder", "train_denoiser", "train_ablation", "generate", "sample")),
    *(f"sample_{of}=1" for of in ("observation", "posterior", "calibration", "ablation")),
]
"""Arguments that give each job a thread of its own: two jobs with more would fight for the cores."""
JOB_COUNT = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What one call of snakemake came to."""

    status: int
    stdout: str
    stderr: str

    @property
    def jobs(self) -> dict[str, int]:
        """The planned jobs of each rule, targets without work of their own left out."""
        assert self.status == 0, self.stdout + self.stderr
        counts = {rule: int(count) for rule, count in JOB_COUNT.findall(self.stdout + self.stderr)}
        return {rule: count for rule, count in counts.items() if rule not in TARGETS}


@dataclass(frozen=True)
class Copy:
    """A copy of the project in `folder`, where its workflow runs."""

    folder: Path

    def snakemake(self, *arguments: str | Path, overlays: tuple[str | Path, ...] = ()) -> Run:
        """Run the workflow on the paper's configuration with `overlays` overlaid on it, in their order."""
        run = self.start(*arguments, overlays=overlays)
        stdout, stderr = run.communicate()
        return Run(run.returncode, stdout, stderr)

    def start(self, *arguments: str | Path, overlays: tuple[str | Path, ...] = ()) -> subprocess.Popen:
        """Start what `snakemake` runs to its end, in a session of its own."""
        configfiles = ["--configfile", *overlays] if overlays else []
        command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "2", "--nocolor", *configfiles]
        # The copy's library, and no other one that the test run has in its path.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
        environment["OMP_NUM_THREADS"] = "1"
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def weights(self, model: Path) -> bytes:
        """Return the weights in the folder of a model, as they lie in their file."""
        return (self.folder / model / "diffusion_pytorch_model.safetensors").read_bytes()

    def overlay(self, name: str, text: str) -> Path:
        """Return a new configuration file with `text`."""
        file = self.folder / f"{name}.yaml"
        file.write_text(text)
        return file

    @contextmanager
    def edited(self, file: str, edit: Callable[[str], str]) -> Iterator[None]:
        """Have the text that `edit` makes of a file of the copy in its place."""
        path = self.folder / file
        text = path.read_text()
        assert edit(text) != text, f"the edit changes nothing in {file}"
        path.write_text(edit(text))
        try:
            yield
        finally:
            path.write_text(text)


def copy_of_project(folder: Path) -> Copy:
    """Return a copy of the project in the empty `folder`, with measured data next to it."""
    shutil.copy(PROJECT / "Snakefile", folder)
    for name in ("workflow", "config", "envs", "resources"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(MINIATURE, folder / "config")
    write_observed(folder / "observed")
    return Copy(folder)


def write_observed(folder: Path) -> None:
    """Write measured data of both kinds: visibilities of four stations, and k-space of every fourth line."""
    folder.mkdir()
    baselines = {"AA,AP": (1e6, -2e6), "AA,SM": (4e9, -3e9), "AP,SM": (4e9, -3e9), "AA,LM": (3e9, 1e9)}
    rows = [
        f"{12.6 + hour:.4f},{pair},{u},{v},{2 if abs(u) < 1e8 else 0.3},{20 * hour},0.01"
        for hour in (0.0, 0.5, 1.0)
        for pair, (u, v) in baselines.items()
    ]
    columns = "#time(UTC),T1,T2,U(lambda),V(lambda),Iamp(Jy),Iphase(d),Isigma(Jy)"
    (folder / "night.csv").write_text("\n".join(["#SRC:SGRA,DATE(MJD):57850,FREQ:227.0707GHz", columns, *rows, ""]))
    mask = np.zeros(20, bool)
    mask[::4] = mask[8:12] = True
    kspace = np.random.default_rng(0).standard_normal((4, 1, 20, 24, 2)).astype(np.float32)
    kspace[:, :, 10, 12] += 50  # something at the centre
    kspace[:, :, ~mask] = 0
    stored = kspace.view([("real", "<f4"), ("imag", "<f4")])[..., 0]
    for name, variable, values in (
        ("cine_sax", "kspace_single_sub04", stored),
        ("cine_sax_mask", "mask04", np.repeat(mask[:, None], 24, 1).astype(np.float32)),
    ):
        with h5py.File(folder / f"{name}.mat", "w", userblock_size=512) as file:
            file[variable] = values


def run_miniature(copy: Copy, target: str) -> Run:
    """Make `target` of the miniature from nothing, two jobs at a time."""
    return copy.snakemake(target, *ONE_THREAD, overlays=("config/miniature.yaml",))
