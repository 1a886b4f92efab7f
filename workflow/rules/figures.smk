# Pictures and videos, from files alone.


rule plot_comparison:
    input:
        measurements=RESULTS / "{task}/measurements",
        reconstructions=lambda w: files_of_rows(w.task, rows(w.task)),
    output:
        multiext(str(RESULTS / "{task}/figures/comparison"), ".png", ".pdf"),
        data=RESULTS / "{task}/figures/comparison.npz",
    log:
        RESULTS / "logs/{task}/figures/comparison.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, rows(w.task)),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot_comparison", task=w.task),
        code=code("plot_comparison"),
    shell:
        "python -m step plot_comparison --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} {params.methods:q} --data {output.data:q} --output {params.pictures:q}"


use rule plot_comparison as plot_tour_comparison with:
    input:
        measurements=RESULTS / "{task}/measurements",
        reconstructions=lambda w: files_of_rows(w.task, tour_rows(w.task)),
    output:
        multiext(str(RESULTS / "{task}/tour/comparison"), ".png", ".pdf"),
        data=RESULTS / "{task}/tour/comparison.npz",
    log:
        RESULTS / "logs/{task}/figures/tour-comparison.log",
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        methods=lambda w: method_arguments(w.task, tour_rows(w.task)),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot_comparison", task=w.task),
        code=code("plot_comparison"),


rule plot_movie:
    input:
        measurements=RESULTS / "{task}/measurements",
        reconstructions=lambda w: files_of_rows(w.task, movie_rows(w.task, w.name)),
    output:
        RESULTS / "{task}/videos/{name}.mp4",
    log:
        RESULTS / "logs/{task}/figures/movie-{name}.log",
    wildcard_constraints:
        name="|".join(["comparison", *CONFIG.methods, *REFERENCES]),
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        # Four videos are what fits a screen.
        measurements=lambda w: measurement_files(w.task, tests(w.task)[:4]),
        methods=lambda w: method_arguments(w.task, movie_rows(w.task, w.name)),
        settings=lambda w: settings("plot_movie", task=w.task),
        code=code("plot_movie"),
    shell:
        "python -m step plot_movie --settings {params.settings:q} --log {log:q}"
        " --measurements {params.measurements:q} {params.methods:q} --output {output:q}"


use rule plot_movie as plot_tour_movie with:
    input:
        measurements=RESULTS / "{task}/measurements",
        reconstructions=lambda w: files_of_rows(w.task, that_measure(tour_rows(w.task))),
    output:
        RESULTS / "{task}/tour/comparison.mp4",
    log:
        RESULTS / "logs/{task}/figures/tour-movie.log",
    params:
        measurements=lambda w: measurement_files(w.task, tests(w.task)[:4]),
        methods=lambda w: method_arguments(w.task, that_measure(tour_rows(w.task))),
        settings=lambda w: settings("plot_movie", task=w.task),
        code=code("plot_movie"),


rule plot_flow:
    input:
        measurements=RESULTS / "{task}/measurements",
        flow=lambda w: RESULTS / w.task / f"flow/{next(iter(sampling_shards(CONFIG, w.task)))}.h5",
    output:
        multiext(str(RESULTS / "{task}/figures/flow"), ".png", ".pdf"),
        data=RESULTS / "{task}/figures/flow.npz",
    log:
        RESULTS / "logs/{task}/figures/flow.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot_flow", task=w.task),
        code=code("plot_flow"),
    shell:
        "python -m step plot_flow --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} --flow {input.flow:q} --data {output.data:q} --output {params.pictures:q}"


rule plot_masks:
    output:
        multiext(str(RESULTS / "{domain}/figures/masks"), ".png", ".pdf"),
        data=RESULTS / "{domain}/figures/masks.csv",
    log:
        RESULTS / "logs/{domain}/figures/masks.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot_masks", domain=w.domain),
        code=code("plot_masks"),
    shell:
        "python -m step plot_masks --settings {params.settings:q} --log {log:q}"
        " --data {output.data:q} --output {params.pictures:q}"


rule plot_coverage:
    input:
        RESULTS / "{task}/measurements",
        described=lambda w: files_of_measurement(w.task),
    output:
        multiext(str(RESULTS / "{task}/figures/coverage"), ".png", ".pdf"),
        data=RESULTS / "{task}/figures/coverage.csv",
    log:
        RESULTS / "logs/{task}/figures/coverage.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot_coverage", task=w.task),
        code=code("plot_coverage"),
    shell:
        "python -m step plot_coverage --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} --data {output.data:q} --output {params.pictures:q}"


rule plot_dirty:
    input:
        RESULTS / "{task}/measurements",
    output:
        multiext(str(RESULTS / "{task}/figures/dirty"), ".png", ".pdf"),
        data=RESULTS / "{task}/figures/dirty.npz",
        movie=RESULTS / "{task}/videos/dirty_ideal.mp4",
    log:
        RESULTS / "logs/{task}/figures/dirty.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot_dirty", task=w.task),
        code=lambda w: code("plot_dirty", task=w.task),
    shell:
        "python -m step plot_dirty --settings {params.settings:q} --log {log:q}"
        " --measurement {params.measurement:q} --data {output.data:q} --movie {output.movie:q}"
        " --output {params.pictures:q}"


rule plot_losses:
    input:
        RESULTS / "{domain}/priors/{network}",
    output:
        multiext(str(RESULTS / "{domain}/figures/losses-{network}"), ".png", ".pdf"),
    log:
        RESULTS / "logs/{domain}/figures/losses-{network}.log",
    wildcard_constraints:
        network="autoencoder|image|video|joint",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        losses=lambda w, input: f"{input}/losses.csv",
        title=lambda w: f"{w.network}, {w.domain}",
        settings=settings("plot_losses"),
        code=code("plot_losses"),
    shell:
        "python -m step plot_losses --settings {params.settings:q} --log {log:q}"
        " --losses {params.losses:q} --title {params.title:q} --output {output:q}"
