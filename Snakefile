# Videos from sparse measurements with spatiotemporal diffusion priors: the study, from raw files to tables.
from snakemake.utils import min_version

min_version("9.10")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/observations.smk"


rule tour:
    default_target: True
    input:
        tour_results(),


rule all:
    input:
        task_results(CONFIG.targets.all),
        study_tables(),
        domain_results(CONFIG.targets.all),
        observation_results(CONFIG.observations),


rule weights:
    input:
        expand(RESULTS / "weights/{network}.safetensors", network=type(CONFIG.weights).model_fields),


rule observations:
    input:
        observation_results(CONFIG.observations),
