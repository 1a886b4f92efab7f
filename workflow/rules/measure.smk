# Held-out videos -> simulated measurements, and the true videos apart from them.


rule measure:
    input:
        index=lambda w: RESULTS / domain_of(w.task) / "index.csv",
        described=lambda w: files_of_measurement(w.task),
    output:
        measurements=directory(RESULTS / "{task}/measurements"),
        truths=directory(RESULTS / "{task}/truths"),
    log:
        RESULTS / "logs/{task}/measure.log",
    benchmark:
        RESULTS / "benchmarks/{task}/measure.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        videos=lambda w: tests(w.task),
        settings=lambda w: settings("measure", task=w.task),
        code=lambda w: code("measure", task=w.task),
    shell:
        "python -m step measure --settings {params.settings:q} --log {log:q}"
        " --index {input.index:q} --videos {params.videos:q} --truths {output.truths:q}"
        " --output {output.measurements:q}"
