# Reconstructions -> metrics and features per video -> the table of a task.


# Without a network the weights are recorded as missing, and what needs them is left out of the tables with that reason.
rule fetch_weights:
    input:
        checksums=CONFIG.weights.checksums,
        given=lambda w: given_weights(w.network),
    output:
        RESULTS / "weights/{network}.safetensors",
    log:
        RESULTS / "logs/weights/{network}.log",
    priority: 1
    localrule: True
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=lambda w: settings("fetch_weights", network=w.network),
        code=code("fetch_weights"),
    shell:
        "python -m step fetch_weights --settings {params.settings:q} --log {log:q}"
        " --checksums {input.checksums:q} --output {output:q}"


rule evaluate:
    input:
        measurements=RESULTS / "{task}/measurements",
        truths=RESULTS / "{task}/truths",
        described=lambda w: files_of_measurement(w.task),
        reconstructions=lambda w: reconstruction_files(w.task, w.row),
        weights=RESULTS / "weights/vgg16.safetensors",
        i3d=RESULTS / "weights/i3d.safetensors",
        checksums=CONFIG.weights.checksums,
    output:
        metrics=RESULTS / "{task}/metrics/{row}.csv",
        features=RESULTS / "{task}/features/{row}.h5",
    log:
        RESULTS / "logs/{task}/evaluate/{row}.log",
    benchmark:
        RESULTS / "benchmarks/{task}/evaluate/{row}.tsv"
    wildcard_constraints:
        row="|".join([*CONFIG.methods, *REFERENCES]),
    priority: 1
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(180),
    params:
        measurements=lambda w: measurement_files(w.task, tests(w.task)),
        truths=lambda w: truth_files(w.task, tests(w.task)),
        features=lambda w, input, output: ["--features", output.features, "--i3d", input.i3d],
        settings=lambda w: settings("evaluate", task=w.task),
        code=lambda w: code("evaluate", task=w.task),
    shell:
        "python -m step evaluate --settings {params.settings:q} --log {log:q}"
        " --weights {input.weights:q} --checksums {input.checksums:q}"
        " --measurements {params.measurements:q} --truths {params.truths:q}"
        " --reconstructions {input.reconstructions:q}"
        " {params.features:q} --output {output.metrics:q}"


rule extract_features:
    input:
        truths=RESULTS / "{task}/truths",
        weights=RESULTS / "weights/i3d.safetensors",
        checksums=CONFIG.weights.checksums,
    output:
        RESULTS / "{task}/features/truth.h5",
    log:
        RESULTS / "logs/{task}/extract_features.log",
    benchmark:
        RESULTS / "benchmarks/{task}/extract_features.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        truths=lambda w: truth_files(w.task, tests(w.task)),
        settings=lambda w: settings("extract_features", task=w.task),
        code=code("extract_features"),
    shell:
        "python -m step extract_features --settings {params.settings:q} --log {log:q}"
        " --weights {input.weights:q} --checksums {input.checksums:q}"
        " --truths {params.truths:q} --output {output:q}"


rule tabulate:
    input:
        metrics=lambda w: metrics_files(w.task, rows(w.task)),
        features=lambda w: feature_files(w.task, rows(w.task)),
        truth=RESULTS / "{task}/features/truth.h5",
    output:
        report(
            RESULTS / "{task}/metrics.csv",
            caption="../report/metrics.rst",
            category="Tables",
            labels={"table": "", "of": "{task}"},
        ),
    log:
        RESULTS / "logs/{task}/tabulate.log",
    benchmark:
        RESULTS / "benchmarks/{task}/tabulate.tsv"
    priority: 1
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        rows=lambda w: rows(w.task),
        references=lambda w: references_arguments(w.task),
        paired=COMPARED_METHOD,
        settings=lambda w: settings("table metrics", task=w.task),
        code=code("table metrics"),
    shell:
        "python -m step table metrics --settings {params.settings:q} --log {log:q}"
        " --inputs {input.metrics:q} --features {input.features:q} --true-features {input.truth:q}"
        " --methods {params.rows:q} {params.references:q} --paired-with {params.paired:q} --output {output:q}"


# The tour shows fewer methods, so that it takes minutes. Without learned metrics one job scores them all.
if CONFIG.targets.tour.learned_metrics:

    use rule tabulate as tabulate_tour with:
        input:
            metrics=lambda w: metrics_files(w.task, tour_rows(w.task)),
            features=lambda w: feature_files(w.task, tour_rows(w.task)),
            truth=RESULTS / "{task}/features/truth.h5",
        output:
            report(
                RESULTS / "{task}/tour/metrics.csv",
                caption="../report/metrics.rst",
                category="Tables",
                labels={"table": "", "of": "{task}"},
            ),
        log:
            RESULTS / "logs/{task}/tabulate-tour.log",
        benchmark:
            RESULTS / "benchmarks/{task}/tabulate-tour.tsv"
        params:
            rows=lambda w: tour_rows(w.task),
            references=lambda w: references_arguments(w.task),
            paired=CONFIG.targets.tour.methods[-1],
            settings=lambda w: settings("table metrics", task=w.task),
            code=code("table metrics"),

else:

    rule tabulate_tour:
        input:
            measurements=RESULTS / "{task}/measurements",
            truths=RESULTS / "{task}/truths",
            described=lambda w: files_of_measurement(w.task),
            reconstructions=lambda w: files_of_rows(w.task, tour_rows(w.task)),
        output:
            report(
                RESULTS / "{task}/tour/metrics.csv",
                caption="../report/metrics.rst",
                category="Tables",
                labels={"table": "", "of": "{task}"},
            ),
        log:
            RESULTS / "logs/{task}/tabulate-tour.log",
        benchmark:
            RESULTS / "benchmarks/{task}/tabulate-tour.tsv"
        conda:
            "../../envs/step.yaml"
        resources:
            mem_mb=growing(4000),
            runtime=growing(60),
        params:
            measurements=lambda w: measurement_files(w.task, tests(w.task)),
            truths=lambda w: truth_files(w.task, tests(w.task)),
            methods=lambda w: method_arguments(w.task, tour_rows(w.task)),
            references=lambda w: references_arguments(w.task),
            paired=CONFIG.targets.tour.methods[-1],
            settings=lambda w: settings("table tour", task=w.task),
            code=lambda w: code("table tour", task=w.task),
        shell:
            "python -m step table tour --settings {params.settings:q} --log {log:q}"
            " --measurements {params.measurements:q} --truths {params.truths:q} {params.methods:q}"
            " {params.references:q} --paired-with {params.paired:q} --output {output:q}"


rule table_methods:
    input:
        metrics=lambda w: [RESULTS / task / "metrics.csv" for task in CONFIG.tables[w.table]],
        paper=own("resources/paper_tables.csv"),
    output:
        multiext(str(RESULTS / "tables/{table}"), ".csv", ".md", ".tex"),
        report(
            RESULTS / "tables/{table}.html",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{table}", "of": "the study"},
        ),
    log:
        RESULTS / "logs/tables/{table}.log",
    wildcard_constraints:
        table="|".join(CONFIG.tables) or "none",
    priority: 1
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        tasks=lambda w: words("--task", [(task, RESULTS / task / "metrics.csv") for task in CONFIG.tables[w.table]]),
        paired=COMPARED_METHOD,
        settings=lambda w: settings("table methods", table=w.table),
        code=code("table methods"),
    shell:
        "python -m step table methods --settings {params.settings:q} --log {log:q}"
        " {params.tasks:q} --paper {input.paper:q} --paired-with {params.paired:q} --output {output:q}"


rule table_costs:
    input:
        costs=[file for *_, files in COSTS for file in files],
        paper=own("resources/paper_settings.csv"),
    output:
        multiext(str(RESULTS / "tables/table2"), ".csv", ".md", ".tex"),
        report(
            RESULTS / "tables/table2.html",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "table2", "of": "the study"},
        ),
    log:
        RESULTS / "logs/tables/table2.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        costs=words("--cost", [(task, method, *files) for task, method, files in COSTS]),
        settings=settings("table costs"),
        code=code("table costs"),
    shell:
        "python -m step table costs --settings {params.settings:q} --log {log:q}"
        " {params.costs:q} --paper {input.paper:q} --output {output:q}"


rule table_training:
    input:
        networks=[folder for *_, folder in NETWORKS],
        paper=own("resources/paper_settings.csv"),
    output:
        multiext(str(RESULTS / "tables/table3"), ".csv", ".md", ".tex"),
        report(
            RESULTS / "tables/table3.html",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "table3", "of": "the study"},
        ),
    log:
        RESULTS / "logs/tables/table3.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        networks=words("--network", NETWORKS),
        settings=settings("table training"),
        code=code("table training"),
    shell:
        "python -m step table training --settings {params.settings:q} --log {log:q}"
        " {params.networks:q} --paper {input.paper:q} --output {output:q}"


# The study's tables into the pages that show them. It edits these in place, so they are no outputs, which would be
# deleted first: it runs whenever it is asked for, and by itself never.
rule results_pages:
    input:
        tables=[RESULTS / task / "metrics.csv" for task in CONFIG.targets.all],
    log:
        RESULTS / "logs/results_pages.log",
    localrule: True
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        tasks=words("--task", [(task, RESULTS / task / "metrics.csv") for task in CONFIG.targets.all]),
        pages=[own("README.md"), own("docs/results.md")],
        paired=COMPARED_METHOD,
        settings=settings("table pages"),
    shell:
        "python -m step table pages --settings {params.settings:q} --log {log:q}"
        " {params.tasks:q} --pages {params.pages:q} --paired-with {params.paired:q}"
