# The points of an ablation, by their names: step.config.points says what each can share with the study.
from step.config.points import point_arguments, points_of, study_arguments


def ablation_of(w):
    """Return the section of an ablation."""
    return CONFIG.ablations[w.ablation]


@cache
def points(ablation):
    """Return the points of an ablation by the names of their folders."""
    return points_of(CONFIG, ablation, lambda stage: stage_module(stage).select)


def of_point(name):
    """Return the input or param that is the attribute `name` of a job's point, such as its `prior`."""
    return lambda w: checked(getattr, points(w.ablation)[w.point], name)


def method_of_point(w):
    return checked(getattr, points(w.ablation)[w.point], "method")


@cache
def selected_of_point(stage, ablation, point, **selectors):
    """Return the part of the study of a point that a stage uses."""
    return checked(stage_module(stage).select, study_of(ablation, point), **selectors)


@cache
def settings_of_point(stage, ablation, point, **selectors):
    """Return the settings of a stage in the study of a point, as JSON text."""
    return dump_settings(selected_of_point(stage, ablation, point, **selectors))


@cache
def code_of_point(stage, ablation, point, **selectors):
    """Return the digest of the code that a stage runs in the study of a point."""
    return code_of(stage, selected_of_point(stage, ablation, point, **selectors))


@cache
def files_of_point(ablation, point):
    """Return the files that measurement, noise and sampler of a point are described in."""
    chosen = CONFIG.ablations[ablation]
    return checked(named_files.files_of_sampling, study_of(ablation, point), chosen.task, chosen.method)


def study_of(ablation, point):
    """Return the study in which an ablation's key has the value of a point."""
    return checked(getattr, points(ablation)[point], "config")
