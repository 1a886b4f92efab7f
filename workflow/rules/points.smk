# The points of an ablation: what each is in the study's terms, and what of the study it can share.
from types import SimpleNamespace

from step.config.ablations import EPOCH
from step.config.study import varied


def ablation_of(w):
    """Return the section of an ablation."""
    return CONFIG.ablations[w.ablation]


def points(ablation):
    """Return the values of an ablation by the names of their folders."""
    return {f"{number:02d}": value for number, value in enumerate(CONFIG.ablations[ablation].values)}


@cache
def study_of(ablation, point):
    """Return the study in which an ablation's key has the value of a point."""
    return checked(varied, CONFIG, ablation, points(ablation)[point])


@cache
def settings_of_point(stage, ablation, point, **selectors):
    """Return the settings of a stage in the study of a point, as JSON text."""
    return dump_settings(checked(stage_module(stage).select, study_of(ablation, point), **selectors))


def method_of_point(w):
    return study_of(w.ablation, w.point).methods[ablation_of(w).method]


def index_of_point(w):
    """Return the index of a point's videos: the study's own, where the split is."""
    domain = domain_of(ablation_of(w).task)
    folder = domain if is_study(w, "split", domain=domain) else f"ablations/{w.ablation}/{w.point}"
    return RESULTS / folder / "index.csv"


def prior_of_point(w):
    """Return the model folder of a point: the study's own, as it was after some epochs, or one that is trained for it."""
    if is_study_prior(w):
        return prior_folder(ablation_of(w).task, ablation_of(w).method)
    return RESULTS / f"ablations/{w.ablation}/{w.point}/prior"


def epoch_of_point(w):
    """Return the folder, below that of the model, of the epoch that a point is; nothing for the last one."""
    value = points(w.ablation)[w.point]
    training = getattr(CONFIG.priors[domain_of(ablation_of(w).task)], method_of_point(w).prior)
    return f"epochs/{value:g}" if ablation_of(w).key == EPOCH and value != training.optimisation.epochs else ""


def is_study(w, stage, **selectors):
    """Return whether a stage does for a point what it does for the study."""
    return settings_of_point(stage, w.ablation, w.point, **selectors) == settings(stage, **selectors)


def is_study_prior(w):
    """Return whether the prior of a point is the study's own, perhaps as it was after some epochs."""
    domain = domain_of(ablation_of(w).task)
    return is_study(w, "split", domain=domain) and is_study(w, "train", domain=domain, prior=method_of_point(w).prior)


def videos_of_ablation(ablation):
    chosen = CONFIG.ablations[ablation]
    return tests(chosen.task)[: chosen.videos]


def shards_of_ablation(ablation):
    return shards(videos_of_ablation(ablation), CONFIG.tasks[CONFIG.ablations[ablation].task].videos_per_job)


def samples_of_point(w):
    """Return the reconstructions of a point; those of the study where nothing differs."""
    chosen = ablation_of(w)
    folder = (
        f"{chosen.task}/samples/{chosen.method}" if is_study_point(w) else f"ablations/{w.ablation}/{w.point}/samples"
    )
    return [RESULTS / folder / f"{shard}.h5" for shard in shards_of_ablation(w.ablation)]


def is_study_point(w):
    """Return whether a point is the study itself."""
    same_samples = is_study(w, "sample", task=ablation_of(w).task, method=ablation_of(w).method)
    return same_samples and is_study_prior(w) and not epoch_of_point(w)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def label_of(value):
    return f"{value:g}" if is_number(value) else str(value)


def point_arguments(w, files):
    """Return label, number ('-' where it is a word, or a seed, which is a name) and metrics of each point of an axis."""
    values, named = points(w.ablation).values(), ablation_of(w).of_seeds
    return [
        (label_of(value), value if is_number(value) and not named else "-", file) for value, file in zip(values, files)
    ]


def study_arguments(w):
    """Return which point of an axis is the study's own, if one is."""
    at_points = [SimpleNamespace(ablation=w.ablation, point=point) for point in points(w.ablation)]
    own = [label_of(points(w.ablation)[one.point]) for one in at_points if is_study_point(one)]
    return ["--study", own[0]] if own else []
