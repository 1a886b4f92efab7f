# Posterior samples -> what they say in the words of their subject (a ring's diameter, an ejection fraction), and a picture.


rule quantities:
    input:
        truths=truths_of_posterior,
        samples=posterior_samples,
        factors=lambda w: factors_of(posterior_of(w).task, posterior_of(w).method),
    output:
        table=report(
            POSTERIOR / "quantities.csv",
            caption="../report/quantities.rst",
            category="Posteriors",
            labels={"posterior": "{posterior}", "result": "quantities"},
        ),
        samples=POSTERIOR / "quantities-samples.csv",
    log:
        RESULTS / "logs/posteriors/{posterior}/quantities.log",
    benchmark:
        RESULTS / "benchmarks/posteriors/{posterior}/quantities.tsv"
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        truths=lambda w: ["--truths", *truth_of_posterior(w)[1:]],
        recalibration=recalibration,
        settings=lambda w: settings("quantities", task=posterior_of(w).task),
        code=lambda w: code("quantities", task=posterior_of(w).task),
    shell:
        "python -m step quantities --settings {params.settings:q} --log {log:q} --reconstructions {input.samples:q}"
        " {params.truths:q} {params.recalibration:q} --output {output.table:q} --samples {output.samples:q}"


use rule quantities as quantities_of_observation with:
    input:
        samples=lambda w: observed_samples(w.observation),
        factors=lambda w: factors_of(observed(w).task, observed(w).method),
    output:
        table=report(
            OBSERVED / "quantities.csv",
            caption="../report/quantities.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "quantities"},
        ),
        samples=OBSERVED / "quantities-samples.csv",
    log:
        RESULTS / "logs/observations/{observation}/quantities.log",
    benchmark:
        RESULTS / "benchmarks/observations/{observation}/quantities.tsv"
    params:
        truths=[],
        recalibration=recalibration,
        settings=lambda w: settings("quantities", task=observed(w).task),
        code=lambda w: code("quantities", task=observed(w).task),


use rule quantities as quantities_of_method with:
    input:
        truths=RESULTS / "{task}/truths",
        samples=lambda w: calibration_files(w.task, w.method),
    output:
        table=RESULTS / "{task}/quantities/{method}.csv",
        samples=RESULTS / "{task}/quantities/{method}-samples.csv",
    log:
        RESULTS / "logs/{task}/quantities/{method}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/quantities/{method}.tsv"
    params:
        truths=lambda w: ["--truths", *truth_files(w.task, tests(w.task))],
        recalibration=[],
        settings=lambda w: settings("quantities", task=w.task),
        code=lambda w: code("quantities", task=w.task),


use rule quantities_of_method as recalibrated_quantities_of_method with:
    input:
        truths=RESULTS / "{task}/truths",
        samples=lambda w: calibration_files(w.task, w.method),
        factors=RESULTS / "{task}/recalibration/{method}/factors.csv",
    output:
        table=RESULTS / "{task}/quantities/{method}-recalibrated.csv",
        samples=RESULTS / "{task}/quantities/{method}-recalibrated-samples.csv",
    log:
        RESULTS / "logs/{task}/quantities/{method}-recalibrated.log",
    benchmark:
        RESULTS / "benchmarks/{task}/quantities/{method}-recalibrated.tsv"
    params:
        truths=lambda w: ["--truths", *truth_files(w.task, tests(w.task))],
        recalibration=recalibration,
        settings=lambda w: settings("quantities", task=w.task),
        code=lambda w: code("quantities", task=w.task),


rule plot_quantities:
    input:
        table=POSTERIOR / "quantities.csv",
        samples=POSTERIOR / "quantities-samples.csv",
    output:
        report(
            POSTERIOR / "quantities.png",
            caption="../report/quantities.rst",
            category="Posteriors",
            labels={"posterior": "{posterior}", "result": "quantities"},
        ),
        POSTERIOR / "quantities.pdf",
        data=POSTERIOR / "quantities-shown.csv",
    log:
        RESULTS / "logs/posteriors/{posterior}/plot-quantities.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        methods=lambda w, input: ["--method", posterior_of(w).method, input.table, input.samples],
        pictures=lambda w, output: output[:2],
        settings=settings("plot quantities"),
        code=code("plot quantities"),
    shell:
        "python -m step plot quantities --settings {params.settings:q} --log {log:q}"
        " {params.methods:q} --data {output.data:q} --output {params.pictures:q}"


use rule plot_quantities as plot_quantities_of_observation with:
    input:
        table=OBSERVED / "quantities.csv",
        samples=OBSERVED / "quantities-samples.csv",
    output:
        report(
            OBSERVED / "quantities.png",
            caption="../report/quantities.rst",
            category="Observations",
            labels={"observation": "{observation}", "result": "quantities, picture"},
        ),
        OBSERVED / "quantities.pdf",
        data=OBSERVED / "quantities-shown.csv",
    log:
        RESULTS / "logs/observations/{observation}/plot-quantities.log",
    params:
        methods=lambda w, input: ["--method", observed(w).method, input.table, input.samples],
        pictures=lambda w, output: output[:2],
        settings=settings("plot quantities"),
        code=code("plot quantities"),


use rule plot_quantities as plot_quantities_of_methods with:
    input:
        tables=lambda w: [RESULTS / w.task / f"quantities/{name}.csv" for name in calibrated_rows().values()],
        samples=lambda w: [RESULTS / w.task / f"quantities/{name}-samples.csv" for name in calibrated_rows().values()],
    output:
        report(
            RESULTS / "{task}/figures/quantities.png",
            caption="../report/quantities.rst",
            category="Pictures",
            labels={"of": "{task}", "what": "quantities against the truth"},
        ),
        RESULTS / "{task}/figures/quantities.pdf",
        data=RESULTS / "{task}/figures/quantities.csv",
    log:
        RESULTS / "logs/{task}/figures/quantities.log",
    params:
        methods=lambda w, input: words("--method", zip(calibrated_rows(), input.tables, input.samples)),
        pictures=lambda w, output: output[:2],
        settings=settings("plot quantities"),
        code=code("plot quantities"),
