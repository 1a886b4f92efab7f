# Where the project lies: its own files are found from any working directory, and from a workflow that imports this one.
import os
import sys
from pathlib import Path

if not isinstance(workflow.current_basedir, os.PathLike):
    sys.exit(
        f"error: this workflow is read from {workflow.current_basedir}, without the library next to it; clone the "
        "repository and give `snakefile:` the path of the Snakefile in it"
    )

PROJECT = Path(workflow.current_basedir).parents[1]


def own(path):
    """Return the path of one of the project's files; as it stands where snakemake runs in the project's folder."""
    return path if PROJECT.samefile(Path.cwd()) else str(PROJECT / path)


# The library is used where it lies, installed or not: first in the path of this process and of its jobs, and once.
LIBRARY = str(PROJECT / "workflow")
sys.path[:] = [LIBRARY, *(folder for folder in sys.path if folder != LIBRARY)]
search_path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
os.environ["PYTHONPATH"] = os.pathsep.join(
    [LIBRARY, *(folder for folder in search_path if folder not in ("", LIBRARY))]
)

# By their number common.smk sees whether `configfile:` is read, or a workflow that imports this one takes its place.
N_CONFIGFILES = len(workflow.configfiles)
