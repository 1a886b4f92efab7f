# A few more samples of every test video -> whether the spread of the samples is as large as their errors.


use rule sample as sample_calibration with:
    output:
        samples=RESULTS / "{task}/calibration/{method}/{shard}.h5",
        cost=RESULTS / "{task}/calibration/{method}/{shard}-cost.csv",
    log:
        RESULTS / "logs/{task}/calibration/{method}-{shard}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/calibration/{method}-{shard}.tsv"
    priority: 0
    params:
        measurements=lambda w: measurement_files(w.task, sampling_shards(CONFIG, w.task)[w.shard]),
        # The task's own samples are there already.
        samples=lambda w: [str(CONFIG.tasks[w.task].samples), str(CONFIG.calibration.samples)],
        place=lambda w: place_of_shard(w.task, w.shard),
        optical_flow=lambda w, input: ["--optical-flow", input.optical_flow] if input.optical_flow else [],
        settings=lambda w: settings("sample", task=w.task, method=w.method),
        code=lambda w: code("sample", task=w.task, method=w.method),


rule calibrate:
    input:
        measurements=RESULTS / "{task}/measurements",
        truths=RESULTS / "{task}/truths",
        described=lambda w: files_of_measurement(w.task),
        samples=lambda w: calibration_files(w.task, w.method),
    output:
        table=RESULTS / "{task}/calibration/{method}.csv",
        ranks=RESULTS / "{task}/calibration/{method}-ranks.csv",
    log:
        RESULTS / "logs/{task}/calibrate/{method}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/calibrate/{method}.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        measurements=lambda w: measurement_files(w.task, tests(w.task)),
        truths=lambda w: truth_files(w.task, tests(w.task)),
        recalibration=[],
        settings=lambda w: settings("calibrate", task=w.task),
        code=lambda w: code("calibrate", task=w.task),
    shell:
        "python -m step calibrate --settings {params.settings:q} --log {log:q}"
        " --measurements {params.measurements:q} --truths {params.truths:q} --reconstructions {input.samples:q}"
        " {params.recalibration:q} --output {output.table:q} --ranks {output.ranks:q}"


use rule calibrate as calibrate_recalibrated with:
    input:
        measurements=RESULTS / "{task}/measurements",
        truths=RESULTS / "{task}/truths",
        described=lambda w: files_of_measurement(w.task),
        samples=lambda w: calibration_files(w.task, w.method),
        factors=RESULTS / "{task}/recalibration/{method}/factors.csv",
    output:
        table=RESULTS / "{task}/calibration/{method}-recalibrated.csv",
        ranks=RESULTS / "{task}/calibration/{method}-recalibrated-ranks.csv",
    log:
        RESULTS / "logs/{task}/calibrate/{method}-recalibrated.log",
    benchmark:
        RESULTS / "benchmarks/{task}/calibrate/{method}-recalibrated.tsv"
    params:
        measurements=lambda w: measurement_files(w.task, tests(w.task)),
        truths=lambda w: truth_files(w.task, tests(w.task)),
        recalibration=recalibration,
        settings=lambda w: settings("calibrate", task=w.task),
        code=lambda w: code("calibrate", task=w.task),


rule plot_calibration:
    input:
        tables=lambda w: [RESULTS / w.task / f"calibration/{name}.csv" for name in calibrated_rows().values()],
        ranks=lambda w: [RESULTS / w.task / f"calibration/{name}-ranks.csv" for name in calibrated_rows().values()],
    output:
        report(
            RESULTS / "{task}/figures/calibration.png",
            caption="../report/calibration.rst",
            category="Pictures",
            labels={"of": "{task}", "what": "calibration"},
        ),
        RESULTS / "{task}/figures/calibration.pdf",
        data=RESULTS / "{task}/figures/calibration.csv",
    log:
        RESULTS / "logs/{task}/figures/calibration.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        methods=lambda w, input: words("--method", zip(calibrated_rows(), input.tables, input.ranks)),
        pictures=lambda w, output: output[:2],
        settings=settings("plot calibration"),
        code=code("plot calibration"),
    shell:
        "python -m step plot calibration --settings {params.settings:q} --log {log:q}"
        " {params.methods:q} --data {output.data:q} --output {params.pictures:q}"
