# Videos -> autoencoder -> image prior -> video and joint prior. The resumable state lies in an undeclared folder,
# so that snakemake, which deletes the outputs of a job that it runs again, does not delete the progress. Training goes
# first: everything of a domain waits for it, and what is left at the end can then be shared out.


rule train_autoencoder:
    input:
        index=RESULTS / "{domain}/index.csv",
    output:
        directory(RESULTS / "{domain}/priors/autoencoder"),
    log:
        RESULTS / "logs/{domain}/train/autoencoder.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/train/autoencoder.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=growing(32000),
        runtime=1440,
    params:
        state=lambda w: RESULTS / w.domain / "priors/.state",
        settings=lambda w: settings("train", domain=w.domain, prior="autoencoder"),
        code=code("train"),
    shell:
        "python -m step train --processes {resources.gpu} --settings {params.settings:q} --log {log:q}"
        " --index {input.index:q} --state {params.state:q} --output {output:q}"


rule train_denoiser:
    input:
        index=RESULTS / "{domain}/index.csv",
        autoencoder=RESULTS / "{domain}/priors/autoencoder",
        # The joint prior starts from the image prior, the others from scratch.
        initial=lambda w: [RESULTS / f"{w.domain}/priors/image"] if w.prior == "joint" else [],
    output:
        directory(RESULTS / "{domain}/priors/{prior}"),
    log:
        RESULTS / "logs/{domain}/train/{prior}.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/train/{prior}.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=growing(32000),
        runtime=2880,
    params:
        state=lambda w: RESULTS / w.domain / "priors/.state",
        initial=lambda w, input: ["--initial", input.initial] if input.initial else [],
        settings=lambda w: settings("train", domain=w.domain, prior=w.prior),
        code=code("train"),
    shell:
        "python -m step train --processes {resources.gpu} --settings {params.settings:q} --log {log:q}"
        " --index {input.index:q} --autoencoder {input.autoencoder:q} {params.initial:q}"
        " --state {params.state:q} --output {output:q}"
