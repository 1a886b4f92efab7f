# Raw files -> one raw store per job of a few subjects.


if is_simulated("mri"):
    SIMULATED = shards(simulated_patients(CONFIG.data.mri.simulation.patients), CONFIG.data.mri.subjects_per_job)

    rule simulate_heart:
        output:
            directory(simulated_folder("mri", "{shard}")),
        log:
            RESULTS / "logs/mri/simulate/{shard}.log",
        benchmark:
            RESULTS / "benchmarks/mri/simulate/{shard}.tsv"
        conda:
            "../../envs/step.yaml"
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            patients=lambda w: SIMULATED[w.shard],
            settings=settings("simulate", domain="mri"),
            code=code("simulate"),
        shell:
            "python -m step simulate --settings {params.settings:q} --log {log:q}"
            " --patients {params.patients:q} --output-root {output:q}"


rule ingest:
    input:
        raw_files,
    output:
        RESULTS / "{domain}/ingested/{shard}.h5",
    log:
        RESULTS / "logs/{domain}/ingest/{shard}.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/ingest/{shard}.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        root=raw_root,
        subjects=lambda w: subject_shards(w.domain)[0][w.shard],
        settings=lambda w: settings("ingest", domain=w.domain),
        code=code("ingest"),
    shell:
        "python -m step ingest --settings {params.settings:q} --log {log:q}"
        " --root {params.root:q} --subjects {params.subjects:q} --output {output:q}"
