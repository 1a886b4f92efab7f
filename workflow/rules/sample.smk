# Measurements -> optical flow -> posterior videos, sharded over videos; and the reference reconstructions.


rule optical_flow:
    input:
        videos=lambda w: RESULTS / w.task / made_of(CONFIG.tasks[w.task].optical_flow.source),
        described=lambda w: files_of_optical_flow(w.task),
        weights=lambda w: weights_of_optical_flow(w.task),
        checksums=CONFIG.weights.checksums,
    output:
        RESULTS / "{task}/optical_flow/{shard}.h5",
    log:
        RESULTS / "logs/{task}/optical_flow/{shard}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/optical_flow/{shard}.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        videos=lambda w: files_made_of(
            w.task, CONFIG.tasks[w.task].optical_flow.source, sampling_shards(CONFIG, w.task)[w.shard]
        ),
        weights=lambda w, input: ["--weights", input.weights] if input.weights else [],
        settings=lambda w: settings("optical_flow", task=w.task),
        code=lambda w: code("optical_flow", task=w.task),
    shell:
        "python -m step optical_flow --settings {params.settings:q} --log {log:q} --checksums {input.checksums:q}"
        " {params.weights:q} {params.videos:q} --output {output:q}"


rule sample:
    input:
        measurements=RESULTS / "{task}/measurements",
        autoencoder=lambda w: RESULTS / domain_of(w.task) / "priors/autoencoder",
        denoiser=lambda w: prior_folder(w.task, w.method),
        optical_flow=lambda w: optical_flow_of_method(w.task, w.method, w.shard),
        described=lambda w: files_of_sampling(w.task, w.method),
    output:
        samples=RESULTS / "{task}/samples/{method}/{shard}.h5",
        cost=RESULTS / "{task}/samples/{method}/{shard}-cost.csv",
    log:
        RESULTS / "logs/{task}/sample/{method}-{shard}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/sample/{method}-{shard}.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=growing(24000),
        runtime=growing(minutes_of_sampling),
    params:
        measurements=lambda w: measurement_files(w.task, sampling_shards(CONFIG, w.task)[w.shard]),
        samples=lambda w: ["0", str(CONFIG.tasks[w.task].samples)],
        place=lambda w: place_of_shard(w.task, w.shard),
        optical_flow=lambda w, input: ["--optical-flow", input.optical_flow] if input.optical_flow else [],
        settings=lambda w: settings("sample", task=w.task, method=w.method),
        code=lambda w: code("sample", task=w.task, method=w.method),
    shell:
        "python -m step sample --settings {params.settings:q} --log {log:q}"
        " --autoencoder {input.autoencoder:q} --denoiser {input.denoiser:q}"
        " --measurements {params.measurements:q} --samples {params.samples} --place {params.place} {params.optical_flow:q}"
        " --cost {output.cost:q} --output {output.samples:q}"


rule reference:
    input:
        videos=lambda w: RESULTS / w.task / made_of(w.reference),
        described=lambda w: files_of_reference(w.task, w.reference),
        # Only the passage through the autoencoder needs it.
        prior=lambda w: [RESULTS / domain_of(w.task) / "priors/autoencoder"] if w.reference == "vae" else [],
    output:
        RESULTS / "{task}/references/{reference}.h5",
    log:
        RESULTS / "logs/{task}/reference/{reference}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/reference/{reference}.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        videos=lambda w: files_made_of(w.task, w.reference, tests(w.task)),
        prior=lambda w, input: ["--prior", input.prior] if input.prior else [],
        settings=lambda w: settings("reference", task=w.task, reference=w.reference),
        code=lambda w: code("reference", task=w.task, reference=w.reference),
    shell:
        "python -m step reference --settings {params.settings:q} --log {log:q}"
        " {params.videos:q} {params.prior:q} --output {output:q}"
