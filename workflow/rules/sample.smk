# Measurements -> posterior videos, sharded over videos; and the reference reconstructions.


rule sample:
    input:
        measurements=RESULTS / "{task}/measurements",
        autoencoder=lambda w: RESULTS / domain_of(w.task) / "priors/autoencoder",
        denoiser=lambda w: RESULTS / domain_of(w.task) / "priors" / CONFIG.methods[w.method].prior,
    output:
        RESULTS / "{task}/samples/{method}/{shard}.h5",
    log:
        RESULTS / "logs/{task}/sample/{method}-{shard}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/sample/{method}-{shard}.tsv"
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=24000,
        runtime=240,
    params:
        measurements=lambda w: measurement_files(w.task, sampling_shards(CONFIG, w.task)[w.shard]),
        samples=lambda w: ["0", str(CONFIG.tasks[w.task].samples)],
        settings=lambda w: settings("sample", task=w.task, method=w.method),
        code=lambda w: code("sample", task=w.task, method=w.method),
    shell:
        "python -m step sample --settings {params.settings:q} --log {log:q}"
        " --autoencoder {input.autoencoder:q} --denoiser {input.denoiser:q}"
        " --measurements {params.measurements:q} --samples {params.samples} --output {output:q}"


rule reference:
    input:
        measurements=RESULTS / "{task}/measurements",
        # Only the passage through the autoencoder needs it.
        prior=lambda w: [RESULTS / domain_of(w.task) / "priors/autoencoder"] if w.reference == "vae" else [],
    output:
        RESULTS / "{task}/references/{reference}.h5",
    log:
        RESULTS / "logs/{task}/reference/{reference}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/reference/{reference}.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        measurements=lambda w: measurement_files(w.task, tests(w.task)),
        prior=lambda w, input: ["--prior", input.prior] if input.prior else [],
        settings=lambda w: settings("reference", task=w.task, reference=w.reference),
        code=lambda w: code("reference", task=w.task, reference=w.reference),
    shell:
        "python -m step reference --settings {params.settings:q} --log {log:q}"
        " --measurements {params.measurements:q} {params.prior:q} --output {output:q}"
