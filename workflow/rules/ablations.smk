# One value of the study changed -> prior (where it depends on it), samples, metrics -> a curve per axis.
from types import SimpleNamespace

ABLATION = RESULTS / "ablations/{ablation}"
POINT = ABLATION / "{point}"


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


def varies(w, *keys):
    """Return whether an ablation's key is below one of some keys."""
    return ablation_of(w).key.startswith(keys)


def index_of_point(w):
    domain = domain_of(ablation_of(w).task)
    return (
        RESULTS / f"ablations/{w.ablation}/{w.point}/index.csv"
        if varies(w, "data.")
        else RESULTS / domain / "index.csv"
    )


def prior_of_point(w):
    """Return the model folder of a point: the study's own, as it was after some epochs, or one that is trained for it."""
    if is_study_prior(w):
        return prior_folder(ablation_of(w).task, ablation_of(w).method)
    return RESULTS / f"ablations/{w.ablation}/{w.point}/prior"


def epoch_of_point(w):
    """Return the folder, below that of the model, of the epoch that a point is; nothing for the last one."""
    value = points(w.ablation)[w.point]
    training = getattr(CONFIG.priors[domain_of(ablation_of(w).task)], method_of_point(w).prior)
    return f"/epochs/{value:g}" if ablation_of(w).key == EPOCH and value != training.optimisation.epochs else ""


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
    """Return label, number if it is one, and metrics of each point of an axis."""
    values = points(w.ablation).values()
    return [(label_of(value), value if is_number(value) else "", file) for value, file in zip(values, files)]


def study_arguments(w):
    """Return which point of an axis is the study's own, if one is."""
    at_points = [SimpleNamespace(ablation=w.ablation, point=point) for point in points(w.ablation)]
    own = [label_of(points(w.ablation)[one.point]) for one in at_points if is_study_point(one)]
    return ["--study", own[0]] if own else []


use rule split as split_ablation with:
    input:
        lambda w: [
            RESULTS / f"{domain_of(ablation_of(w).task)}/prepared/{shard}.h5"
            for shard in subject_shards(domain_of(ablation_of(w).task))[0]
        ],
    output:
        POINT / "index.csv",
    log:
        RESULTS / "logs/ablations/{ablation}/split-{point}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/split-{point}.tsv"
    params:
        settings=lambda w: settings_of_point("split", w.ablation, w.point, domain=domain_of(ablation_of(w).task)),
        code=code("split"),


use rule train_denoiser as train_ablation with:
    input:
        index=index_of_point,
        autoencoder=lambda w: RESULTS / domain_of(ablation_of(w).task) / "priors/autoencoder",
        initial=lambda w: (
            [RESULTS / domain_of(ablation_of(w).task) / "priors/image"] if method_of_point(w).prior == "joint" else []
        ),
    output:
        directory(POINT / "prior"),
    log:
        RESULTS / "logs/ablations/{ablation}/train-{point}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/train-{point}.tsv"
    params:
        state=RESULTS / "ablations/.state",
        initial=lambda w, input: ["--initial", input.initial] if input.initial else [],
        settings=lambda w: settings_of_point(
            "train", w.ablation, w.point, domain=domain_of(ablation_of(w).task), prior=method_of_point(w).prior
        ),
        code=code("train"),


rule sample_ablation:
    input:
        measurements=lambda w: RESULTS / ablation_of(w).task / "measurements",
        autoencoder=lambda w: RESULTS / domain_of(ablation_of(w).task) / "priors/autoencoder",
        denoiser=prior_of_point,
        flow=lambda w: flow_of_method(ablation_of(w).task, ablation_of(w).method, w.shard),
    output:
        samples=POINT / "samples/{shard}.h5",
        cost=POINT / "samples/{shard}-cost.csv",
    log:
        RESULTS / "logs/ablations/{ablation}/sample-{point}-{shard}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/sample-{point}-{shard}.tsv"
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=24000,
        runtime=240,
    params:
        measurements=lambda w: measurement_files(ablation_of(w).task, shards_of_ablation(w.ablation)[w.shard]),
        # Of a trained prior there is one folder for each epoch that was kept, so that nothing is trained again.
        denoiser=lambda w, input: f"{input.denoiser}{epoch_of_point(w)}",
        flow=lambda w, input: ["--flow", input.flow] if input.flow else [],
        settings=lambda w: settings_of_point(
            "sample", w.ablation, w.point, task=ablation_of(w).task, method=ablation_of(w).method
        ),
        code=lambda w: code("sample", task=ablation_of(w).task, method=ablation_of(w).method),
    shell:
        "python -m step sample --settings {params.settings:q} --log {log:q}"
        " --autoencoder {input.autoencoder:q} --denoiser {params.denoiser:q}"
        " --measurements {params.measurements:q} --samples 0 1 {params.flow:q}"
        " --cost {output.cost:q} --output {output.samples:q}"


use rule evaluate as evaluate_ablation with:
    input:
        measurements=lambda w: RESULTS / ablation_of(w).task / "measurements",
        reconstructions=samples_of_point,
        weights=RESULTS / "weights/vgg16.safetensors",
        checksums=CONFIG.weights.checksums,
    output:
        POINT / "metrics.csv",
    log:
        RESULTS / "logs/ablations/{ablation}/evaluate-{point}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/evaluate-{point}.tsv"
    params:
        measurements=lambda w: measurement_files(ablation_of(w).task, videos_of_ablation(w.ablation)),
        settings=lambda w: settings("evaluate", task=ablation_of(w).task),
        code=lambda w: code("evaluate", task=ablation_of(w).task),


rule tabulate_ablation:
    input:
        lambda w: [RESULTS / f"ablations/{w.ablation}/{point}/metrics.csv" for point in points(w.ablation)],
    output:
        report(
            ABLATION / "curve.csv",
            caption="../report/ablation.rst",
            category="Tables",
            labels={"table": "", "of": "ablation {ablation}"},
        ),
    log:
        RESULTS / "logs/ablations/{ablation}/tabulate.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        points=lambda w, input: words("--point", point_arguments(w, input)),
        study=study_arguments,
        settings=settings("tabulate_ablation"),
        code=code("tabulate_ablation"),
    shell:
        "python -m step tabulate_ablation --settings {params.settings:q} --log {log:q}"
        " --axis {wildcards.ablation:q} {params.points:q} {params.study:q} --output {output:q}"


rule plot_ablation:
    input:
        ABLATION / "curve.csv",
    output:
        report(
            ABLATION / "curve.png",
            caption="../report/ablation.rst",
            category="Figures",
            labels={"figure": " 7 (c)", "of": "{ablation}", "what": "ablation"},
        ),
        ABLATION / "curve.pdf",
    log:
        RESULTS / "logs/ablations/{ablation}/plot.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=settings("plot_ablation"),
        code=code("plot_ablation"),
    shell:
        "python -m step plot_ablation --settings {params.settings:q} --log {log:q}"
        " --table {input:q} --output {output:q}"
