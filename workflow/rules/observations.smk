# Measured data of the real world -> posterior videos without a truth, how they fit, pictures, and the field's formats.

OBSERVED = RESULTS / "observations/{observation}"
MEASURED = str(OBSERVED / "{observation}.h5")


rule read_observation:
    input:
        # Only where the brightness of the training videos has a part in the measurement.
        brightness=lambda w: (
            brightness_of_prior(domain_of(observed(w).task)) if observes("uses_brightness", w) else []
        ),
        recorded=lambda w: observes("files", w),
        described=lambda w: files_of_measurement(observed(w).task),
    output:
        MEASURED,
    log:
        RESULTS / "logs/observations/{observation}/read.log",
    benchmark:
        RESULTS / "benchmarks/observations/{observation}/read.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        brightness=lambda w, input: ["--brightness", input.brightness] if input.brightness else [],
        settings=lambda w: settings("read_observation", observation=w.observation),
        code=lambda w: code("read_observation", observation=w.observation),
    shell:
        "python -m step read_observation --settings {params.settings:q} --log {log:q}"
        " {params.brightness:q} --output {output:q}"


use rule optical_flow as optical_flow_of_observation with:
    input:
        videos=MEASURED,
        described=lambda w: files_of_measurement(observed(w).task),
        weights=lambda w: weights_of_optical_flow(observed(w).task),
        checksums=CONFIG.weights.checksums,
    output:
        OBSERVED / "optical_flow.h5",
    log:
        RESULTS / "logs/observations/{observation}/optical_flow.log",
    benchmark:
        RESULTS / "benchmarks/observations/{observation}/optical_flow.tsv"
    params:
        videos=lambda w, input: ["--measurements", input.videos],
        weights=lambda w, input: ["--weights", input.weights] if input.weights else [],
        settings=lambda w: settings("optical_flow", task=observed(w).task),
        code=lambda w: code("optical_flow", task=observed(w).task),


use rule sample as sample_observation with:
    input:
        measurements=MEASURED,
        described=lambda w: files_of_sampling(observed(w).task, observed(w).method),
        autoencoder=lambda w: priors_of_observation(w) / "autoencoder",
        denoiser=lambda w: priors_of_observation(w) / CONFIG.methods[observed(w).method].prior,
        optical_flow=lambda w: (
            [OBSERVED / "optical_flow.h5"] if CONFIG.methods[observed(w).method].uses_optical_flow else []
        ),
    output:
        samples=OBSERVED / "samples/{shard}.h5",
        cost=OBSERVED / "samples/{shard}-cost.csv",
    log:
        RESULTS / "logs/observations/{observation}/sample-{shard}.log",
    benchmark:
        RESULTS / "benchmarks/observations/{observation}/sample-{shard}.tsv"
    params:
        measurements=lambda w, input: input.measurements,
        samples=lambda w: sample_numbers(observed(w))[w.shard],
        place=0,
        optical_flow=lambda w, input: ["--optical-flow", input.optical_flow] if input.optical_flow else [],
        settings=lambda w: settings("sample", task=observed(w).task, method=observed(w).method),
        code=lambda w: code("sample", task=observed(w).task, method=observed(w).method),


use rule summarise as summarise_observation with:
    input:
        measurements=MEASURED,
        described=lambda w: files_of_measurement(observed(w).task),
        samples=lambda w: observed_samples(w.observation),
        factors=lambda w: factors_of(observed(w).task, observed(w).method),
    output:
        summary=OBSERVED / "posterior.h5",
        table=report(
            OBSERVED / "chi_squares.csv",
            caption="../report/chi_squares.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "misfit of each sample"},
        ),
    log:
        RESULTS / "logs/observations/{observation}/summarise.log",
    benchmark:
        RESULTS / "benchmarks/observations/{observation}/summarise.tsv"
    params:
        measurement=lambda w, input: input.measurements,
        recalibration=recalibration,
        settings=lambda w: settings("summarise", task=observed(w).task),
        code=lambda w: code("summarise", task=observed(w).task),


use rule modes as modes_of_observation with:
    input:
        measurements=MEASURED,
        described=lambda w: files_of_measurement(observed(w).task),
        samples=lambda w: observed_samples(w.observation),
    output:
        modes=OBSERVED / "modes.h5",
        table=report(
            OBSERVED / "modes.csv",
            caption="../report/modes.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "modes"},
        ),
    log:
        RESULTS / "logs/observations/{observation}/modes.log",
    benchmark:
        RESULTS / "benchmarks/observations/{observation}/modes.tsv"
    params:
        measurement=lambda w, input: input.measurements,
        truth=[],
        settings=lambda w: settings("modes", task=observed(w).task),
        code=lambda w: code("modes", task=observed(w).task),


use rule plot_modes as plot_modes_of_observation with:
    input:
        measurements=MEASURED,
        modes=OBSERVED / "modes.h5",
        samples=lambda w: observed_samples(w.observation),
    output:
        report(
            OBSERVED / "modes.png",
            caption="../report/modes.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "modes"},
        ),
        OBSERVED / "modes.pdf",
        data=OBSERVED / "modes.npz",
        movie=report(
            OBSERVED / "modes.mp4",
            caption="../report/modes.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "modes, video"},
        ),
    log:
        RESULTS / "logs/observations/{observation}/plot-modes.log",
    params:
        measurement=lambda w, input: input.measurements,
        truth=[],
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot modes", task=observed(w).task),
        code=code("plot modes"),


rule export:
    input:
        measurement=MEASURED,
        summary=OBSERVED / "posterior.h5",
        samples=lambda w: observed_samples(w.observation),
    output:
        directory(OBSERVED / "export"),
    log:
        RESULTS / "logs/observations/{observation}/export.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        settings=lambda w: settings("export", observation=w.observation),
        code=lambda w: code("export", observation=w.observation),
    shell:
        "python -m step export --settings {params.settings:q} --log {log:q} --measurement {input.measurement:q}"
        " --summary {input.summary:q} --reconstructions {input.samples:q} --output {output:q}"


rule plot_observation:
    input:
        measurement=MEASURED,
        summary=OBSERVED / "posterior.h5",
        samples=lambda w: observed_samples(w.observation),
    output:
        report(
            OBSERVED / "posterior.png",
            caption="../report/posterior.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "posterior"},
        ),
        OBSERVED / "posterior.pdf",
        movie=report(
            OBSERVED / "posterior.mp4",
            caption="../report/posterior.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "posterior, video"},
        ),
    log:
        RESULTS / "logs/observations/{observation}/plot.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot observation", observation=w.observation),
        code=code("plot observation"),
    shell:
        "python -m step plot observation --settings {params.settings:q} --log {log:q} --measurement {input.measurement:q}"
        " --summary {input.summary:q} --reconstructions {input.samples:q}"
        " --movie {output.movie:q} --output {params.pictures:q}"


use rule plot_coverage as plot_observed_coverage with:
    input:
        measurement=MEASURED,
        described=lambda w: files_of_measurement(observed(w).task),
    output:
        multiext(str(OBSERVED / "coverage"), ".png", ".pdf"),
        data=OBSERVED / "coverage.csv",
    log:
        RESULTS / "logs/observations/{observation}/coverage.log",
    params:
        measurement=lambda w, input: input.measurement,
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot coverage", task=observed(w).task),
        code=code("plot coverage"),


rule plot_fit_of_observation:
    input:
        measurement=MEASURED,
        described=lambda w: files_of_measurement(observed(w).task),
        samples=lambda w: observed_samples(w.observation),
    output:
        report(
            OBSERVED / "fit.png",
            caption="../report/fit.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "data and fit"},
        ),
        OBSERVED / "fit.pdf",
        data=OBSERVED / "fit.csv",
    log:
        RESULTS / "logs/observations/{observation}/fit.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        measurement=lambda w, input: input.measurement,
        samples=lambda w, input: input.samples,
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot fit", task=observed(w).task),
        code=lambda w: code("plot fit", task=observed(w).task),
    shell:
        "python -m step plot fit --settings {params.settings:q} --log {log:q} --measurement {params.measurement:q}"
        " --reconstructions {params.samples:q} --data {output.data:q} --output {params.pictures:q}"


# Of the first test video, by any method; in no target.
use rule plot_fit_of_observation as plot_fit with:
    input:
        measurements=RESULTS / "{task}/measurements",
        described=lambda w: files_of_measurement(w.task),
        samples=lambda w: RESULTS / w.task / "samples" / w.method / f"{FILES.shard_of(w.task, tests(w.task)[0])}.h5",
    output:
        multiext(str(RESULTS / "{task}/figures/fit-{method}"), ".png", ".pdf"),
        data=RESULTS / "{task}/figures/fit-{method}.csv",
    log:
        RESULTS / "logs/{task}/figures/fit-{method}.log",
    params:
        measurement=lambda w: measurement_files(w.task, tests(w.task)[:1]),
        samples=lambda w, input: input.samples,
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot fit", task=w.task),
        code=lambda w: code("plot fit", task=w.task),


use rule plot_weighting as plot_weighting_of_observation with:
    input:
        samples=lambda w: observed_samples(w.observation),
    output:
        report(
            OBSERVED / "weighting.png",
            caption="../report/weighting.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "temperatures and effective sizes"},
        ),
        OBSERVED / "weighting.pdf",
        data=OBSERVED / "weighting.csv",
    log:
        RESULTS / "logs/observations/{observation}/plot-weighting.log",
    params:
        pictures=lambda w, output: output[:2],
        settings=lambda w: settings("plot weighting", task=observed(w).task, method=observed(w).method),
        code=code("plot weighting"),
