# Many samples of one simulated measurement -> their mean and spread, their modes, and pictures of both.

POSTERIOR = RESULTS / "posteriors/{posterior}"


use rule sample as sample_posterior with:
    input:
        measurements=measurements_of_posterior,
        described=lambda w: files_of_sampling(posterior_of(w).task, posterior_of(w).method),
        autoencoder=lambda w: RESULTS / domain_of(posterior_of(w).task) / "priors/autoencoder",
        denoiser=lambda w: prior_folder(posterior_of(w).task, posterior_of(w).method),
        optical_flow=lambda w: optical_flow_of_method(
            posterior_of(w).task, posterior_of(w).method, shard_of(posterior_of(w).task, posterior_of(w).video)
        ),
    output:
        samples=POSTERIOR / "samples/{shard}.h5",
        cost=POSTERIOR / "samples/{shard}-cost.csv",
    log:
        RESULTS / "logs/posteriors/{posterior}/sample-{shard}.log",
    benchmark:
        RESULTS / "benchmarks/posteriors/{posterior}/sample-{shard}.tsv"
    priority: 0
    params:
        measurements=measurement_of_posterior,
        samples=lambda w: sample_numbers(posterior_of(w))[w.shard],
        place=0,
        optical_flow=lambda w, input: ["--optical-flow", input.optical_flow] if input.optical_flow else [],
        settings=lambda w: settings("sample", task=posterior_of(w).task, method=posterior_of(w).method),
        code=lambda w: code("sample", task=posterior_of(w).task, method=posterior_of(w).method),


rule summarise:
    input:
        measurements=measurements_of_posterior,
        described=lambda w: files_of_measurement(posterior_of(w).task),
        samples=posterior_samples,
        factors=lambda w: factors_of(posterior_of(w).task, posterior_of(w).method),
    output:
        summary=POSTERIOR / "posterior.h5",
        table=report(
            POSTERIOR / "chi_squares.csv",
            caption="../report/chi_squares.rst",
            category="Posteriors",
            labels={"posterior": "{posterior}", "result": "misfit of each sample"},
        ),
    log:
        RESULTS / "logs/posteriors/{posterior}/summarise.log",
    benchmark:
        RESULTS / "benchmarks/posteriors/{posterior}/summarise.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        measurement=measurement_of_posterior,
        recalibration=recalibration,
        settings=lambda w: settings("summarise", task=posterior_of(w).task),
        code=lambda w: code("summarise", task=posterior_of(w).task),
    shell:
        "python -m step summarise --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " --reconstructions {input.samples:q} {params.recalibration:q} --output {output.summary:q} --table {output.table:q}"


rule modes:
    input:
        measurements=measurements_of_posterior,
        described=lambda w: files_of_measurement(posterior_of(w).task),
        truths=truths_of_posterior,
        samples=posterior_samples,
    output:
        modes=POSTERIOR / "modes.h5",
        table=POSTERIOR / "modes.csv",
    log:
        RESULTS / "logs/posteriors/{posterior}/modes.log",
    benchmark:
        RESULTS / "benchmarks/posteriors/{posterior}/modes.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        measurement=measurement_of_posterior,
        truth=truth_of_posterior,
        settings=lambda w: settings("modes", task=posterior_of(w).task),
        code=lambda w: code("modes", task=posterior_of(w).task),
    shell:
        "python -m step modes --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " {params.truth:q} --reconstructions {input.samples:q} --output {output.modes:q} --table {output.table:q}"


rule table_modes:
    input:
        table=POSTERIOR / "modes.csv",
        paper=own("resources/paper_modes.csv"),
    output:
        multiext(str(POSTERIOR / "table5"), ".csv", ".md", ".tex"),
        report(
            POSTERIOR / "table5.html",
            caption="../report/table5.rst",
            category="Tables",
            labels={"table": "table5", "of": "{posterior}"},
        ),
    log:
        RESULTS / "logs/posteriors/{posterior}/table5.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=settings("table modes"),
        code=code("table modes"),
    shell:
        "python -m step table modes --settings {params.settings:q} --log {log:q}"
        " --table {input.table:q} --paper {input.paper:q} --output {output:q}"


rule plot_modes:
    input:
        measurements=measurements_of_posterior,
        truths=truths_of_posterior,
        modes=POSTERIOR / "modes.h5",
        samples=posterior_samples,
    output:
        report(
            POSTERIOR / "modes.png",
            caption="../report/modes.rst",
            category="Figures",
            labels={"figure": " 1", "of": "{posterior}", "what": "modes"},
        ),
        POSTERIOR / "modes.pdf",
        data=POSTERIOR / "modes.npz",
        movie=report(
            POSTERIOR / "modes.mp4",
            caption="../report/modes.rst",
            category="Videos",
            labels={"figure": " 1", "of": "{posterior}", "what": "modes"},
        ),
    log:
        RESULTS / "logs/posteriors/{posterior}/plot-modes.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        measurement=measurement_of_posterior,
        truth=truth_of_posterior,
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot modes", task=posterior_of(w).task),
        code=code("plot modes"),
    shell:
        "python -m step plot modes --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " {params.truth:q} --modes {input.modes:q} --reconstructions {input.samples:q}"
        " --data {output.data:q} --movie {output.movie:q} --output {params.pictures:q}"


rule plot_samples:
    input:
        measurements=measurements_of_posterior,
        described=lambda w: files_of_measurement(posterior_of(w).task),
        truths=truths_of_posterior,
        samples=posterior_samples,
    output:
        report(
            POSTERIOR / "samples.png",
            caption="../report/samples.rst",
            category="Figures",
            labels={"figure": "12", "of": "{posterior}", "what": "posterior samples"},
        ),
        POSTERIOR / "samples.pdf",
        data=POSTERIOR / "samples.npz",
        movie=report(
            POSTERIOR / "samples.mp4",
            caption="../report/samples.rst",
            category="Videos",
            labels={"figure": "12", "of": "{posterior}", "what": "posterior samples"},
        ),
    log:
        RESULTS / "logs/posteriors/{posterior}/plot-samples.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        measurement=measurement_of_posterior,
        truth=truth_of_posterior,
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot samples", task=posterior_of(w).task),
        code=lambda w: code("plot samples", task=posterior_of(w).task),
    shell:
        "python -m step plot samples --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " {params.truth:q} --reconstructions {input.samples:q}"
        " --data {output.data:q} --movie {output.movie:q} --output {params.pictures:q}"


rule plot_uncertainty:
    input:
        measurements=measurements_of_posterior,
        truths=truths_of_posterior,
        summary=POSTERIOR / "posterior.h5",
        samples=posterior_samples,
    output:
        report(
            POSTERIOR / "uncertainty.png",
            caption="../report/uncertainty.rst",
            category="Pictures",
            labels={"of": "{posterior}", "what": "uncertainty"},
        ),
        POSTERIOR / "uncertainty.pdf",
        data=POSTERIOR / "uncertainty.npz",
        movie=report(
            POSTERIOR / "uncertainty.mp4",
            caption="../report/uncertainty.rst",
            category="Videos",
            labels={"figure": "", "of": "{posterior}", "what": "uncertainty"},
        ),
    log:
        RESULTS / "logs/posteriors/{posterior}/plot-uncertainty.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        measurement=measurement_of_posterior,
        truth=truth_of_posterior,
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot uncertainty", task=posterior_of(w).task),
        code=code("plot uncertainty"),
    shell:
        "python -m step plot uncertainty --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} {params.truth:q} --summary {input.summary:q}"
        " --reconstructions {input.samples:q}"
        " --data {output.data:q} --movie {output.movie:q} --output {params.pictures:q}"


rule plot_weighting:
    input:
        samples=posterior_samples,
    output:
        report(
            POSTERIOR / "weighting.png",
            caption="../report/weighting.rst",
            category="Pictures",
            labels={"of": "{posterior}", "what": "temperatures and effective sizes"},
        ),
        POSTERIOR / "weighting.pdf",
        data=POSTERIOR / "weighting.csv",
    log:
        RESULTS / "logs/posteriors/{posterior}/plot-weighting.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot weighting", task=posterior_of(w).task, method=posterior_of(w).method),
        code=code("plot weighting"),
    shell:
        "python -m step plot weighting --settings {params.settings:q} --log {log:q}"
        " --reconstructions {input.samples:q} --data {output.data:q} --output {params.pictures:q}"
