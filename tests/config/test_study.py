"""A configuration that cannot be used ends with one line that names the key and the value."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from step.__main__ import main
from step.cli.train import select
from step.config.settings import dump_settings
from step.config.study import BASE_CONFIG, Config, check_config, load_config, overlaid, overlaid_on_base, own_path
from step.errors import InputError

LIBRARY = BASE_CONFIG.parents[1] / "workflow"

BAD = {  # what is wrong: the YAML, and what the line must name
    "unknown key": ("seeed: 1", ["seeed", "unknown key", "config/README.md"]),
    "misspelt key": (
        "priors: {mri: {joint: {p_join: 0.5}}}",
        ["priors.mri.joint.p_join", "unknown key", "spelling"],
    ),
    "value out of range": ("priors: {mri: {joint: {p_joint: 1.5}}}", ["priors.mri.joint.p_joint", "1.5"]),
    "negative count": ("data: {mri: {frames: -3}}", ["data.mri.frames", "-3"]),
    "not a number": (
        "tasks: {mri8: {sampler: {annealing: {sigma_max: .nan}}}}",
        ["tasks.mri8.sampler.annealing.sigma_max", "nan"],
    ),
    "text for a number": ("data: {mri: {resolution: large}}", ["data.mri.resolution", "'large'"]),
    "a number that YAML reads as text": (
        "priors: {mri: {image: {optimisation: {learning_rate: fast}}}}",
        ["priors.mri.image.optimisation.learning_rate", "'fast'"],
    ),
    "not one of the choices": ("data: {mri: {source: internet}}", ["data.mri.source", "internet"]),
    "mapping for a value": ("seed: {a: 1}", ["seed"]),
    "value for a mapping": ("data: 5", ["data", "5"]),
    "neither of two types": ("data: {mri: {scale: bright}}", ["data.mri.scale", "'bright'"]),
    "name with shell metacharacters": (
        'tasks: {"x; rm -rf": {domain: mri}}',
        ["tasks.x; rm -rf", "should match pattern"],
    ),
    "name that is a path": (
        'methods: {"../bis": {prior: image, noise: {source: independent}, sampler: daps}}',
        ["methods.../bis"],
    ),
    "target that is no task": ("targets: {tour: {tasks: [mri7]}}", ["targets.tour.tasks", "mri7", "mri8"]),
    "tour of a method that is none": ("targets: {tour: {methods: [pcs]}}", ["targets.tour.methods", "pcs", "bcs"]),
    "table of a task that is none": ("tables: {table1: [mri7]}", ["tables.table1", "mri7", "mri8"]),
    "noise of a key that its source has not": (
        "methods: {bis: {noise: {length: 1}}}",
        ["methods.bis.noise.length", "unknown key"],
    ),
    "benchmark of a task that is none": ("benchmark: {tasks: [mri7]}", ["benchmark.tasks", "mri7", "mri8"]),
    "benchmark of noise that moves": ("benchmark: {method: bicubic}", ["benchmark.method", "bicubic", "optical flow"]),
    "warped noise without an optical flow": (
        "tasks: {mri8: {optical_flow: null}}",
        ["tasks.mri8.optical_flow", "null", "bilinear"],
    ),
    "optical flow of a truth that a real measurement has not": (
        "observations: {night: {task: blackhole, method: bicubic, samples: 1, samples_per_job: 1, data: {format: eht, "
        "file: a.csv, right_ascension_h: null, declination_deg: null, start_utc_h: null, average_s: 60, "
        "systematic: 0, source: null, polarisation: I, "
        "flag_stations: [], station_systematic: {}, refractive_noise_jy: 0, uv_min: 0, compact_flux_jy: null, "
        "light_curve: none}}}",
        ["observations.night.method", "bicubic", "tasks.blackhole.optical_flow.source", "no"],
    ),
    "task like one that is none": ("tasks: {night: {like: noon}}", ["tasks.night.like", "'noon'", "mri8"]),
    "tasks like one another": (
        "tasks: {one: {like: two}, two: {like: one}}",
        ["tasks.two.like", "'one'", "which is like it"],
    ),
    "task of an unknown domain": ("tasks: {mri8: {domain: weather}}", ["tasks.mri8.domain", "weather"]),
    "resolution that the networks cannot halve": (
        "data: {mri: {resolution: 190}}",
        ["data.mri.resolution", "190", "32"],
    ),
    "groups that do not divide the widths": (
        "priors: {mri: {denoiser: {norm_groups: 24}}}",
        ["priors.mri.denoiser", "24", "128"],
    ),
    "a reference that nothing makes": (
        "tasks: {mri8: {references: [tikhonov]}}",
        ["tasks.mri8", "references has 'tikhonov'", "classical has no settings of it"],
    ),
    "a setting of a classical reconstruction that is misspelt": (
        "tasks: {mri8: {classical: {low_rank_sparse: {sparse_wieght: 0.1}}}}",
        ["tasks.mri8.classical.low_rank_sparse.sparse_wieght", "unknown key"],
    ),
    "a setting of a classical reconstruction out of range": (
        "tasks: {mri8: {classical: {total_variation: {weight: -1}}}}",
        ["tasks.mri8.classical.total_variation.weight", "-1"],
    ),
    "a classical reconstruction called as another reference": (
        "tasks: {mri8: {classical: {static: {}}}}",
        ["tasks.mri8", "classical has 'static'", "rename"],
    ),
    "a classical reconstruction called as a method": (
        "tasks: {mri8: {references: [bcs], classical: {bcs: {}}}}",
        ["tasks.mri8.references", "'bcs'", "rename the method"],
    ),
    "multiples the wrong way round": (
        "tuning: {classical: {total_variation: {weight: [1, 1]}}}",
        ["tuning.classical.total_variation", "weight goes from 1 to 1"],
    ),
    "multiples of nothing": ("tuning: {classical: {tikhonov: {}}}", ["tuning.classical.tikhonov", "no setting"]),
    "no video to train on": (
        "data: {mri: {videos: 0}}",
        ["data.mri.videos", "0", "nothing to train on; raise it", "priors.mri.pretrained, which is null"],
    ),
    "nobody to train on": (
        "data: {mri: {source: simulation, simulation: {patients: 5}, split: {validation: 2, test: 3}}}",
        ["data.mri.split", "5 of 5", "nobody to train on", "priors.mri.pretrained, which is null"],
    ),
    "weights of an unknown number format": (
        "priors: {mri: {weights_precision: int8}}",
        ["priors.mri.weights_precision", "'int8'", "'float16'"],
    ),
    "zoom the wrong way round": (
        "priors: {mri: {image: {augmentation: {zoom: [2, 1]}}}}",
        ["priors.mri.image.augmentation", "zoom", "2.0", "1.0"],
    ),
}


BAD_MEASUREMENT = {
    "out of range": ("{acceleration: 0}", ["tasks.mri8.measurement.acceleration", "0"]),
    "misspelt": ("{accelration: 4}", ["tasks.mri8.measurement.accelration", "unknown key"]),
}


def problem(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_config(file)
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "wanted"), BAD.values(), ids=BAD)
def test_a_bad_value_is_one_line_with_key_and_value(tmp_path, text, wanted):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    line = problem(file)
    assert "\n" not in line
    assert [part for part in [*wanted, "bad.yaml"] if part not in line] == []


@pytest.mark.slow
@pytest.mark.parametrize(("text", "wanted"), BAD_MEASUREMENT.values(), ids=BAD_MEASUREMENT)
def test_a_bad_value_of_a_measurement_is_one_line_with_key_and_value(tmp_path, text, wanted):
    test_a_bad_value_is_one_line_with_key_and_value(tmp_path, f"tasks: {{mri8: {{measurement: {text}}}}}", wanted)


def test_a_missing_key_is_named():
    values = load_config().model_dump(mode="json")
    del values["data"]["mri"]["frames"]
    with pytest.raises(InputError, match=r"^data\.mri\.frames: missing; .*\(in here\)$"):
        check_config(values, source="here")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "wanted"),
    [("a: [1, 2", "is not YAML"), ("- 1\n- 2\n", "holds list, not a mapping"), ("", "not a mapping")],
    ids=["broken", "list", "empty"],
)
def test_a_file_that_is_no_mapping_is_one_line(tmp_path, text, wanted):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    line = problem(file)
    assert "\n" not in line
    assert str(file) in line
    assert wanted in line


def test_a_missing_file_is_one_line(tmp_path):
    assert problem(tmp_path / "nowhere.yaml").startswith(f"no configuration file {tmp_path / 'nowhere.yaml'}")


def test_a_file_that_is_not_text_is_one_line(tmp_path):
    file = tmp_path / "binary.yaml"
    file.write_bytes(b"\x89HDF\r\n\x1a\n\xff\xfe\x00")
    line = problem(file)
    assert "\n" not in line
    assert str(file) in line


@pytest.mark.slow
def test_the_command_line_prints_the_line_and_exits_with_1(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("data: {mri: {frames: 0}}")
    command = [sys.executable, "-m", "step", "describe", "--config", str(file)]
    job = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(LIBRARY)})
    assert job.returncode == 1
    assert job.stdout == ""
    (line,) = job.stderr.splitlines()
    assert line.startswith("error: data.mri.frames: ")


def test_without_settings_the_command_line_says_what_to_give(tmp_path, capsys):
    assert main(["split", "--inputs", "a.h5", "--output", str(tmp_path / "index.csv")]) == 1
    assert "--config" in capsys.readouterr().err


def test_files_are_laid_over_each_other_in_their_order(tmp_path):
    for number, text in enumerate(("seed: 1\nresults: one", "seed: 2")):
        (tmp_path / f"{number}.yaml").write_text(text)
    config = load_config(tmp_path / "0.yaml", tmp_path / "1.yaml")
    assert (config.seed, str(config.results)) == (2, "one")
    assert config.data == load_config().data


def test_a_list_replaces_the_whole_list():
    assert overlaid({"a": {"b": [1, 2], "c": 3}}, {"a": {"b": [4]}}) == {"a": {"b": [4], "c": 3}}


def test_the_order_of_keys_does_not_change_the_settings_of_a_stage():
    values = load_config().model_dump(mode="json")
    turned = {name: values[name] for name in reversed(values)}
    turned["priors"] = {name: dict(reversed(of.items())) for name, of in reversed(turned["priors"].items())}
    texts = {dump_settings(select(Config.model_validate(of), "mri", "joint")) for of in (values, turned)}
    assert len(texts) == 1


def test_a_file_that_only_the_project_has_is_the_project_s_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config()
    assert config.weights.checksums == BASE_CONFIG.parents[1] / "resources/weights.csv"
    assert config.benchmark.sizes["demo"].overlays == (BASE_CONFIG.with_name("demo.yaml"),)
    assert str(config.tasks["blackhole"].measurement.array) == str(BASE_CONFIG.parents[1] / "resources/eht2017.csv")
    assert config.data["mri"].root == Path("data/cmrxrecon")


@pytest.mark.slow
def test_a_file_of_the_working_folder_goes_before_one_of_the_project(tmp_path, monkeypatch):
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources/weights.csv").touch()
    monkeypatch.chdir(tmp_path)
    assert load_config().weights.checksums == Path("resources/weights.csv")


def test_in_the_project_s_own_folder_its_files_are_named_as_they_stand(monkeypatch):
    monkeypatch.chdir(BASE_CONFIG.parents[1])
    assert load_config().weights.checksums == Path("resources/weights.csv")


def test_values_are_laid_over_the_paper_s_study_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = check_config(overlaid_on_base({"seed": 7}), source="here")
    assert config == load_config().model_copy(update={"seed": 7})


def test_nobody_is_needed_to_train_on_where_the_prior_is_pretrained(tmp_path):
    file = tmp_path / "pretrained.yaml"
    nobody = "{source: simulation, videos: 0, simulation: {patients: 5}, split: {validation: 2, test: 3}}"
    file.write_text(f"data: {{mri: {nobody}}}\npriors: {{mri: {{pretrained: priors/hearts}}}}\n")
    assert load_config(file).data["mri"].videos == 0


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A project with a prior among its resources and one among its results, seen from another folder."""
    project = tmp_path / "project"
    for name in ("resources/priors/mri", "results/mri/prior"):
        (project / name).mkdir(parents=True)
    monkeypatch.setattr("step.config.study.BASE_CONFIG", project / "config/config.yaml")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return project


def test_a_prior_among_the_project_s_resources_is_found_from_any_folder(elsewhere):
    assert own_path("resources/priors/mri") == str(elsewhere / "resources/priors/mri")
    # Folders that are made, not shipped, are those of the working folder, and there may be none of them yet.
    for name in ("results/mri/prior", "resources/priors/eyes", "people/hearts@v1"):
        assert own_path(name) == name
    Path("resources/priors/mri").mkdir(parents=True)
    assert own_path("resources/priors/mri") == "resources/priors/mri"


@pytest.mark.slow
def test_a_task_like_another_has_its_values_but_for_its_own(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "tasks:\n  blackhole: {measurement: {flux_sigma: 0.7}}\n  third: {like: m87}\n"
        "  m87: {like: blackhole, measurement: {source: M87, declination_deg: 12.4}}\n"
    )
    tasks = load_config(file).tasks
    assert tasks["blackhole"].measurement.source == "SgrA*"
    for name in ("m87", "third"):
        found, like = tasks[name], tasks["blackhole"]
        assert (found.measurement.source, found.measurement.declination_deg) == ("M87", 12.4)
        assert (found.measurement.flux_sigma, found.measurement.mjd) == (0.7, like.measurement.mjd)
        assert found.sampler == like.sampler
    assert load_config(file).model_validate(load_config(file).model_dump(mode="json")) == load_config(file)
