# Everything on one page that opens without a network: pictures, videos and tables with their captions, configuration,
# versions and run times. Snakemake writes it from the results that are there; nothing is run for it. It sorts by labels,
# as texts: figures of one digit have a blank before it.


report: "../report/workflow.rst"


rule reported_study:
    input:
        study_results(),
        RESULTS / "run_summary/study-front_page.html",
        RESULTS / "run_summary/study.html",


rule reported_tour:
    input:
        tour_results(),
        RESULTS / "run_summary/tour-front_page.html",
        RESULTS / "run_summary/tour.html",


rule run_summary:
    input:
        lambda w: study_results() if w.target == "study" else tour_results(),
    output:
        page=report(
            RESULTS / "run_summary/{target}.html",
            caption="../report/run_summary.rst",
            category="Run summary",
            labels={"summary": "configuration, versions, run times"},
        ),
        study=RESULTS / "run_summary/{target}.yaml",
    log:
        RESULTS / "logs/run_summary/{target}.log",
    wildcard_constraints:
        target="study|tour",
    localrule: True
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        benchmarks=RESULTS / "benchmarks",
        settings=settings("run_summary"),
        code=code("run_summary"),
    shell:
        "python -m step run_summary --settings {params.settings:q} --log {log:q}"
        " --benchmarks {params.benchmarks:q} --study {output.study:q} --output {output.page:q}"


rule front_page:
    input:
        lambda w: [file for files in front_page(w.target).values() for _, file in files],
    output:
        report(
            RESULTS / "run_summary/{target}-front_page.html",
            caption="../report/front_page.rst",
            category="Pictures",
            labels={"of": "all tasks", "what": "front page"},
        ),
    log:
        RESULTS / "logs/run_summary/{target}-front_page.log",
    wildcard_constraints:
        target="study|tour",
    localrule: True
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        files=lambda w: sum((words(option, files) for option, files in front_page(w.target).items()), []),
        settings=lambda w: settings("table front_page", target=w.target),
        code=code("table front_page"),
    shell:
        "python -m step table front_page --settings {params.settings:q} --log {log:q}"
        " {params.files:q} --output {output:q}"


rule report_study:
    input:
        results=lambda w: study_results(),
        front_page=RESULTS / "run_summary/study-front_page.html",
        summary=RESULTS / "run_summary/study.html",
        study=RESULTS / "run_summary/study.yaml",
    output:
        RESULTS / "report.html",
    log:
        RESULTS / "logs/report.log",
    localrule: True
    conda:
        "../../envs/step.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        target="reported_study",
        snakefile=own("Snakefile"),
        settings=settings("run_summary"),
    shell:
        # The study's own configuration, whole: a profile or an option of the run around it is not asked again.
        "env -u SNAKEMAKE_PROFILE python -m snakemake --nolock --cores 1 --workflow-profile none"
        " --snakefile {params.snakefile:q} --configfile {input.study:q} --report {output:q}.part.html {params.target} >{log:q} 2>&1"
        " && mv {output:q}.part.html {output:q} || {{ cat {log:q} >&2; rm -f {output:q}.part.html; exit 1; }}"


use rule report_study as report_tour with:
    input:
        results=lambda w: tour_results(),
        front_page=RESULTS / "run_summary/tour-front_page.html",
        summary=RESULTS / "run_summary/tour.html",
        study=RESULTS / "run_summary/tour.yaml",
    output:
        RESULTS / "tour.html",
    log:
        RESULTS / "logs/report-tour.log",
    params:
        target="reported_tour",
        snakefile=own("Snakefile"),
        settings=settings("run_summary"),
