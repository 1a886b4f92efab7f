# Raw files -> one raw store per job of a few subjects.


for domain in SIMULATED:

    rule:
        name:
            f"simulate_{domain}"
        input:
            files_of_domain("simulate", domain),
        output:
            directory(FILES.raw_root(domain, "{shard}")),
        log:
            RESULTS / f"logs/{domain}/simulate/{{shard}}.log",
        benchmark:
            RESULTS / f"benchmarks/{domain}/simulate/{{shard}}.tsv"
        conda:
            "../../envs/step.yaml"
        resources:
            mem_mb=growing(2000),
            runtime=growing(60),
        params:
            subjects=partial(lambda domain, wildcards: SIMULATED[domain][wildcards.shard], domain),
            settings=settings("simulate", domain=domain),
            code=code("simulate", domain=domain),
        shell:
            "python -m step simulate --settings {params.settings:q} --log {log:q}"
            " --subjects {params.subjects:q} --output-root {output:q}"


rule ingest:
    input:
        raw_files,
        lambda w: files_of_domain("ingest", w.domain),
    output:
        RESULTS / "{domain}/ingested/{shard}.h5",
    log:
        RESULTS / "logs/{domain}/ingest/{shard}.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/ingest/{shard}.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        root=raw_root,
        subjects=lambda w: subject_shards(w.domain)[0][w.shard],
        settings=lambda w: settings("ingest", domain=w.domain),
        code=lambda w: code("ingest", domain=w.domain),
    shell:
        "python -m step ingest --settings {params.settings:q} --log {log:q}"
        " --root {params.root:q} --subjects {params.subjects:q} --output {output:q}"
