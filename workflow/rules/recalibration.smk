# Samples of validation videos -> the factors by which spreads and intervals are multiplied: `uncertainty.recalibration`.

OF_VALIDATION = RESULTS / "{task}/recalibration/{method}"


use rule sample as sample_validation with:
    input:
        measurements=RESULTS / "{task}/tuning/measurements",
        autoencoder=lambda w: RESULTS / domain_of(w.task) / "priors/autoencoder",
        denoiser=lambda w: prior_folder(w.task, w.method),
        optical_flow=lambda w: (
            [RESULTS / w.task / "tuning/optical_flow.h5"] if CONFIG.methods[w.method].uses_optical_flow else []
        ),
        described=lambda w: files_of_sampling(w.task, w.method),
    output:
        samples=OF_VALIDATION / "samples.h5",
        cost=OF_VALIDATION / "samples-cost.csv",
    log:
        RESULTS / "logs/{task}/recalibration/{method}-sample.log",
    benchmark:
        RESULTS / "benchmarks/{task}/recalibration/{method}-sample.tsv"
    params:
        measurements=lambda w: of_validation(w, "measurements"),
        samples=lambda w: ["0", str(CONFIG.calibration.samples)],
        place=0,
        optical_flow=lambda w, input: ["--optical-flow", input.optical_flow] if input.optical_flow else [],
        settings=lambda w: settings("sample", task=w.task, method=w.method),
        code=lambda w: code("sample", task=w.task, method=w.method),


use rule calibrate as calibrate_validation with:
    input:
        measurements=RESULTS / "{task}/tuning/measurements",
        truths=RESULTS / "{task}/tuning/truths",
        described=lambda w: files_of_measurement(w.task),
        samples=OF_VALIDATION / "samples.h5",
    output:
        table=OF_VALIDATION / "calibration.csv",
        ranks=OF_VALIDATION / "ranks.csv",
    log:
        RESULTS / "logs/{task}/recalibration/{method}-calibrate.log",
    benchmark:
        RESULTS / "benchmarks/{task}/recalibration/{method}-calibrate.tsv"
    params:
        measurements=lambda w: of_validation(w, "measurements"),
        truths=lambda w: of_validation(w, "truths"),
        recalibration=[],
        settings=lambda w: settings("calibrate", task=w.task),
        code=lambda w: code("calibrate", task=w.task),


use rule quantities as quantities_of_validation with:
    input:
        truths=RESULTS / "{task}/tuning/truths",
        samples=OF_VALIDATION / "samples.h5",
    output:
        table=OF_VALIDATION / "quantities.csv",
        samples=OF_VALIDATION / "quantities-samples.csv",
    log:
        RESULTS / "logs/{task}/recalibration/{method}-quantities.log",
    benchmark:
        RESULTS / "benchmarks/{task}/recalibration/{method}-quantities.tsv"
    params:
        truths=lambda w: ["--truths", *of_validation(w, "truths")],
        recalibration=[],
        settings=lambda w: settings("quantities", task=w.task),
        code=lambda w: code("quantities", task=w.task),


rule recalibrate:
    input:
        calibration=OF_VALIDATION / "calibration.csv",
        quantities=OF_VALIDATION / "quantities.csv",
    output:
        OF_VALIDATION / "factors.csv",
    log:
        RESULTS / "logs/{task}/recalibration/{method}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/recalibration/{method}.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=settings("recalibrate"),
        code=code("recalibrate"),
    shell:
        "python -m step recalibrate --settings {params.settings:q} --log {log:q} --calibration {input.calibration:q}"
        " --quantities {input.quantities:q} --output {output:q}"
