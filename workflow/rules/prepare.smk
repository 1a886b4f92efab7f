# Raw store -> videos of the study's size -> who is trained on and who is held out.


rule prepare:
    input:
        store=RESULTS / "{domain}/ingested/{shard}.h5",
        described=lambda w: files_of_domain("prepare", w.domain),
    output:
        RESULTS / "{domain}/prepared/{shard}.h5",
    log:
        RESULTS / "logs/{domain}/prepare/{shard}.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/prepare/{shard}.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=lambda w: settings("prepare", domain=w.domain),
        code=lambda w: code("prepare", domain=w.domain),
    shell:
        "python -m step prepare --settings {params.settings:q} --log {log:q}"
        " --input {input.store:q} --output {output:q}"


rule split:
    input:
        lambda w: expand(RESULTS / "{{domain}}/prepared/{shard}.h5", shard=subject_shards(w.domain)[0]),
    output:
        RESULTS / "{domain}/index.csv",
    log:
        RESULTS / "logs/{domain}/split.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/split.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        settings=lambda w: settings("split", domain=w.domain),
        code=code("split"),
    shell:
        "python -m step split --settings {params.settings:q} --log {log:q}" " --inputs {input:q} --output {output:q}"
