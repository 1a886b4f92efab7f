# What all rules share: the checked configuration, names, and how a stage is called.
import os
import sys
from functools import cache, partial
from importlib import import_module
from pathlib import Path

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "workflow"))

from step.cli.settings import dump_settings
from step.config.plan import compared_method, held_out_videos, sampling_shards, shards
from step.config.study import check_config
from step.errors import InputError
from step.provenance import code_digest


def checked(function, *arguments, **words):
    """Return function(...); where an input cannot be used, end with the one line that says why."""
    try:
        return function(*arguments, **words)
    except InputError as error:
        sys.exit(f"error: {error}")


CONFIG = checked(check_config, config, source=" + ".join(map(str, workflow.configfiles)))
RESULTS = CONFIG.results
REFERENCES = dict.fromkeys(reference for task in CONFIG.tasks.values() for reference in task.references)

# The method that the tables compare all others with.
COMPARED_METHOD = compared_method(CONFIG)

# The library is used where it lies, installed or not.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "workflow"), os.environ.get("PYTHONPATH")]))


envvars:
    "PYTHONPATH",


wildcard_constraints:
    domain="|".join(CONFIG.priors),
    task="|".join(CONFIG.tasks),
    prior="image|video|joint",
    method="|".join(CONFIG.methods),
    reference="|".join(REFERENCES),
    row="|".join([*CONFIG.methods, *REFERENCES]),
    observation="|".join(CONFIG.observations) or "none",
    video=r"(video|validation)\d+",
    shard=r"\d+",
    network="|".join(type(CONFIG.weights).model_fields),


def stage_module(stage):
    return import_module(f"step.cli.{stage}")


@cache
def selected(stage, **selectors):
    """Return the part of the configuration that a stage uses."""
    return checked(stage_module(stage).select, CONFIG, **selectors)


@cache
def settings(stage, **selectors):
    """Return the settings of a stage, exactly the values that it uses, as JSON text."""
    return dump_settings(selected(stage, **selectors))


@cache
def code(stage, **selectors):
    """Return the digest of the code that a stage runs; with selectors, of what it imports by name too."""
    by_name = checked(stage_module(stage).modules, selected(stage, **selectors)) if selectors else []
    return code_digest(f"step.cli.{stage}", *by_name)


@cache
def subject_shards(domain):
    """Return the subjects of each ingestion job, and the raw files of each subject, by name."""
    data = CONFIG.video_format(domain)
    files = checked(import_module(f"step.ingest.{domain}").find_files, data)
    return shards(sorted(files), data.subjects_per_job), files


def is_simulated(domain):
    return CONFIG.video_format(domain).source == "simulation"


SIMULATED = {
    domain: shards(CONFIG.video_format(domain).simulated_subjects, CONFIG.video_format(domain).subjects_per_job)
    for domain in CONFIG.priors
    if is_simulated(domain)
}


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


def rows(task):
    """Return the rows of a task's table."""
    return [*CONFIG.methods, *CONFIG.tasks[task].references]


def tour_rows(task):
    """Return the rows of a task's table in the tour."""
    return [*CONFIG.targets.tour.methods, *CONFIG.tasks[task].references]


def references_arguments(task):
    """Return which of a task's rows are references."""
    return ["--references", *CONFIG.tasks[task].references]


def files_of_measurement(task):
    """Return the files that the measurement of a task is described in, such as the table of an array's stations."""
    return [value for _, value in CONFIG.tasks[task].measurement if isinstance(value, Path)]


def tests(task):
    return held_out_videos(CONFIG, domain_of(task))


def measurement_files(task, videos):
    """Return the files of some videos' measurements."""
    return [RESULTS / task / "measurements" / f"{video}.h5" for video in videos]


def metrics_files(task, rows):
    """Return the metrics per video of some rows of the table."""
    return [RESULTS / task / "metrics" / f"{row}.csv" for row in rows]


def feature_files(task, rows):
    """Return the video features of some rows of the table."""
    return [RESULTS / task / "features" / f"{row}.h5" for row in rows]


def given_weights(network):
    """Return the file of a learned network that the configuration gives, if it gives one."""
    source = getattr(CONFIG.weights, network)
    return [source] if isinstance(source, Path) else []


def weights_of_flow(task):
    """Return the weights that the flow of a task is estimated with, if its estimator has any."""
    return [RESULTS / "weights/raft.safetensors"] if CONFIG.tasks[task].flow.estimator == "raft" else []


def reconstruction_files(task, row):
    """Return the files of a method's or a reference's reconstructions."""
    if row in REFERENCES:
        return [RESULTS / task / "references" / f"{row}.h5"]
    return [RESULTS / task / "samples" / row / f"{shard}.h5" for shard in sampling_shards(CONFIG, task)]


def files_of_rows(task, rows):
    """Return the files of the reconstructions of some rows of the table."""
    return [file for row in rows for file in reconstruction_files(task, row)]


def method_arguments(task, rows):
    """Return `--method NAME FILE...` of some rows of the table."""
    return words("--method", [(row, *reconstruction_files(task, row)) for row in rows])


def words(option, groups):
    """Return `option` followed by the words of a group, for each of `groups`."""
    return [word for group in groups for word in (option, *map(str, group))]


def that_measure(rows):
    """Return those of some rows of the table that use the measurement."""
    return [row for row in rows if row not in ("static", "vae")]


def movie_rows(task, name):
    """Return what a movie shows: one row of the table, or all that use the measurement."""
    return that_measure(rows(task)) if name == "comparison" else [name]


# What there is to see of a measurement itself.
PICTURES_OF_MODEL = {"vlbi": ["figures/coverage.png", "figures/dirty.png"]}
PICTURES_OF_DOMAIN = {"mri": ["masks.png"]}
PICTURES_OF_OBSERVED_MODEL = {"vlbi": ["coverage.png"]}


def pictures_of_measurement(task):
    return PICTURES_OF_MODEL.get(CONFIG.tasks[task].measurement.model, [])


def tour_results():
    """Return what the tour shows of its tasks: table, pictures, videos."""
    methods, tasks = CONFIG.targets.tour.methods, CONFIG.targets.tour.tasks
    names = ["tour/metrics.csv", "tour/comparison.png", "tour/comparison.mp4"]
    names += [f"videos/{method}.mp4" for method in methods]
    return [RESULTS / task / name for task in tasks for name in [*names, *pictures_of_measurement(task)]]


def task_results(tasks):
    """Return what a reader wants of some tasks: table, pictures, videos, of all methods."""
    names = ["metrics.csv", "figures/comparison.png"]
    names += [f"videos/{name}.mp4" for name in ["comparison", *CONFIG.methods]]
    if any(method.uses_flow for method in CONFIG.methods.values()):
        names.append("figures/flow.png")
    return [RESULTS / task / name for task in tasks for name in [*names, *pictures_of_measurement(task)]]


def study_tables():
    """Return the tables of the whole study."""
    return [RESULTS / "tables" / f"{name}.md" for name in ["table2", "table3", *CONFIG.tables]]


# What sampling took, by task and method; the networks that were trained, by domain.
COSTS = [
    (task, method, [file.with_name(f"{file.stem}-cost.csv") for file in reconstruction_files(task, method)])
    for task in CONFIG.targets.all
    for method in CONFIG.methods
]
NETWORKS = [
    (domain, network, RESULTS / domain / "priors" / network)
    for domain in dict.fromkeys(map(domain_of, CONFIG.targets.all))
    for network in ["autoencoder", *dict.fromkeys(method.prior for method in CONFIG.methods.values())]
]


def domain_results(tasks):
    """Return the pictures of the domains that some tasks belong to: losses of their priors, masks."""
    networks = ["autoencoder", *dict.fromkeys(method.prior for method in CONFIG.methods.values())]
    losses = [f"losses-{network}.png" for network in networks]
    domains = sorted({domain_of(task) for task in tasks})
    names = {domain: [*PICTURES_OF_DOMAIN.get(domain, []), *losses] for domain in domains}
    return [RESULTS / domain / "figures" / name for domain in domains for name in names[domain]]


def observation_results(observations):
    """Return what a reader wants of measured data: chi-squares, picture, video, and files of the field's formats."""
    names = ["chi_squares.csv", "posterior.png", "posterior.mp4", "export"]
    names = {name: [*names, *PICTURES_OF_OBSERVED_MODEL.get(observed_model(name), [])] for name in observations}
    return [
        RESULTS / "observations" / observation / name for observation in observations for name in names[observation]
    ]


def observed_model(observation):
    return CONFIG.tasks[CONFIG.observations[observation].task].measurement.model


def observed(w):
    """Return the section of an observation."""
    return CONFIG.observations[w.observation]


def priors_of_observation(w):
    return RESULTS / domain_of(observed(w).task) / "priors"


def sample_ranges(observation):
    """Return the first number of the samples of each job and the one after its last, by the job's name."""
    chosen = CONFIG.observations[observation]
    numbers = shards(list(range(chosen.samples)), chosen.samples_per_job)
    return {shard: (some[0], some[-1] + 1) for shard, some in numbers.items()}


def observed_samples(observation):
    folder = RESULTS / "observations" / observation / "samples"
    return [folder / f"{shard}.h5" for shard in sample_ranges(observation)]
