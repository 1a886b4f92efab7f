# Reconstructions -> metrics per video -> the table of a task.


rule evaluate:
    input:
        measurements=RESULTS / "{task}/measurements",
        reconstructions=lambda w: reconstruction_files(w.task, w.row),
    output:
        RESULTS / "{task}/metrics/{row}.csv",
    log:
        RESULTS / "logs/{task}/evaluate/{row}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/evaluate/{row}.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        measurements=lambda w: measurement_files(w.task, tests(w.task)),
        settings=lambda w: settings("evaluate", task=w.task),
        code=lambda w: code("evaluate", task=w.task),
    shell:
        "python -m step evaluate --settings {params.settings:q} --log {log:q}"
        " --measurements {params.measurements:q} --reconstructions {input.reconstructions:q} --output {output:q}"


rule tabulate:
    input:
        lambda w: [RESULTS / w.task / f"metrics/{row}.csv" for row in rows(w.task)],
    output:
        RESULTS / "{task}/metrics.csv",
    log:
        RESULTS / "logs/{task}/tabulate.log",
    benchmark:
        RESULTS / "benchmarks/{task}/tabulate.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        rows=lambda w: rows(w.task),
        paired="step_joint" if "step_joint" in CONFIG.methods else next(iter(CONFIG.methods)),
        settings=lambda w: settings("tabulate", task=w.task),
        code=code("tabulate"),
    shell:
        "python -m step tabulate --settings {params.settings:q} --log {log:q}"
        " --inputs {input:q} --methods {params.rows:q} --paired-with {params.paired:q} --output {output:q}"
