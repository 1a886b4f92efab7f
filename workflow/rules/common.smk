# What all rules share: the checked configuration, lists of files, and how a stage is called.
#
# Every job has two params that snakemake compares with those of the last run, and that decide whether it runs again:
#
# * `settings`: the part of the configuration that its stage uses, as JSON text. The stage's `select` cuts it out, the
#   job is given it with `--settings`, and sees nothing else of the configuration. So an edited value makes stale the
#   jobs that use it, and comments or the order of keys make nothing stale.
# * `code`: the digest of the code that its stage runs, of all that it imports, and, where the stage is told to import
#   modules by name (a forward model, a noise source), of these; `code(stage)` alone is for stages that import none. So
#   an edit of the library makes stale the jobs that run it; comments and docstrings do not count.
#
# Of jobs that could run, those of a higher `priority` go first: 2 trainings, which everything of a domain waits for, 1
# what the tables of the methods are made of, 0 the rest. So the first table comes before calibration and ablations.
#
# Keywords choose what a stage is about: settings("sample", task=w.task, method=w.method). A mistake in the
# configuration ends planning with one line (`checked`).
import inspect
import re
import signal
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import get_args

from step.classical import modules as classical_modules
from step.cli import domains
from step.cli.stages import open_stage
from step.config.files import StudyFiles, made_of, sample_numbers, that_measure, words
from step.config.metrics import Network
from step.config.plan import compared_method, sampling_shards, shards
from step.config.pretrained import pretrained_settings
from step.config.settings import dump_settings
from step.config.study import check_config, overlaid_on_base
from step.config.targets import Targets
from step.errors import InputError
from step.estimate.requests import sampling_minutes
from step.estimate.unit_costs import read_unit_costs
from step.models import architectures
from step.products import Given, arguments_of, awaited_files, written_files
from step.provenance import code_digest
from step.sampling import named_files


def checked(function, *arguments, **words):
    """Return function(...); where an input cannot be used, end with the one line that says why."""
    try:
        return function(*arguments, **words)
    except InputError as error:
        sys.exit(f"error: {error}")


# A configuration that an importing workflow hands over is overlaid on the paper's study, as a file would be.
HANDED_OVER = len(workflow.configfiles) == N_CONFIGFILES
VALUES = checked(overlaid_on_base, config) if HANDED_OVER else config
CONFIG = checked(check_config, VALUES, source=" + ".join(map(str, workflow.configfiles)) or "the workflow's config")
RESULTS = CONFIG.results

# Which files there are, and which of them a target makes: tested Python plans these lists of the configuration alone.
FILES = StudyFiles(CONFIG)
TARGETS = Targets(
    FILES, lambda task: [file for figure in CONFIG.figures.plug_ins for file in figure_files(figure, task)]
)
REFERENCES, PRIORS, VIDEO_METHODS = FILES.references, FILES.priors, FILES.video_methods
SIMULATED, COSTS, NETWORKS = FILES.simulated_shards(), FILES.cost_files(), FILES.network_folders()

# The names by which the rules ask for them.
domain_of, tests, validation_videos = FILES.domain_of, FILES.tests, FILES.validation_videos
rows, tour_rows, movie_rows, animation_rows = FILES.rows, FILES.tour_rows, FILES.movie_rows, FILES.animation_rows
measurement_files, truth_files, files_made_of = FILES.measurement_files, FILES.truth_files, FILES.files_made_of
reconstruction_files, calibration_files = FILES.reconstruction_files, FILES.calibration_files
files_of_rows, metrics_files, feature_files = FILES.files_of_rows, FILES.metrics_files, FILES.feature_files
method_arguments, references_arguments = FILES.method_arguments, FILES.references_arguments
prior_folder = FILES.prior_folder
optical_flow_of_method, weights_of_optical_flow = FILES.optical_flow_of_method, FILES.weights_of_optical_flow
shard_of, place_of_shard, given_weights = FILES.shard_of, FILES.place_of_shard, FILES.given_weights
shards_of_ablation, videos_of_ablation = FILES.shards_of_ablation, FILES.videos_of_ablation
observed_samples, benchmark_files = FILES.observed_samples, FILES.benchmark_files
tour_results, study_results, tuning_results = TARGETS.tour_results, TARGETS.study_results, TARGETS.tuning_results
posterior_results, observation_results = TARGETS.posterior_results, TARGETS.observation_results
ablation_results, paper_figures = TARGETS.ablation_results, TARGETS.paper_figures
front_page, possible_ablations = TARGETS.front_page, TARGETS.possible_ablations

# The method that the tables compare all others with.
COMPARED_METHOD = compared_method(CONFIG)

# What was measured of the time that jobs take.
UNIT_COSTS = checked(read_unit_costs)

# The networks of others that the metrics and the optical flow use.
LEARNED_NETWORKS = get_args(Network)

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
    reference="|".join(map(re.escape, REFERENCES)),
    row="|".join(map(re.escape, [*CONFIG.methods, *REFERENCES])),
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
    return code_of(stage, selected(stage, **selectors)) if selectors else code_digest(*opened(stage).code)


def code_of(stage, selection):
    """Return the digest of the code that a stage runs with some settings, of what it imports by name too."""
    return code_digest(*opened(stage).code, *checked(opened(stage).imported_by_name, selection))


def figure_name(figure):
    """Return what the files and the job of a figure of your own are called: the last part of its module's name."""
    return figure.rpartition(".")[2]


def figure_files(figure, task):
    """Return what a figure of your own writes of a task."""
    made = written_files(stage_module(f"plot {figure}").Files, f"{RESULTS}/{task}/figures/{figure_name(figure)}")
    return [Path(file) for files in made.values() for file in files]


@cache
def subject_shards(domain):
    """Return the subjects of each ingestion job, and the raw files of each subject, by name."""
    data = CONFIG.video_format(domain)
    files = checked(
        import_module(checked(domains.module_name, "ingest", data.module, f"data.{domain}.module")).find_files, data
    )
    return shards(sorted(files), data.subjects_per_job), files


@cache
def files_of_domain(step, domain):
    """Return the files that a domain's settings for a step name."""
    return checked(domains.files_of_domain, step, CONFIG, domain)


@cache
def files_of_denoiser(domain):
    """Return the files that the settings of a domain's denoiser name."""
    return checked(architectures.files_of_denoiser, CONFIG.priors[domain].chosen_denoiser)


def growing(amount):
    """Return a resource of which a job that failed gets half as much again each time it is tried again.

    `amount` is what it gets at first, or a function that says so of its wildcards.
    """

    def resource(w, attempt):
        return round((amount(w) if callable(amount) else amount) * (1 + 0.5 * (attempt - 1)))

    # Snakemake asks for it several times a job, and working it out anew is a tenth of planning a large study.
    resource.__signature__ = inspect.signature(resource)
    return resource


def minutes_of_sampling(w):
    """Return the minutes that a sampling job asks for, by the number of its samples."""
    return minutes_of_samples(**dict(w.items()))


@cache
def minutes_of_samples(**wildcards):
    return checked(sampling_minutes, CONFIG, wildcards, UNIT_COSTS)


def raw_root(w):
    """Return the folder in which an ingestion job looks for its subjects."""
    return FILES.raw_root(w.domain, w.shard)


def raw_files(w):
    """Return the raw files of an ingestion job: those of its subjects, or the folder that is simulated for it."""
    if w.domain in SIMULATED:
        return raw_root(w)
    jobs, files = subject_shards(w.domain)
    return [file for subject in jobs[w.shard] for file in files[subject]]


@cache
def files_of_measurement(task):
    """Return the files that the measurement of a task is described in: whatever builds its forward model reads them."""
    return checked(named_files.files_of_measurement, CONFIG, task)


@cache
def files_of_reference(task, reference):
    """Return the files that a reference row depends on: none of the truth's, else the measurement's and its own."""
    if made_of(reference) == "truths":
        return []
    return files_of_measurement(task) + checked(classical_modules.files_of_reference, CONFIG, task, reference)


@cache
def files_of_sampling(task, method):
    """Return the files that the measurement of a task and the noise of a method are described in."""
    return checked(named_files.files_of_sampling, CONFIG, task, method)


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


def pretrained_input(domain):
    """Return what a pretrained prior's jobs depend on: its facts, which have the digests of all else."""
    folder = pretrained_folder(domain)
    return folder if PRETRAINED[domain].folder is None else folder / "prior.json"


def brightness_of_prior(domain):
    """Return what says how bright the videos are that a domain's prior has learned from."""
    return pretrained_input(domain) if domain in PRETRAINED else RESULTS / domain / "index.csv"


def files_of_optical_flow(task):
    """Return the files that a task's optical flow depends on: those of the measurement, unless it is the truth's."""
    return [] if CONFIG.tasks[task].optical_flow.source == "truth" else files_of_measurement(task)


def observed(w):
    """Return the section of an observation."""
    return CONFIG.observations[w.observation]


def observes(question, w):
    """Return what the format of an observation says: its `files`, or whether it `uses_training` videos."""
    return checked(
        getattr(stage_module("read_observation"), question), selected("read_observation", observation=w.observation)
    )


def priors_of_observation(w):
    return RESULTS / domain_of(observed(w).task) / "priors"


def factors_of(task, method):
    """Return the factors by which the spreads of a task's method are recalibrated, if they are."""
    return [RESULTS / task / f"recalibration/{method}/factors.csv"] if CONFIG.uncertainty.recalibration else []


def of_validation(w, folder):
    """Return the files of the validation videos in a folder of a task's tuning."""
    return [RESULTS / w.task / "tuning" / folder / f"{video}.h5" for video in validation_videos(w.task)]


def recalibration(w, input):
    """Return the option by which a job is given the factors, if it is."""
    return ["--recalibration", input.factors] if input.factors else []


def calibrated_rows():
    """Return what the tables of each method are called, by the name shown, and, if they are recalibrated, of these."""
    kinds = {method: method for method in CONFIG.calibration.methods}
    if CONFIG.uncertainty.recalibration:
        kinds |= {f"{method} recalibrated": f"{method}-recalibrated" for method in CONFIG.calibration.methods}
    return kinds


# Of many samples of one measurement.
def posterior_of(w):
    """Return the section of a posterior."""
    return CONFIG.posteriors[w.posterior]


def posterior_samples(w):
    return FILES.posterior_samples(w.posterior)


def measurements_of_posterior(w):
    return RESULTS / posterior_of(w).task / "measurements"


def measurement_of_posterior(w):
    return FILES.measurement_of_posterior(w.posterior)


def truths_of_posterior(w):
    return RESULTS / posterior_of(w).task / "truths"


def truth_of_posterior(w):
    return FILES.truth_of_posterior(w.posterior)


def given_to_figure(task):
    """Return what a figure of your own can ask for of a task, by the names of its fields."""
    folder, measured, true = RESULTS / task, measurement_files(task, tests(task)), truth_files(task, tests(task))
    reconstructions = [(row, *reconstruction_files(task, row)) for row in rows(task)]
    return {
        "measurement": Given([folder / "measurements"], [measured[:1]]),
        "measurements": Given([folder / "measurements"], [measured]),
        "truth": Given([folder / "truths"], [true[:1]]),
        "truths": Given([folder / "truths"], [true]),
        "methods": Given(files_of_rows(task, rows(task)), reconstructions),
        "metrics": Given([folder / "metrics.csv"], [[folder / "metrics.csv"]]),
    }


def of_figure(function, figure, task, *stem):
    """Return what `function` says of the files of a figure of your own and of a task."""
    return checked(function, stage_module(f"plot {figure}").Files, given_to_figure(task), *stem, source=figure)


def reported(figure):
    """Return the outputs of a figure of your own by their names, those for the report with the module's caption."""
    plotted_by, name = stage_module(f"plot {figure}"), figure_name(figure)
    caption, labels = getattr(plotted_by, "CAPTION", None), {"of": "{task}", "what": name}

    def output(file):
        return report(file, caption, category="Pictures", labels=labels) if file.endswith((".png", ".mp4")) else file

    return {
        field: [output(file) for file in files]
        for field, files in written_files(plotted_by.Files, f"{RESULTS}/{{task}}/figures/{name}").items()
    }
