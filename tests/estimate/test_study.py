"""What jobs are counted to do, and what a study is said to take."""

import json
from types import SimpleNamespace

import pytest
from step.__main__ import main
from step.config.files import sample_numbers
from step.config.plan import sampling_shards
from step.config.study import BASE_CONFIG, load_config
from step.errors import InputError
from step.estimate import planning
from step.estimate.graph import Job, planned_jobs, read_graph, stage_of, write_graph
from step.estimate.space import space_gb
from step.estimate.study import as_lines, estimate_study, in_one_line, study_work, without_missing_data
from step.estimate.unit_costs import Machine, read_unit_costs


@pytest.fixture(scope="module")
def work():
    return study_work(load_config(BASE_CONFIG))


def sampling(rule: str, **wildcards: str) -> Job:
    return Job(rule, "sample", {"shard": "000", **wildcards}, (), True)


def test_samples_of_all_kinds_of_jobs_are_counted(work):
    one = work.of(sampling("sample", task="blackhole", method="step_joint")).amount
    assert work.of(sampling("sample_posterior", posterior="ring")).amount == pytest.approx(10 * one)
    more = work.config.calibration.samples - 1
    calibration = work.of(sampling("study_sample_calibration", task="blackhole", method="step_joint"))
    assert calibration.amount == pytest.approx(more * one)
    assert work.of(sampling("sample_ablation", ablation="hmc_steps", point="2")).amount == pytest.approx(one)
    halved = work.of(sampling("sample_ablation", ablation="hmc_steps", point="1")).amount
    assert 0.5 < halved / one < 0.7  # the ODE's denoisings stay


def test_an_image_prior_costs_less_than_a_video_prior(work):
    image, video = (work.of(sampling("sample", task="mri8", method=name)).amount for name in ("bcs", "step_joint"))
    assert image < video


def test_a_training_s_work_is_its_epochs_and_a_longer_one_is_longer(work):
    def trained(prior: str) -> float:
        return work.of(Job("train_denoiser", "train", {"domain": "mri", "prior": prior}, (), True)).amount

    assert trained("video") > trained("joint") > trained("image")  # pseudo-videos leave the temporal modules out
    half = load_config(BASE_CONFIG).model_dump(mode="json")
    half["priors"]["mri"]["image"]["optimisation"]["epochs"] /= 2
    other = study_work(type(work.config).model_validate(half))
    job = Job("train_denoiser", "train", {"domain": "mri", "prior": "image"}, (), True)
    assert other.of(job).amount == pytest.approx(work.of(job).amount / 2)


@pytest.mark.parametrize(
    ("command", "stage"),
    [
        ("python -m step sample --settings x", "sample"),
        ("python -m step plot comparison --settings x", "plot comparison"),
        ("env -u X python -m snakemake --report y", "report"),
        ("touch z", ""),
        (None, ""),
    ],
)
def test_the_stage_of_a_rule_stands_in_its_command(command, stage):
    assert stage_of(command) == stage


class PlannedJob(SimpleNamespace):
    __hash__ = object.__hash__  # as snakemake's jobs have


def planned(name: str, command: str, **wildcards: str) -> PlannedJob:
    rule = SimpleNamespace(name=name, shellcmd=command, resources={"gpu": 1} if name == "sample" else {}, priority=0)
    log, benchmark = [f"logs/{name}.log"], None if name == "split" else f"benchmarks/{name}.tsv"
    return PlannedJob(rule=rule, wildcards_dict=wildcards, output=[f"{name}.h5"], log=log, benchmark=benchmark)


@pytest.fixture
def dag():
    measure = planned("measure", "python -m step measure --settings x", task="mri8")
    sample = planned("sample", "python -m step sample --settings x", task="mri8", method="bcs", shard="000")
    done = planned("split", "python -m step split --settings x", domain="mri")
    persistence = SimpleNamespace(
        metadata=lambda file: {"starttime": 5.0, "endtime": 8.0} if file == "split.h5" else None
    )
    dependencies = {sample: {measure: set()}, measure: {done: set()}, done: {}}
    return SimpleNamespace(
        jobs=dependencies.keys(),
        dependencies=dependencies,
        needrun_jobs=lambda exclude_finished: [] if exclude_finished else [sample, measure],
        workflow=SimpleNamespace(persistence=persistence),
    )


def test_jobs_stand_behind_those_they_wait_for_and_know_their_last_run(dag, tmp_path):
    everything = planned_jobs(dag, all_of_them=True)
    assert [(job.stage, job.needs, job.gpu, job.seconds) for job in everything] == [
        ("split", (), False, 3.0),
        ("measure", (0,), False, None),
        ("sample", (1,), True, None),
    ]
    assert [(job.is_planned, job.outputs, job.log, job.benchmark) for job in everything[:2]] == [
        (False, ("split.h5",), "logs/split.log", ""),
        (True, ("measure.h5",), "logs/measure.log", "benchmarks/measure.tsv"),
    ]
    assert [(job.stage, job.needs) for job in planned_jobs(dag)] == [("measure", ()), ("sample", (0,))]
    write_graph(tmp_path / "graph.json", everything)
    assert read_graph(tmp_path / "graph.json") == everything


def test_a_dry_run_says_in_one_line_what_its_jobs_take(dag, tmp_path, capsys):
    workflow = SimpleNamespace(
        _dag=dag,
        dryrun=True,
        local_exec=True,
        resource_settings=SimpleNamespace(cores=2, nodes=None),
        executor_plugin=SimpleNamespace(common_settings=SimpleNamespace(dryrun_exec=True)),
    )
    config = load_config(BASE_CONFIG)
    planning.say_what_it_takes(workflow, config, {})
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("estimate for cpu: 2 jobs, ")
    assert "to the end with 2 jobs at once" in line
    planning.say_what_it_takes(workflow, config, {planning.GRAPH: str(tmp_path / "graph.json")})
    assert len(read_graph(tmp_path / "graph.json")) == 3
    workflow.dryrun = False
    planning.say_what_it_takes(workflow, config, {})
    assert capsys.readouterr().err == ""


def test_stages_are_summed_and_what_is_not_known_is_said(dag):
    config = load_config(BASE_CONFIG)
    jobs = [*planned_jobs(dag), Job("tune", "tune", {"task": "mri8"}, (), True)]
    jobs.append(Job("summarise", "nothing like it", {"task": "mri8"}, (), False))
    estimate = estimate_study(config, jobs, Machine("h200", read_unit_costs()), slots=2)
    searched = config.tuning.trials * 3
    assert estimate.hours(True) == pytest.approx((1 + searched) * 152 / 3600, rel=0.01)  # of the image prior, and video
    text = "\n".join(as_lines(estimate))
    assert "1 not measured there, left out" in text
    assert "1 by far smaller or other jobs" in text
    assert "NVIDIA H200" in text
    assert "1 jobs of stages that were not measured there left out" in in_one_line(estimate)


def test_the_paper_s_sampling_takes_at_most_sixty_hours_of_a_gpu(work):
    config, files = work.config, work.files
    jobs = [
        sampling(rule, task=task, method=method, shard=shard)
        for rule, tasks, methods in (
            ("sample", config.targets.all, config.methods),
            ("sample_calibration", config.calibration.tasks, config.calibration.methods),
        )
        for task in tasks
        for method in methods
        for shard in sampling_shards(config, task)
    ]
    for name in config.targets.ablations:
        points = range(len(config.ablations[name].values) - 1)  # the last is the study's own
        shards = files.shards_of_ablation(name)
        jobs += [sampling("sample_ablation", ablation=name, point=str(p), shard=s) for p in points for s in shards]
    jobs += [sampling("sample_posterior", posterior="ring", shard=s) for s in sample_numbers(config.posteriors["ring"])]
    assert len(jobs) == 540 + 80 + 60 + 10  # as snakemake plans
    estimate = estimate_study(config, jobs, Machine("h200", read_unit_costs()), slots=8)
    assert 50 < estimate.hours(True) <= 60


def test_missing_raw_data_are_counted_as_simulated(tmp_path):
    config, missing = without_missing_data(load_config(BASE_CONFIG))
    assert missing == ["mri", "blackhole"]
    assert all(config.video_format(domain).is_simulated for domain in missing)
    overlay = tmp_path / "there.yaml"
    overlay.write_text(f"data: {{mri: {{root: {tmp_path}}}}}")
    assert without_missing_data(load_config(overlay))[1] == ["blackhole"]


def test_space_is_that_of_float32_videos(work):
    config = work.config
    parameters = {
        domain: dict.fromkeys(("autoencoder", "image_denoiser", "video_denoiser"), 1000) for domain in config.priors
    }
    found = space_gb(config, [sampling("sample", task="mri8", method="bcs")], work, parameters)
    assert found["samples"] == pytest.approx(12 * 2 * 192 * 192 * 4 / 1e9)
    images = config.video_format("blackhole").images
    assert found["prepared videos"] > images * 256 * 256 * 4 / 1e9
    assert found["networks"] == pytest.approx((4 + 4 + 5 + 6) * 4000 / 1e9)  # with the epochs that are kept


def test_a_machine_that_nobody_measured_and_no_slot_are_one_line(capsys, monkeypatch):
    monkeypatch.setattr(planning, "plan", lambda config, target: pytest.fail("planned in vain"))
    assert main(["describe", "--costs", "--machine", "abacus"]) == 1
    assert "no unit costs of a machine 'abacus'" in capsys.readouterr().err
    assert main(["describe", "--costs", "--slots", "0"]) == 1
    assert "--slots 0" in capsys.readouterr().err


@pytest.mark.slow
def test_costs_are_printed_as_json(capsys, monkeypatch, dag):
    monkeypatch.setattr(planning, "plan", lambda config, target: planned_jobs(dag))
    assert main(["describe", "--costs", "--json", "--machine", "h200", "--slots", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {stage["stage"]: stage["jobs"] for stage in found["stages"]} == {"measure": 1, "sample": 1}
    assert found["space_gb"]["prepared videos"] > 1


@pytest.mark.slow
def test_what_snakemake_cannot_plan_is_its_one_line():
    with pytest.raises(InputError, match="snakemake cannot plan nothing_of_the_kind: "):
        planning.plan(load_config(BASE_CONFIG.with_name("demo.yaml")), "nothing_of_the_kind")
