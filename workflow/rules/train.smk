# Videos -> autoencoder -> image prior -> video and joint prior. The resumable state lies in an undeclared folder,
# so that snakemake, which deletes the outputs of a job that it runs again, does not delete the progress. Training goes
# first: everything of a domain waits for it, and what is left at the end can then be shared out.


# A pretrained prior takes the place of the trainings: its networks come to lie where those of a training would.
rule fetch_prior:
    output:
        directory(RESULTS / "{domain}/pretrained"),
    log:
        RESULTS / "logs/{domain}/fetch_prior.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/fetch_prior.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        settings=lambda w: settings("fetch_prior", domain=w.domain),
        code=code("fetch_prior"),
    shell:
        "python -m step fetch_prior --settings {params.settings:q} --log {log:q} --output {output:q}"


rule take_network:
    input:
        lambda w: pretrained_input(w.domain),
    output:
        directory(RESULTS / "{domain}/priors/{prior}"),
    log:
        RESULTS / "logs/{domain}/take/{prior}.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/take/{prior}.tsv"
    wildcard_constraints:
        domain="|".join(PRETRAINED) or "none",
        prior="autoencoder|image|video|joint",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        folder=lambda w: pretrained_folder(w.domain),
        settings=lambda w: settings("take_network", domain=w.domain, prior=w.prior),
        code=code("take_network"),
    shell:
        "python -m step take_network --settings {params.settings:q} --log {log:q} --folder {params.folder:q} --output {output:q}"


rule copy_prior:
    input:
        lambda w: pretrained_input(w.domain),
    output:
        directory(RESULTS / "{domain}/prior"),
    log:
        RESULTS / "logs/{domain}/copy_prior.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/copy_prior.tsv"
    wildcard_constraints:
        domain="|".join(PRETRAINED) or "none",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        folder=lambda w: pretrained_folder(w.domain),
        settings=lambda w: settings("fetch_prior", domain=w.domain),
        code=code("fetch_prior"),
    shell:
        "python -m step fetch_prior --settings {params.settings:q} --log {log:q} --folder {params.folder:q} --output {output:q}"


rule assemble_prior:
    input:
        index=RESULTS / "{domain}/index.csv",
        networks=lambda w: [RESULTS / w.domain / "priors" / network for network in ["autoencoder", *PRIORS]],
    output:
        directory(RESULTS / "{domain}/prior"),
    log:
        RESULTS / "logs/{domain}/assemble_prior.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/assemble_prior.tsv"
    wildcard_constraints:
        domain="|".join(TRAINED) or "none",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        settings=lambda w: settings("assemble_prior", domain=w.domain),
        code=code("assemble_prior"),
    shell:
        "python -m step assemble_prior --settings {params.settings:q} --log {log:q} --index {input.index:q}"
        " --networks {input.networks:q} --output {output:q}"


rule train_autoencoder:
    input:
        index=RESULTS / "{domain}/index.csv",
    output:
        directory(RESULTS / "{domain}/priors/autoencoder"),
    log:
        RESULTS / "logs/{domain}/train/autoencoder.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/train/autoencoder.tsv"
    wildcard_constraints:
        domain="|".join(TRAINED) or "none",
    priority: 2
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
        described=lambda w: files_of_denoiser(w.domain),
    output:
        directory(RESULTS / "{domain}/priors/{prior}"),
    log:
        RESULTS / "logs/{domain}/train/{prior}.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/train/{prior}.tsv"
    wildcard_constraints:
        domain="|".join(TRAINED) or "none",
    priority: 2
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
        code=lambda w: code("train", domain=w.domain, prior=w.prior),
    shell:
        "python -m step train --processes {resources.gpu} --settings {params.settings:q} --log {log:q}"
        " --index {input.index:q} --autoencoder {input.autoencoder:q} {params.initial:q}"
        " --state {params.state:q} --output {output:q}"
