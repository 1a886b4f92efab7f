# Videos from sparse measurements with spatiotemporal diffusion priors: the study, from raw files to tables.
from snakemake.utils import min_version

min_version("9.10")


include: "workflow/rules/project.smk"


configfile: own("config/config.yaml")


# With --sdm apptainer; envs/step.def says how it is built.
container: own("envs/step.sif")


include: "workflow/rules/common.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/modes.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/points.smk"
include: "workflow/rules/ablations.smk"
include: "workflow/rules/tuning.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/observations.smk"
include: "workflow/rules/quantities.smk"
include: "workflow/rules/recalibration.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/benchmark.smk"
include: "workflow/rules/estimate.smk"


# The first target, and so the default one; in a workflow that imports this one its own first target is.
rule tour:
    input:
        tour_results(),
        RESULTS / "tour.html",


rule all:
    input:
        study_results(),
        RESULTS / "report.html",


# Each domain's prior as one folder: to copy, to share, to load in a notebook, to name under `priors.DOMAIN.pretrained`.
rule priors:
    input:
        [RESULTS / domain / "prior" for domain in dict.fromkeys(map(domain_of, CONFIG.targets.all))],


rule weights:
    input:
        expand(RESULTS / "weights/{network}.safetensors", network=LEARNED_NETWORKS),


rule observations:
    input:
        observation_results(CONFIG.observations),


rule posteriors:
    input:
        posterior_results(CONFIG.posteriors),


rule ablations:
    input:
        ablation_results(possible_ablations()),


rule tuning:
    input:
        tuning_results(CONFIG.tuning.tasks),


rule benchmark:
    input:
        RESULTS / "benchmark/table.md",
        RESULTS / "benchmark/costs.png",


# Each figure of the paper by its number, of all tasks, domains or posteriors that have it.
for figure, pictures in paper_figures().items():

    rule:
        name:
            figure
        input:
            pictures,
