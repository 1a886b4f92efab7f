import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from grmhd_files import UAS
from step.domains.blackhole import ingest as ingestion
from step.domains.blackhole import prepare as preparation
from step.domains.blackhole.data import MovieFiles
from step.io.eht_movies import EhtMovieHeader, write_eht_movie
from step.io.videos import read_columns

STATUS = Path("/proc/self/status")
CADENCE_S = 102.0
MOVIES = MovieFiles(folder="movies", format="ehtim", pixel_uas=None, cadence_s=None)
INGESTION = ingestion.Settings(
    exclude=(), movies=MOVIES, single_images=None, simulation_pattern=None, frames=4, cadence_s=CADENCE_S
)
PREPARATION = preparation.Settings(
    frames=4, resolution=16, field_of_view_uas=100.0, cadence_s=CADENCE_S, windows_per_movie=1000
)


pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells a process's own peak memory")


def write_movie(root: Path, name: str, n_frames: int) -> None:
    """Write an ehtim movie of 100 microarcseconds, 200 x 200 pixels, with frames that hardly compress."""
    image = np.random.default_rng(0).uniform(0.5, 1, (200, 200))
    header = EhtMovieHeader(0.5 * UAS, "SgrA", 17.76, -29.0, 230e9, 57850)
    times_h = CADENCE_S / 3600 * np.arange(n_frames)
    write_eht_movie(root / f"movies/{name}.h5", header, times_h, (image for _ in times_h))


def run(root: Path, output: Path) -> None:
    subjects = [path.stem for path in (root / "movies").iterdir()]
    ingestion.ingest(INGESTION, root, subjects, output / "store.h5")
    preparation.prepare(PREPARATION, output / "store.h5", output / "prepared.h5")


def own_peak_mb() -> float:
    # What getrusage says begins with the memory of the process that this one was forked from.
    return int(re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())[1]) / 1024


def peak_mb(root: Path, output: Path) -> float:
    """Return the peak memory of ingesting and preparing all of `root` in a process of its own."""
    program = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[1].split(':');"
        "import test_streaming as t; t.run(*map(Path, sys.argv[2:4])); print(t.own_peak_mb())"
    )
    folders = ":".join([str(Path(__file__).parent), *sys.path])
    arguments = [sys.executable, "-c", program, folders, str(root), str(output)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.fixture(scope="module")
def short_mb(tmp_path_factory) -> float:
    """The peak memory of a movie that is just long enough to fill the pools that HDF5 keeps."""
    folder = tmp_path_factory.mktemp("short")
    write_movie(folder, "a", 60)
    return peak_mb(folder, folder)


@pytest.mark.slow
def test_a_long_movie_is_never_in_memory_as_a_whole(tmp_path, short_mb):
    write_movie(tmp_path, "a", 200)
    # It has 64 MB, and 32 MB in the raw store: 22 MB more than the short one there.
    assert peak_mb(tmp_path, tmp_path) - short_mb < 8
    assert len(read_columns(tmp_path / "prepared.h5", ["video"])) == 50


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_movies(tmp_path, short_mb):
    for number in range(50):
        write_movie(tmp_path, f"{number:02d}", 4)
    # Together they have as much.
    assert peak_mb(tmp_path, tmp_path) - short_mb < 8
    assert len(read_columns(tmp_path / "prepared.h5", ["video"])) == 50
