# What the sampler costs, with untrained networks and a random video: a study of its own for every size, whatever study
# is overlaid on the paper's. No result depends on it.


rule bench:
    output:
        RESULTS / "benchmark/{size}-{task}.csv",
    log:
        RESULTS / "logs/benchmark/{size}-{task}.log",
    benchmark:
        RESULTS / "benchmarks/benchmark/{size}-{task}.tsv"
    conda:
        "../../envs/step.yaml"
    # All of them: a job next to it would change what it measures.
    threads: 64
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(120),
    params:
        settings=lambda w: settings("bench", size=w.size, task=w.task),
        code=lambda w: code("bench", size=w.size, task=w.task),
    shell:
        "python -m step bench --settings {params.settings:q} --log {log:q} --output {output:q}"


rule table_benchmark:
    input:
        benchmark_files(),
    output:
        multiext(str(RESULTS / "benchmark/table"), ".md", ".tex", ".csv"),
    log:
        RESULTS / "logs/benchmark/table.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=settings("table benchmark"),
        code=code("table benchmark"),
    shell:
        "python -m step table benchmark --settings {params.settings:q} --log {log:q}"
        " --benchmarks {input:q} --output {output:q}"


rule plot_benchmark:
    input:
        benchmark_files(),
    output:
        report(
            RESULTS / "benchmark/costs.png",
            caption="../report/benchmark.rst",
            category="Pictures",
            labels={"of": "all sizes", "what": "cost of sampling"},
        ),
        RESULTS / "benchmark/costs.pdf",
    log:
        RESULTS / "logs/benchmark/plot.log",
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=settings("plot benchmark"),
        code=code("plot benchmark"),
    shell:
        "python -m step plot benchmark --settings {params.settings:q} --log {log:q}"
        " --benchmarks {input:q} --output {output:q}"
