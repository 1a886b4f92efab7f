# What all rules share: the checked configuration, names, and how a stage is called.
import signal
from functools import cache, partial
from importlib import import_module
from typing import get_args

from step.cli import inputs
from step.cli.settings import dump_settings
from step.cli.stages import open_stage
from step.config.metrics import Network
from step.config.plan import compared_method, held_out_videos, sample_ranges, sampling_shards, shards
from step.config.pretrained import pretrained_settings
from step.config.study import check_config, lay_over_base
from step.errors import InputError
from step.products import written_files
from step.provenance import code_digest


def checked(function, *arguments, **words):
    """Return function(...); where an input cannot be used, end with the one line that says why."""
    try:
        return function(*arguments, **words)
    except InputError as error:
        sys.exit(f"error: {error}")


# A configuration that an importing workflow hands over is laid over the paper's study, as a file would be.
HANDED_OVER = len(workflow.configfiles) == N_CONFIGFILES
VALUES = checked(lay_over_base, config) if HANDED_OVER else config
CONFIG = checked(check_config, VALUES, source=" + ".join(map(str, workflow.configfiles)) or "the workflow's config")
RESULTS = CONFIG.results
REFERENCES = dict.fromkeys(reference for task in CONFIG.tasks.values() for reference in task.references)

# The method that the tables compare all others with.
COMPARED_METHOD = compared_method(CONFIG)

# Its peers: methods whose prior is of videos.
VIDEO_METHODS = [name for name, method in CONFIG.methods.items() if method.prior != "image"]

# The networks of others that the metrics and the flow use.
LEARNED_NETWORKS = get_args(Network)

# The priors that methods use, in the order of the methods.
PRIORS = list(dict.fromkeys(method.prior for method in CONFIG.methods.values()))

# Slurm's warning of a time limit goes to every process of a job. It is meant for the trainings, which save their state;
# nothing between Slurm and them must die of it, and what has no state to save goes on. An importing workflow that does
# something else with it keeps doing so.
if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


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
    posterior="|".join(CONFIG.posteriors) or "none",
    ablation="|".join(CONFIG.ablations) or "none",
    point=r"\d+",
    video=r"(video|validation)\d+",
    shard=r"\d+",
    network="|".join(LEARNED_NETWORKS),
    size="|".join(CONFIG.benchmark.sizes) or "none",


@cache
def opened(stage):
    """Return a stage by its words on the command line, such as `sample` or `plot comparison`."""
    return checked(open_stage, stage)


def stage_module(stage):
    return opened(stage).module


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
    by_name = checked(opened(stage).imported_by_name, selected(stage, **selectors)) if selectors else []
    return code_digest(*opened(stage).code, *by_name)


@cache
def subject_shards(domain):
    """Return the subjects of each ingestion job, and the raw files of each subject, by name."""
    data = CONFIG.video_format(domain)
    files = checked(import_module(f"step.ingest.{domain}").find_files, data)
    return shards(sorted(files), data.subjects_per_job), files


def growing(amount):
    """Return a resource of which a job that failed gets half as much again each time it is tried again."""
    return lambda w, attempt: round(amount * (1 + 0.5 * (attempt - 1)))


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


@cache
def files_of_measurement(task):
    """Return the files that the measurement of a task is described in: whatever builds its forward model reads them."""
    return checked(inputs.files_of_measurement, CONFIG, task)


@cache
def files_of_sampling(task, method):
    """Return the files that the measurement of a task and the noise of a method are described in."""
    return files_of_measurement(task) + checked(inputs.files_of_method, CONFIG, task, method)


def tests(task):
    return held_out_videos(CONFIG, domain_of(task))


def measurement_files(task, videos):
    """Return the files of some videos' measurements."""
    return [RESULTS / task / "measurements" / f"{video}.h5" for video in videos]


def truth_files(task, videos):
    """Return the files of some true videos, which no reconstruction is given."""
    return [RESULTS / task / "truths" / f"{video}.h5" for video in videos]


def made_of(what):
    """Return which folder something is made of: the truths, or the measurements alone."""
    return "truths" if what in ("truth", "static", "vae") else "measurements"


def files_made_of(task, what, videos):
    """Return `--truths FILE...` or `--measurements FILE...` of some videos, as `made_of` says."""
    files = truth_files if made_of(what) == "truths" else measurement_files
    return [f"--{made_of(what)}", *files(task, videos)]


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


def flow_of_method(task, method, shard):
    """Return the optical flow of a shard of a task's videos, if a method moves its noise with it."""
    return [RESULTS / task / f"flow/{shard}.h5"] if CONFIG.methods[method].uses_flow else []


def shard_of(task, video):
    """Return the sampling job that a test video is in."""
    return next(shard for shard, videos in sampling_shards(CONFIG, task).items() if video in videos)


def place_of_shard(task, shard):
    """Return the place of a sampling job's first video among the test videos."""
    return tests(task).index(sampling_shards(CONFIG, task)[shard][0])


# Domains whose priors are pretrained, and those whose priors are trained.
PRETRAINED = {
    domain: chosen for domain in CONFIG.priors if (chosen := checked(pretrained_settings, CONFIG, domain)) is not None
}
TRAINED = [domain for domain in CONFIG.priors if domain not in PRETRAINED]


def pretrained_folder(domain):
    """Return the folder of a pretrained prior: where it lies, or where it is fetched to."""
    folder = PRETRAINED[domain].folder
    if folder is None:
        return RESULTS / domain / "pretrained"
    checked(stage_module("take_network").check, PRETRAINED[domain], folder)
    return folder


def brightness_of_prior(domain):
    """Return what says how bright the videos are that a domain's prior has learned from."""
    return pretrained_folder(domain) if domain in PRETRAINED else RESULTS / domain / "index.csv"


def prior_folder(task, method):
    """Return the model folder of a method's prior."""
    return RESULTS / domain_of(task) / "priors" / CONFIG.methods[method].prior


def files_of_flow(task):
    """Return the files that the flow of a task depends on: those of the measurement, unless it is the truth's."""
    return [] if CONFIG.tasks[task].flow.source == "truth" else files_of_measurement(task)


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
    return [row for row in rows if made_of(row) == "measurements"]


def movie_rows(task, name):
    """Return what a movie shows: one row of the table, or all that use the measurement."""
    return that_measure(rows(task)) if name == "comparison" else [name]


# What there is to see of a measurement itself.
PICTURES_OF_MODEL = {"vlbi": ["figures/coverage.png", "figures/dirty.png"]}
PICTURES_OF_TASKS = {"mri": ["masks.png"]}  # by model too, of all tasks of a domain together
PICTURES_OF_OBSERVED_MODEL = {"vlbi": ["coverage.png"]}


def pictures_of_measurement(task):
    return PICTURES_OF_MODEL.get(CONFIG.tasks[task].measurement.model, [])


def pictures_of_tasks(domain):
    models = dict.fromkeys(task.measurement.model for task in CONFIG.tasks.values() if task.domain == domain)
    return [name for model in models for name in PICTURES_OF_TASKS.get(model, [])]


def tour_results():
    """Return what the tour shows of its tasks: table, pictures, videos."""
    methods, tasks = CONFIG.targets.tour.methods, CONFIG.targets.tour.tasks
    names = ["tour/metrics.csv", "tour/comparison.png", "tour/comparison.mp4"]
    names += [f"videos/{method}.mp4" for method in methods]
    return [RESULTS / task / name for task in tasks for name in [*names, *pictures_of_measurement(task)]]


def figure_name(figure):
    """Return the name of the files and of the rule of a figure of your own: the last part of its module's."""
    return figure.rpartition(".")[2]


def figure_files(figure, task):
    """Return what a figure of your own writes of a task."""
    made = written_files(opened(f"plot {figure}").module.Files, f"{RESULTS}/{task}/figures/{figure_name(figure)}")
    return [Path(file) for files in made.values() for file in files]


def task_results(tasks):
    """Return what a reader wants of some tasks: table, pictures, videos, of all methods."""
    names = ["metrics.csv", "figures/comparison.png", "figures/methods.png", "figures/deltas.png"]
    names += [f"videos/{name}.mp4" for name in ["comparison", *CONFIG.methods]]
    if VIDEO_METHODS:
        names.append("figures/priors.png")
    if any(method.uses_flow for method in CONFIG.methods.values()):
        names.append("figures/flow.png")
    files = [RESULTS / task / name for task in tasks for name in [*names, *pictures_of_measurement(task)]]
    files += [RESULTS / task / "figures/autoencoder.png" for task in tasks if "vae" in CONFIG.tasks[task].references]
    files += [file for task in tasks for figure in CONFIG.figures.plug_ins for file in figure_files(figure, task)]
    return files + [RESULTS / task / "figures/calibration.png" for task in tasks if task in CONFIG.calibration.tasks]


def study_results():
    """Return what a reader wants of the whole study."""
    tasks = CONFIG.targets.all
    results = [*task_results(tasks), *study_tables(), *domain_results(tasks)]
    results += posterior_results(name for name, chosen in CONFIG.posteriors.items() if chosen.task in tasks)
    return [*results, *ablation_results(CONFIG.targets.ablations), *observation_results(CONFIG.observations)]


def posterior_results(posteriors):
    """Return what a reader wants of many samples of one measurement: modes, spread, samples."""
    names = ["chi_squares.csv", "table5.md", "modes.png", "samples.png", "uncertainty.png"]
    return [RESULTS / "posteriors" / posterior / name for posterior in posteriors for name in names]


def ablation_results(ablations):
    """Return the curve of each of some ablations."""
    return [RESULTS / "ablations" / ablation / "curve.png" for ablation in ablations]


def tuning_results(tasks):
    """Return the tuned settings of some tasks, and what was tried."""
    return [RESULTS / task / "tuning" / name for task in tasks for name in ["tuned.yaml", "trials.png"]]


def benchmark_files():
    """Return what was measured of the sampler's cost, by size and task."""
    chosen = CONFIG.benchmark
    return [RESULTS / "benchmark" / f"{size}-{task}.csv" for size in chosen.sizes for task in chosen.tasks]


def paper_figures():
    """Return the pictures of the study by the number of the paper's figure."""
    tasks = CONFIG.targets.all
    results = [*task_results(tasks), *domain_results(tasks), *posterior_results(CONFIG.posteriors)]
    names = {
        "figure1": ["modes"],
        "figure5": ["methods"],
        "figure7": ["deltas", "priors"],
        "figure8": ["dirty"],
        "figure9": ["masks"],
        "figure10": ["autoencoder"],
        "figure11": ["generated"],
        "figure12": ["samples"],
    }
    figures = {figure: [file for file in results if file.stem in names[figure]] for figure in names}
    return figures | {"figure7": [*figures["figure7"], *ablation_results(CONFIG.targets.ablations)]}


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
    for network in ["autoencoder", *PRIORS]
]


def domain_results(tasks):
    """Return the pictures of the domains that some tasks belong to: losses of their priors, masks."""
    networks = ["autoencoder", *PRIORS]
    pictures = [*(f"losses-{network}.png" for network in networks), "generated.png"]
    domains = sorted({domain_of(task) for task in tasks})
    names = {domain: [*pictures_of_tasks(domain), *pictures] for domain in domains}
    return [RESULTS / domain / "figures" / name for domain in domains for name in names[domain]]


def observation_results(observations):
    """Return what a reader wants of measured data: chi-squares, picture, video, and files of the field's formats."""
    names = ["chi_squares.csv", "posterior.png", "posterior.mp4", "modes.csv", "modes.png", "export"]
    names = {name: [*names, *PICTURES_OF_OBSERVED_MODEL.get(observed_model(name), [])] for name in observations}
    return [
        RESULTS / "observations" / observation / name for observation in observations for name in names[observation]
    ]


def observed_model(observation):
    return CONFIG.tasks[CONFIG.observations[observation].task].measurement.model


def observed(w):
    """Return the section of an observation."""
    return CONFIG.observations[w.observation]


def observes(question, w):
    """Return what the format of an observation says: its `files`, or whether it `uses_training` videos."""
    return checked(getattr(stage_module("observe"), question), selected("observe", observation=w.observation))


def priors_of_observation(w):
    return RESULTS / domain_of(observed(w).task) / "priors"


def sample_numbers(chosen):
    """Return the sample numbers of each job of an observation or a posterior: the first, and one beyond the last."""
    return sample_ranges(range(chosen.samples), chosen.samples_per_job)


def sample_files(folder, chosen):
    """Return the files of the samples of an observation or a posterior, whose results are in `folder`."""
    return [folder / f"samples/{shard}.h5" for shard in sample_numbers(chosen)]


def observed_samples(observation):
    return sample_files(RESULTS / "observations" / observation, CONFIG.observations[observation])


# Of many samples of one measurement.
def posterior_of(w):
    """Return the section of a posterior."""
    return CONFIG.posteriors[w.posterior]


def posterior_samples(w):
    return sample_files(RESULTS / "posteriors" / w.posterior, posterior_of(w))


def measurements_of_posterior(w):
    return RESULTS / posterior_of(w).task / "measurements"


def measurement_of_posterior(w):
    return measurement_files(posterior_of(w).task, [posterior_of(w).video])


def truths_of_posterior(w):
    return RESULTS / posterior_of(w).task / "truths"


def truth_of_posterior(w):
    """Return `--truth FILE` of the video that a posterior is of."""
    return ["--truth", *truth_files(posterior_of(w).task, [posterior_of(w).video])]


# Of a few more samples of every test video.
def calibration_files(task, method):
    """Return the files of a method's samples of each test video: the one of the tables, and those drawn beside it."""
    more = [RESULTS / task / "calibration" / method / f"{shard}.h5" for shard in sampling_shards(CONFIG, task)]
    return reconstruction_files(task, method) + more


# Of the search for settings.
def validation_videos(task):
    """Return the names of the validation videos that a task is tuned on."""
    there_are = CONFIG.video_format(domain_of(task)).validation_videos
    return [f"validation{number:03d}" for number in range(min(CONFIG.tuning.videos, there_are))]
