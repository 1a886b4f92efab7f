# One value of the study changed -> prior (where it depends on it), samples, metrics -> a curve per axis.
ABLATION = RESULTS / "ablations/{ablation}"
POINT = ABLATION / "{point}"


use rule split as split_ablation with:
    input:
        lambda w: [
            RESULTS / f"{domain_of(ablation_of(w).task)}/prepared/{shard}.h5"
            for shard in subject_shards(domain_of(ablation_of(w).task))[0]
        ],
    output:
        POINT / "index.csv",
    log:
        RESULTS / "logs/ablations/{ablation}/split-{point}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/split-{point}.tsv"
    params:
        settings=lambda w: settings_of_point("split", w.ablation, w.point, domain=domain_of(ablation_of(w).task)),
        code=code("split"),


use rule train_denoiser as train_ablation with:
    input:
        index=of_point("index"),
        autoencoder=lambda w: RESULTS / domain_of(ablation_of(w).task) / "priors/autoencoder",
        initial=lambda w: (
            [RESULTS / domain_of(ablation_of(w).task) / "priors/image"] if method_of_point(w).prior == "joint" else []
        ),
        described=lambda w: files_of_denoiser(domain_of(ablation_of(w).task)),
    output:
        directory(POINT / "prior"),
    log:
        RESULTS / "logs/ablations/{ablation}/train-{point}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/train-{point}.tsv"
    params:
        # Of its own: a training removes the states of others in its folder.
        state=lambda w: RESULTS / "ablations/.state" / w.ablation / w.point,
        initial=lambda w, input: ["--initial", input.initial] if input.initial else [],
        settings=lambda w: settings_of_point(
            "train", w.ablation, w.point, domain=domain_of(ablation_of(w).task), prior=method_of_point(w).prior
        ),
        code=lambda w: code_of_point(
            "train", w.ablation, w.point, domain=domain_of(ablation_of(w).task), prior=method_of_point(w).prior
        ),


rule sample_ablation:
    input:
        measurements=lambda w: RESULTS / ablation_of(w).task / "measurements",
        autoencoder=lambda w: RESULTS / domain_of(ablation_of(w).task) / "priors/autoencoder",
        denoiser=of_point("prior"),
        optical_flow=lambda w: optical_flow_of_method(ablation_of(w).task, ablation_of(w).method, w.shard),
        described=lambda w: files_of_point(w.ablation, w.point),
    output:
        samples=POINT / "samples/{shard}.h5",
        cost=POINT / "samples/{shard}-cost.csv",
    log:
        RESULTS / "logs/ablations/{ablation}/sample-{point}-{shard}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/sample-{point}-{shard}.tsv"
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=growing(24000),
        runtime=growing(minutes_of_sampling),
    params:
        measurements=lambda w: measurement_files(ablation_of(w).task, shards_of_ablation(w.ablation)[w.shard]),
        place=lambda w: place_of_shard(ablation_of(w).task, w.shard),
        # Of a trained prior there is one folder for each epoch that was kept, so that nothing is trained again.
        denoiser=lambda w, input: str(Path(input.denoiser) / of_point("epoch")(w)),
        optical_flow=lambda w, input: ["--optical-flow", input.optical_flow] if input.optical_flow else [],
        settings=lambda w: settings_of_point(
            "sample", w.ablation, w.point, task=ablation_of(w).task, method=ablation_of(w).method
        ),
        code=lambda w: code_of_point(
            "sample", w.ablation, w.point, task=ablation_of(w).task, method=ablation_of(w).method
        ),
    shell:
        "python -m step sample --settings {params.settings:q} --log {log:q}"
        " --autoencoder {input.autoencoder:q} --denoiser {params.denoiser:q}"
        " --measurements {params.measurements:q} --samples 0 1 --place {params.place} {params.optical_flow:q}"
        " --cost {output.cost:q} --output {output.samples:q}"


use rule evaluate as evaluate_ablation with:
    input:
        measurements=lambda w: RESULTS / ablation_of(w).task / "measurements",
        truths=lambda w: RESULTS / ablation_of(w).task / "truths",
        described=lambda w: files_of_measurement(ablation_of(w).task),
        reconstructions=of_point("samples"),
        weights=RESULTS / "weights/vgg16.safetensors",
        checksums=CONFIG.weights.checksums,
    output:
        metrics=POINT / "metrics.csv",
    log:
        RESULTS / "logs/ablations/{ablation}/evaluate-{point}.log",
    benchmark:
        RESULTS / "benchmarks/ablations/{ablation}/evaluate-{point}.tsv"
    priority: 0
    params:
        measurements=lambda w: measurement_files(ablation_of(w).task, videos_of_ablation(w.ablation)),
        truths=lambda w: truth_files(ablation_of(w).task, videos_of_ablation(w.ablation)),
        features=[],
        settings=lambda w: settings("evaluate", task=ablation_of(w).task),
        code=lambda w: code("evaluate", task=ablation_of(w).task),


rule tabulate_ablation:
    input:
        lambda w: [RESULTS / f"ablations/{w.ablation}/{point}/metrics.csv" for point in points(w.ablation)],
    output:
        report(
            ABLATION / "curve.csv",
            caption="../report/ablation.rst",
            category="Tables",
            labels={"table": "", "of": "ablation {ablation}"},
        ),
    log:
        RESULTS / "logs/ablations/{ablation}/tabulate.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        points=lambda w, input: words("--point", point_arguments(points(w.ablation).values(), input)),
        study=lambda w: checked(study_arguments, points(w.ablation).values()),
        settings=settings("table ablation"),
        code=code("table ablation"),
    shell:
        "python -m step table ablation --settings {params.settings:q} --log {log:q}"
        " --axis {wildcards.ablation:q} {params.points:q} {params.study:q} --output {output:q}"


rule plot_ablation:
    input:
        ABLATION / "curve.csv",
    output:
        report(
            ABLATION / "curve.png",
            caption="../report/ablation.rst",
            category="Figures",
            labels={"figure": " 7 (c)", "of": "{ablation}", "what": "ablation"},
        ),
        ABLATION / "curve.pdf",
    log:
        RESULTS / "logs/ablations/{ablation}/plot.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        replicates=lambda w: ["--replicates"] if ablation_of(w).of_seeds else [],
        settings=settings("plot ablation"),
        code=code("plot ablation"),
    shell:
        "python -m step plot ablation --settings {params.settings:q} --log {log:q}"
        " --table {input:q} {params.replicates:q} --output {output:q}"
