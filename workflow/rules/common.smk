# What all rules share: the checked configuration, names, and how a stage is called.
import os
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "workflow"))

from step.cli.settings import dump_settings
from step.config.plan import held_out_videos, sampling_shards, shards
from step.config.study import check_config
from step.errors import InputError
from step.ingest.subjects import find_files, simulated_patients
from step.provenance import code_digest, forward_model_name


def checked(function, *arguments, **words):
    """Return function(...); where an input cannot be used, end with the one line that says why."""
    try:
        return function(*arguments, **words)
    except InputError as error:
        sys.exit(f"error: {error}")


CONFIG = checked(check_config, config, source=" + ".join(map(str, workflow.configfiles)))
RESULTS = CONFIG.results
ROWS = [*CONFIG.methods, *CONFIG.references]

# The library is used where it lies, installed or not.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "workflow"), os.environ.get("PYTHONPATH")]))


envvars:
    "PYTHONPATH",


wildcard_constraints:
    domain="|".join(CONFIG.priors),
    task="|".join(CONFIG.tasks),
    prior="image|video|joint",
    method="|".join(CONFIG.methods),
    reference="|".join(CONFIG.references),
    row="|".join(ROWS),
    video=r"(video|validation)\d+",
    shard=r"\d+",


@cache
def selected(stage, **selectors):
    """Return the part of the configuration that a stage uses."""
    return checked(import_module(f"step.cli.{stage}").select, CONFIG, **selectors)


@cache
def settings(stage, **selectors):
    """Return the settings of a stage, exactly the values that it uses, as JSON text."""
    return dump_settings(selected(stage, **selectors))


@cache
def code(stage, **selectors):
    """Return the digest of the code that a stage runs; with selectors, of the forward model that it builds too."""
    measurement = getattr(selected(stage, **selectors), "measurement", None) if selectors else None
    models = [checked(forward_model_name, measurement.model)] if measurement else []
    return code_digest(f"step.cli.{stage}", *models)


@cache
def subject_shards(domain):
    """Return the subjects of each ingestion job, and the raw files of each subject, by name."""
    data = CONFIG.video_format(domain)
    files = checked(find_files, data)
    return shards(sorted(files), data.subjects_per_job), files


def is_simulated(domain):
    return CONFIG.video_format(domain).source == "simulation"


def simulated_folder(domain, shard):
    """Return the folder of the raw files that one job simulates."""
    return CONFIG.video_format(domain).root / shard


def raw_root(w):
    """Return the folder in which an ingestion job looks for its subjects."""
    return simulated_folder(w.domain, w.shard) if is_simulated(w.domain) else CONFIG.video_format(w.domain).root


def raw_files(w):
    """Return the raw files of an ingestion job: those of its subjects, or the folder that is simulated for it."""
    if is_simulated(w.domain):
        return simulated_folder(w.domain, w.shard)
    jobs, files = subject_shards(w.domain)
    return [file for subject in jobs[w.shard] for file in files[subject]]


def domain_of(task):
    return CONFIG.tasks[task].domain


def tests(task):
    return held_out_videos(CONFIG, domain_of(task))


def measurement_files(task, videos):
    """Return the files of some videos' measurements."""
    return [RESULTS / task / "measurements" / f"{video}.h5" for video in videos]


def reconstruction_files(task, row):
    """Return the files of a method's or a reference's reconstructions."""
    if row in CONFIG.references:
        return [RESULTS / task / "references" / f"{row}.h5"]
    return [RESULTS / task / "samples" / row / f"{shard}.h5" for shard in sampling_shards(CONFIG, task)]


def all_reconstruction_files(task):
    return [file for row in ROWS for file in reconstruction_files(task, row)]


def method_arguments(task, rows):
    """Return `--method NAME FILE...` of some rows of the table."""
    return [word for row in rows for word in ("--method", row, *reconstruction_files(task, row))]


def movie_rows(name):
    """Return what a movie shows: one row of the table, or all that use the measurement."""
    return [row for row in ROWS if row not in ("static", "vae")] if name == "comparison" else [name]


def task_results(tasks):
    """Return what a reader wants of some tasks: table, pictures, videos."""
    movies = [f"videos/{name}.mp4" for name in ["comparison", *CONFIG.methods]]
    names = ["metrics.csv", "figures/comparison.png", *movies]
    return [RESULTS / task / name for task in tasks for name in names]


def domain_results(tasks):
    """Return the pictures of the domains that some tasks belong to: losses of their priors, masks."""
    networks = ["autoencoder", *dict.fromkeys(method.prior for method in CONFIG.methods.values())]
    names = ["masks.png", *(f"losses-{network}.png" for network in networks)]
    domains = sorted({domain_of(task) for task in tasks})
    return [RESULTS / domain / "figures" / name for domain in domains for name in names]


# Missing raw files are better said here, in one line, than in the middle of a plan.
for task in CONFIG.targets.all:
    subject_shards(domain_of(task))
