# Validation videos -> settings of the sampler, and of classical rows, that suit them, as configurations to overlay on
# the study's own.


use rule measure as measure_validation with:
    output:
        measurements=directory(RESULTS / "{task}/tuning/measurements"),
        truths=directory(RESULTS / "{task}/tuning/truths"),
    log:
        RESULTS / "logs/{task}/tuning/measure.log",
    benchmark:
        RESULTS / "benchmarks/{task}/tuning/measure.tsv"
    priority: 0
    params:
        videos=lambda w: validation_videos(w.task),
        settings=lambda w: settings("measure", task=w.task),
        code=lambda w: code("measure", task=w.task),


use rule optical_flow as optical_flow_of_validation with:
    input:
        videos=lambda w: RESULTS / w.task / "tuning" / made_of(CONFIG.tasks[w.task].optical_flow.source),
        described=lambda w: files_of_optical_flow(w.task),
        weights=lambda w: weights_of_optical_flow(w.task),
        checksums=CONFIG.weights.checksums,
    output:
        RESULTS / "{task}/tuning/optical_flow.h5",
    log:
        RESULTS / "logs/{task}/tuning/optical_flow.log",
    benchmark:
        RESULTS / "benchmarks/{task}/tuning/optical_flow.tsv"
    priority: 0
    params:
        videos=lambda w, input: [
            f"--{made_of(CONFIG.tasks[w.task].optical_flow.source)}",
            *(f"{input.videos}/{video}.h5" for video in validation_videos(w.task)),
        ],
        weights=lambda w, input: ["--weights", input.weights] if input.weights else [],
        settings=lambda w: settings("optical_flow", task=w.task),
        code=lambda w: code("optical_flow", task=w.task),


# The trials lie in an undeclared folder, so that a search that was killed goes on.
rule tune:
    input:
        measurements=RESULTS / "{task}/tuning/measurements",
        truths=RESULTS / "{task}/tuning/truths",
        described=lambda w: files_of_sampling(w.task, CONFIG.tuning.method),
        autoencoder=lambda w: RESULTS / domain_of(w.task) / "priors/autoencoder",
        denoiser=lambda w: prior_folder(w.task, CONFIG.tuning.method),
        optical_flow=lambda w: (
            [RESULTS / w.task / "tuning/optical_flow.h5"]
            if CONFIG.methods[CONFIG.tuning.method].uses_optical_flow
            else []
        ),
    output:
        tuned=RESULTS / "{task}/tuning/tuned.yaml",
        trials=RESULTS / "{task}/tuning/trials.csv",
    log:
        RESULTS / "logs/{task}/tuning/tune.log",
    benchmark:
        RESULTS / "benchmarks/{task}/tuning/tune.tsv"
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=growing(24000),
        runtime=2880,
    params:
        measurements=lambda w, input: [f"{input.measurements}/{video}.h5" for video in validation_videos(w.task)],
        truths=lambda w, input: [f"{input.truths}/{video}.h5" for video in validation_videos(w.task)],
        optical_flow=lambda w, input: ["--optical-flow", input.optical_flow] if input.optical_flow else [],
        state=lambda w: RESULTS / w.task / "tuning/.state",
        settings=lambda w: settings("tune", task=w.task),
        code=lambda w: code("tune", task=w.task),
    shell:
        "python -m step tune --settings {params.settings:q} --log {log:q}"
        " --autoencoder {input.autoencoder:q} --denoiser {input.denoiser:q}"
        " --measurements {params.measurements:q} --truths {params.truths:q} {params.optical_flow:q} --state {params.state:q}"
        " --output {output.tuned:q} --table {output.trials:q}"


# What the autoencoder loses, as the data see it: the noise level that the likelihood should assume.
rule estimate_representation:
    input:
        measurements=RESULTS / "{task}/tuning/measurements",
        truths=RESULTS / "{task}/tuning/truths",
        described=lambda w: files_of_measurement(w.task),
        autoencoder=lambda w: RESULTS / domain_of(w.task) / "priors/autoencoder",
    output:
        overlay=RESULTS / "{task}/tuning/representation.yaml",
        table=RESULTS / "{task}/tuning/representation.csv",
    log:
        RESULTS / "logs/{task}/tuning/representation.log",
    benchmark:
        RESULTS / "benchmarks/{task}/tuning/representation.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        measurements=lambda w, input: [f"{input.measurements}/{video}.h5" for video in validation_videos(w.task)],
        truths=lambda w, input: [f"{input.truths}/{video}.h5" for video in validation_videos(w.task)],
        settings=lambda w: settings("estimate_representation", task=w.task),
        code=lambda w: code("estimate_representation", task=w.task),
    shell:
        "python -m step estimate_representation --settings {params.settings:q} --log {log:q}"
        " --autoencoder {input.autoencoder:q} --measurements {params.measurements:q} --truths {params.truths:q}"
        " --output {output.overlay:q} --table {output.table:q}"


# A classical reconstruction has no prior, so that it is tuned without a training.
rule tune_classical:
    input:
        measurements=RESULTS / "{task}/tuning/measurements",
        truths=RESULTS / "{task}/tuning/truths",
        described=lambda w: files_of_reference(w.task, w.reference),
    output:
        tuned=RESULTS / "{task}/tuning/{reference}/tuned.yaml",
        trials=RESULTS / "{task}/tuning/{reference}/trials.csv",
    log:
        RESULTS / "logs/{task}/tuning/{reference}/tune.log",
    benchmark:
        RESULTS / "benchmarks/{task}/tuning/{reference}/tune.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=1440,
    params:
        measurements=lambda w, input: [f"{input.measurements}/{video}.h5" for video in validation_videos(w.task)],
        truths=lambda w, input: [f"{input.truths}/{video}.h5" for video in validation_videos(w.task)],
        state=lambda w: RESULTS / w.task / "tuning/.state",
        settings=lambda w: settings("tune_classical", task=w.task, reference=w.reference),
        code=lambda w: code("tune_classical", task=w.task, reference=w.reference),
    shell:
        "python -m step tune_classical --settings {params.settings:q} --log {log:q}"
        " --measurements {params.measurements:q} --truths {params.truths:q} --state {params.state:q}"
        " --output {output.tuned:q} --table {output.trials:q}"


rule plot_tuning:
    input:
        RESULTS / "{task}/tuning/trials.csv",
    output:
        multiext(str(RESULTS / "{task}/tuning/trials"), ".png", ".pdf"),
    log:
        RESULTS / "logs/{task}/tuning/plot.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=settings("plot tuning"),
        code=code("plot tuning"),
    shell:
        "python -m step plot tuning --settings {params.settings:q} --log {log:q} --trials {input:q} --output {output:q}"


use rule plot_tuning as plot_tuning_of_classical with:
    input:
        RESULTS / "{task}/tuning/{reference}/trials.csv",
    output:
        multiext(str(RESULTS / "{task}/tuning/{reference}/trials"), ".png", ".pdf"),
    log:
        RESULTS / "logs/{task}/tuning/{reference}/plot.log",
