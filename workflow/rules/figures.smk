# Pictures and videos, from files alone.
rule plot_comparison:
    input:
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, rows(w.task)),
    output:
        report(
            RESULTS / "{task}/figures/comparison.png",
            caption="../report/comparison.rst",
            category="Pictures",
            labels={"of": "{task}", "what": "all rows of the table"},
        ),
        RESULTS / "{task}/figures/comparison.pdf",
        data=RESULTS / "{task}/figures/comparison.npz",
    log:
        RESULTS / "logs/{task}/figures/comparison.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        truth=lambda w: truth_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, rows(w.task)),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot comparison", task=w.task),
        code=code("plot comparison"),
    shell:
        "python -m step plot comparison --settings {params.settings:q} --log {log:q}"
        " --truth {params.truth:q} {params.methods:q} --data {output.data:q} --output {params.pictures:q}"


use rule plot_comparison as plot_tour_comparison with:
    input:
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, tour_rows(w.task)),
    output:
        report(
            RESULTS / "{task}/tour/comparison.png",
            caption="../report/comparison.rst",
            category="Pictures",
            labels={"of": "{task}", "what": "tour"},
        ),
        RESULTS / "{task}/tour/comparison.pdf",
        data=RESULTS / "{task}/tour/comparison.npz",
    log:
        RESULTS / "logs/{task}/figures/tour-comparison.log",
    params:
        truth=lambda w: truth_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, tour_rows(w.task)),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot comparison", task=w.task),
        code=code("plot comparison"),


rule plot_movie:
    input:
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, movie_rows(w.task, w.name)),
    output:
        report(
            RESULTS / "{task}/videos/{name}.mp4",
            caption="../report/movie.rst",
            category="Videos",
            labels={"figure": "", "of": "{task}", "what": "{name}"},
        ),
    log:
        RESULTS / "logs/{task}/figures/movie-{name}.log",
    wildcard_constraints:
        name="|".join(["comparison", *CONFIG.methods, *REFERENCES]),
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        # Four videos are what fits a screen.
        truths=lambda w: truth_files(w.task, tests(w.task)[:4]),
        methods=lambda w: method_arguments(w.task, movie_rows(w.task, w.name)),
        settings=lambda w: settings("plot movie", task=w.task),
        code=code("plot movie"),
    shell:
        "python -m step plot movie --settings {params.settings:q} --log {log:q}"
        " --truths {params.truths:q} {params.methods:q} --output {output:q}"


use rule plot_movie as plot_tour_movie with:
    input:
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, that_measure(tour_rows(w.task))),
    output:
        report(
            RESULTS / "{task}/tour/comparison.mp4",
            caption="../report/movie.rst",
            category="Videos",
            labels={"figure": "", "of": "{task}", "what": "tour"},
        ),
    log:
        RESULTS / "logs/{task}/figures/tour-movie.log",
    params:
        truths=lambda w: truth_files(w.task, tests(w.task)[:4]),
        methods=lambda w: method_arguments(w.task, that_measure(tour_rows(w.task))),
        settings=lambda w: settings("plot movie", task=w.task),
        code=code("plot movie"),


use rule plot_movie as plot_animation with:
    input:
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, animation_rows(w.task)),
    output:
        RESULTS / "{task}/tour/animation.webp",
    log:
        RESULTS / "logs/{task}/figures/animation.log",
    params:
        # A page is opened by one video of each task.
        truths=lambda w: truth_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, animation_rows(w.task)),
        settings=lambda w: settings("plot movie", task=w.task),
        code=code("plot movie"),


rule plot_optical_flow:
    input:
        truths=RESULTS / "{task}/truths",
        optical_flow=lambda w: RESULTS / w.task / f"optical_flow/{next(iter(sampling_shards(CONFIG, w.task)))}.h5",
    output:
        report(
            RESULTS / "{task}/figures/optical_flow.png",
            caption="../report/optical_flow.rst",
            category="Pictures",
            labels={"of": "{task}", "what": "optical flow"},
        ),
        RESULTS / "{task}/figures/optical_flow.pdf",
        data=RESULTS / "{task}/figures/optical_flow.npz",
    log:
        RESULTS / "logs/{task}/figures/optical_flow.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        truth=lambda w: truth_files(w.task, tests(w.task)[:1]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot optical_flow", task=w.task),
        code=code("plot optical_flow"),
    shell:
        "python -m step plot optical_flow --settings {params.settings:q} --log {log:q}"
        " --truth {params.truth:q} --optical-flow {input.optical_flow:q} --data {output.data:q} --output {params.pictures:q}"


rule plot_masks:
    output:
        report(
            RESULTS / "{domain}/figures/masks.png",
            caption="../report/masks.rst",
            category="Figures",
            labels={"figure": " 9", "of": "{domain}", "what": "masks"},
        ),
        RESULTS / "{domain}/figures/masks.pdf",
        data=RESULTS / "{domain}/figures/masks.csv",
    log:
        RESULTS / "logs/{domain}/figures/masks.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot masks", domain=w.domain),
        code=code("plot masks"),
    shell:
        "python -m step plot masks --settings {params.settings:q} --log {log:q}"
        " --data {output.data:q} --output {params.pictures:q}"


rule plot_coverage:
    input:
        RESULTS / "{task}/measurements",
        described=lambda w: files_of_measurement(w.task),
    output:
        report(
            RESULTS / "{task}/figures/coverage.png",
            caption="../report/coverage.rst",
            category="Pictures",
            labels={"of": "{task}", "what": "uv coverage"},
        ),
        RESULTS / "{task}/figures/coverage.pdf",
        data=RESULTS / "{task}/figures/coverage.csv",
    log:
        RESULTS / "logs/{task}/figures/coverage.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot coverage", task=w.task),
        code=code("plot coverage"),
    shell:
        "python -m step plot coverage --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} --data {output.data:q} --output {params.pictures:q}"


rule plot_sampling:
    input:
        RESULTS / "{task}/measurements",
    output:
        report(
            RESULTS / "{task}/figures/sampling.png",
            caption="../report/sampling.rst",
            category="Pictures",
            labels={"of": "{task}", "what": "lines and coils"},
        ),
        RESULTS / "{task}/figures/sampling.pdf",
        data=RESULTS / "{task}/figures/sampling.npz",
    log:
        RESULTS / "logs/{task}/figures/sampling.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot sampling", task=w.task),
        code=code("plot sampling"),
    shell:
        "python -m step plot sampling --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} --data {output.data:q} --output {params.pictures:q}"


rule plot_dirty:
    input:
        measurements=RESULTS / "{task}/measurements",
        truths=RESULTS / "{task}/truths",
        described=lambda w: files_of_measurement(w.task),
    output:
        report(
            RESULTS / "{task}/figures/dirty.png",
            caption="../report/dirty.rst",
            category="Figures",
            labels={"figure": " 8", "of": "{task}", "what": "dirty video"},
        ),
        RESULTS / "{task}/figures/dirty.pdf",
        data=RESULTS / "{task}/figures/dirty.npz",
        movie=RESULTS / "{task}/videos/dirty_ideal.mp4",
    log:
        RESULTS / "logs/{task}/figures/dirty.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        truth=lambda w: truth_files(w.task, tests(w.task)[:1]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot dirty", task=w.task),
        code=lambda w: code("plot dirty", task=w.task),
    shell:
        "python -m step plot dirty --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} --truth {params.truth:q} --data {output.data:q} --movie {output.movie:q}"
        " --output {params.pictures:q}"


rule plot_losses:
    input:
        RESULTS / "{domain}/priors/{network}",
    output:
        report(
            RESULTS / "{domain}/figures/losses-{network}.png",
            caption="../report/losses.rst",
            category="Pictures",
            labels={"of": "{domain}", "what": "losses, {network}"},
        ),
        RESULTS / "{domain}/figures/losses-{network}.pdf",
    log:
        RESULTS / "logs/{domain}/figures/losses-{network}.log",
    wildcard_constraints:
        network="autoencoder|image|video|joint",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        losses=lambda w, input: f"{input}/losses.csv",
        title=lambda w: f"{w.network}, {w.domain}",
        settings=settings("plot losses"),
        code=code("plot losses"),
    shell:
        "python -m step plot losses --settings {params.settings:q} --log {log:q}"
        " --losses {params.losses:q} --title {params.title:q} --output {output:q}"


rule plot_methods:
    input:
        measurements=RESULTS / "{task}/measurements",
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, CONFIG.methods),
    output:
        report(
            RESULTS / "{task}/figures/methods.png",
            caption="../report/methods.rst",
            category="Figures",
            labels={"figure": " 5", "of": "{task}", "what": "methods and their motion"},
        ),
        RESULTS / "{task}/figures/methods.pdf",
        data=RESULTS / "{task}/figures/methods.npz",
    log:
        RESULTS / "logs/{task}/figures/methods.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        truth=lambda w: truth_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, CONFIG.methods),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot methods", task=w.task),
        code=code("plot methods"),
    shell:
        "python -m step plot methods --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " --truth {params.truth:q} {params.methods:q} --data {output.data:q} --output {params.pictures:q}"


rule plot_deltas:
    input:
        measurements=RESULTS / "{task}/measurements",
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, CONFIG.figures.deltas),
    output:
        report(
            RESULTS / "{task}/figures/deltas.png",
            caption="../report/deltas.rst",
            category="Figures",
            labels={"figure": " 7 (a)", "of": "{task}", "what": "averaged delta frames"},
        ),
        RESULTS / "{task}/figures/deltas.pdf",
        data=RESULTS / "{task}/figures/deltas.npz",
        movie=report(
            RESULTS / "{task}/videos/deltas.mp4",
            caption="../report/deltas.rst",
            category="Videos",
            labels={"figure": " 7 (a)", "of": "{task}", "what": "averaged delta frames"},
        ),
    log:
        RESULTS / "logs/{task}/figures/deltas.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        truth=lambda w: truth_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, CONFIG.figures.deltas),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot deltas", task=w.task),
        code=code("plot deltas"),
    shell:
        "python -m step plot deltas --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " --truth {params.truth:q} {params.methods:q}"
        " --data {output.data:q} --movie {output.movie:q} --output {params.pictures:q}"


rule plot_priors:
    input:
        measurements=RESULTS / "{task}/measurements",
        truths=RESULTS / "{task}/truths",
        reconstructions=lambda w: files_of_rows(w.task, VIDEO_METHODS),
    output:
        report(
            RESULTS / "{task}/figures/priors.png",
            caption="../report/priors.rst",
            category="Figures",
            labels={"figure": " 7 (b)", "of": "{task}", "what": "joint against video only"},
        ),
        RESULTS / "{task}/figures/priors.pdf",
        data=RESULTS / "{task}/figures/priors.npz",
    log:
        RESULTS / "logs/{task}/figures/priors.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        truth=lambda w: truth_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, VIDEO_METHODS),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot priors", task=w.task),
        code=code("plot priors"),
    shell:
        "python -m step plot priors --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " --truth {params.truth:q} {params.methods:q} --data {output.data:q} --output {params.pictures:q}"


rule plot_autoencoder:
    input:
        truths=RESULTS / "{task}/truths",
        reconstructions=RESULTS / "{task}/references/vae.h5",
    output:
        report(
            RESULTS / "{task}/figures/autoencoder.png",
            caption="../report/autoencoder.rst",
            category="Figures",
            labels={"figure": "10", "of": "{task}", "what": "autoencoder"},
        ),
        RESULTS / "{task}/figures/autoencoder.pdf",
        data=RESULTS / "{task}/figures/autoencoder.npz",
    log:
        RESULTS / "logs/{task}/figures/autoencoder.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        truths=lambda w: truth_files(w.task, tests(w.task)[:4]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot autoencoder", task=w.task),
        code=code("plot autoencoder"),
    shell:
        "python -m step plot autoencoder --settings {params.settings:q} --log {log:q}"
        " --truths {params.truths:q} --reconstructions {input.reconstructions:q}"
        " --data {output.data:q} --output {params.pictures:q}"


rule generate:
    input:
        autoencoder=RESULTS / "{domain}/priors/autoencoder",
        denoiser=RESULTS / "{domain}/priors/{prior}",
    output:
        RESULTS / "{domain}/generated/{prior}.h5",
    log:
        RESULTS / "logs/{domain}/generate/{prior}.log",
    benchmark:
        RESULTS / "benchmarks/{domain}/generate/{prior}.tsv"
    conda:
        "../../envs/step.yaml"
    threads: 64
    resources:
        gpu=1,
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        settings=lambda w: settings("generate", domain=w.domain, prior=w.prior),
        code=lambda w: code("generate", domain=w.domain, prior=w.prior),
    shell:
        "python -m step generate --settings {params.settings:q} --log {log:q}"
        " --autoencoder {input.autoencoder:q} --denoiser {input.denoiser:q} --output {output:q}"


rule plot_generated:
    input:
        lambda w: [RESULTS / w.domain / f"generated/{prior}.h5" for prior in PRIORS],
    output:
        report(
            RESULTS / "{domain}/figures/generated.png",
            caption="../report/generated.rst",
            category="Figures",
            labels={"figure": "11", "of": "{domain}", "what": "unconditional samples"},
        ),
        RESULTS / "{domain}/figures/generated.pdf",
        data=RESULTS / "{domain}/figures/generated.npz",
        movie=report(
            RESULTS / "{domain}/videos/generated.mp4",
            caption="../report/generated.rst",
            category="Videos",
            labels={"figure": "11", "of": "{domain}", "what": "unconditional samples"},
        ),
    log:
        RESULTS / "logs/{domain}/figures/generated.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        priors=lambda w, input: words("--prior", zip(PRIORS, input)),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot generated", domain=w.domain),
        code=code("plot generated"),
    shell:
        "python -m step plot generated --settings {params.settings:q} --log {log:q}"
        " {params.priors:q} --data {output.data:q} --movie {output.movie:q} --output {params.pictures:q}"


# Figures of your own, one rule each: what they read and write, their modules say.
for figure in CONFIG.figures.plug_ins:

    rule:
        name:
            f"plot_{figure_name(figure)}"
        input:
            lambda w, figure=figure: of_figure(awaited_files, figure, w.task),
        output:
            **reported(figure),
        log:
            f"{RESULTS}/logs/{{task}}/figures/{figure_name(figure)}.log",
        conda:
            "../../envs/step.yaml"
        resources:
            mem_mb=growing(8000),
            runtime=growing(60),
        params:
            figure=figure,
            arguments=lambda w, figure=figure: of_figure(
                arguments_of, figure, w.task, f"{RESULTS}/{w.task}/figures/{figure_name(figure)}"
            ),
            settings=lambda w, figure=figure: settings(f"plot {figure}", task=w.task),
            code=lambda w, figure=figure: code(f"plot {figure}", task=w.task),
        shell:
            "python -m step plot {params.figure:q} --settings {params.settings:q} --log {log:q} {params.arguments:q}"
