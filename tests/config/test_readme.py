"""The configuration's own files: the paper's numbers stand in them, and their description is up to date."""

from pathlib import Path

import pytest
import yaml
from step.__main__ import main
from step.config.keys import DEMO_CONFIG, keys_as_markdown, tables
from step.config.observations import CmrxreconData, EhtData, KspaceData, MeasuredData, Observation, Outside
from step.config.sampling import sample_settings
from step.config.study import BASE_CONFIG, load_config
from step.config.tasks import Scattering, StationGains
from step.sampling.samplers import build_sampler
from step.tuning.classical import classical_tuning_settings

PAPER = {  # domain: key below priors or data -> value, in the order of the paper's Table 3
    "blackhole": {
        "data.blackhole": {"frames": 64, "resolution": 256, "images": 50_000, "videos": 648},
        "priors.blackhole.autoencoder": {"latent_channels": 1, "block_channels": [64, 128, 256, 256]},
        "priors.blackhole.autoencoder_training": {"kl_weight": 0.06},
        "priors.blackhole.autoencoder_training.optimisation": {"batch_size": 16, "epochs": 25},
        "priors.blackhole.denoiser": {"block_channels": [128, 256, 512, 512]},
        "priors.blackhole.image.optimisation": {"batch_size": 16, "epochs": 200},
        "priors.blackhole.joint": {"p_joint": 0.8},
        "priors.blackhole.joint.optimisation": {"epochs": 500},
    },
    "mri": {
        "data.mri": {"frames": 12, "resolution": 192, "images": 39_888, "videos": 3_324},
        "priors.mri.autoencoder": {"latent_channels": 2, "block_channels": [256, 512, 512]},
        "priors.mri.autoencoder_training": {"kl_weight": 0.03},
        "priors.mri.autoencoder_training.optimisation": {"batch_size": 16, "epochs": 10},
        "priors.mri.denoiser": {"block_channels": [128, 256, 512, 512]},
        "priors.mri.image.optimisation": {"batch_size": 16, "epochs": 50},
        "priors.mri.joint": {"p_joint": 0.8},
        "priors.mri.joint.optimisation": {"epochs": 300},
    },
}
DOWNSAMPLING = {"blackhole": 8, "mri": 4}
SAMPLER = {  # Table 2
    "blackhole": {
        "ode": {"steps": 20},
        "annealing": {"levels": 25, "sigma_max": 100},
        "mcmc": {"steps": 60, "damping": 0.0, "step_size_squared": 1.2e-5},
    },
    "mri8": {
        "ode": {"steps": 20},
        "annealing": {"levels": 20, "sigma_max": 100},
        "mcmc": {"steps": 53, "damping": 0.83, "step_size_squared": 1.2e-3},
    },
}
SAMPLER["mri6"] = SAMPLER["mri8"]
MASKS = {"mri8": {"acceleration": 8, "acs_lines": 12}, "mri6": {"acceleration": 6, "acs_lines": 24}}


@pytest.fixture(scope="module")
def study() -> dict:
    return load_config(BASE_CONFIG).model_dump(mode="json")


def at(values: dict, path: str) -> dict:
    for part in path.split("."):
        values = values[part]
    return values


def keys_of(values: object, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return the paths of all keys of nested mappings."""
    if not isinstance(values, dict):
        return set()
    own = {(*path, name) for name in values}
    return own.union(*(keys_of(value, (*path, name)) for name, value in values.items()))


def shared(values: dict, wanted: dict) -> dict:
    return {name: values[name] for name in wanted}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [pair for domain in PAPER.values() for pair in domain.items()],
    ids=lambda part: str(part),
)
def test_table_3_stands_in_the_configuration(study, path, wanted):
    assert shared(at(study, path), wanted) == wanted


@pytest.mark.parametrize(("domain", "factor"), DOWNSAMPLING.items())
def test_the_down_sampling_factor_follows_from_the_blocks(domain, factor):
    assert load_config().priors[domain].autoencoder.downsampling == factor


@pytest.mark.parametrize("task", SAMPLER)
def test_table_2_stands_in_the_configuration(study, task):
    sampler = study["tasks"][task]["sampler"]
    assert {part: shared(sampler[part], wanted) for part, wanted in SAMPLER[task].items()} == SAMPLER[task]


@pytest.mark.parametrize("task", MASKS)
def test_the_masks_of_the_paper_stand_in_the_configuration(study, task):
    assert shared(study["tasks"][task]["measurement"], MASKS[task]) == MASKS[task]


@pytest.mark.parametrize(
    "name", ["demo.yaml", "intermediate.yaml", "cine_archive.yaml", "train_cine.yaml", "acdc.yaml", "ocmr.yaml"]
)
def test_a_file_laid_over_the_study_adds_no_key(name):
    study, above = (yaml.safe_load(path.read_text()) for path in (BASE_CONFIG, BASE_CONFIG.with_name(name)))
    assert keys_of(above) - keys_of(study) == set()


def test_the_weighted_method_goes_on_both_studies():
    for files in ([], [DEMO_CONFIG]):
        config = load_config(*files, BASE_CONFIG.with_name("weighted.yaml"))
        for task in ("mri8", "blackhole"):
            settings = sample_settings(config, task, "step_weighted")
            assert settings.own is not None
            sampler = build_sampler("weighted", settings.sampler, settings.own)
            ring = config.posteriors["ring_weighted"]
            counts = [config.tasks[task].samples, config.calibration.samples, ring.samples, ring.samples_per_job]
            assert [count % sampler.particles for count in counts] == [0, 0, 0, 0]


def test_eht_imagings_rows_go_on_both_studies():
    for files in ([], [DEMO_CONFIG]):
        config = load_config(*files, BASE_CONFIG.with_name("eht_imaging.yaml"))
        rows = [row for row in config.tasks["blackhole"].references if row in ("dynamical_imaging", "starwarps")]
        assert rows == ["dynamical_imaging", "starwarps"]
        for row in rows:
            searched = classical_tuning_settings(config, "blackhole", row)
            assert set(searched.multiples.ranges) <= set(searched.classical.model_dump())


def test_the_cine_archive_is_a_study_when_laid_over_the_demo():
    config = load_config(DEMO_CONFIG, BASE_CONFIG.with_name("cine_archive.yaml"))
    assert (config.data["mri"].source, str(config.results)) == ("cine_archive", "results/cine")
    assert len(config.data["mri"].split.test) == config.data["mri"].test_videos


def test_every_key_and_section_is_explained():
    unexplained = [key.path for table in tables() for key in table.keys if not key.meaning]
    assert unexplained == []
    assert all(table.meaning for table in tables())


def test_every_key_of_the_study_is_listed(study):
    names = {"priors": "<domain>", "tasks": "<task>", "methods": "<method>", "tables": "<table>"}
    names |= {"posteriors": "<posterior>", "ablations": "<ablation>"}
    rows = load_config(BASE_CONFIG.with_name("eht_imaging.yaml")).tasks["blackhole"].classical  # in no study of ours
    classical = {name: row.model_dump(mode="json") for name, row in rows.items()}
    blackhole = {**study["tasks"]["blackhole"], "classical": classical}
    study = {**study, "tasks": {**study["tasks"], "blackhole": blackhole}}
    leaves = {path for path in keys_of(study) if not isinstance(at(study, ".".join(path)), dict)}
    wanted = {(path[0], names[path[0]], *path[2:]) if path[0] in names else path for path in leaves}
    wanted = {(*path[:2], "<domain>") if path[:2] == ("modes", "descriptors") else path for path in wanted}
    wanted = {(*path[:2], "<size>", *path[3:]) if path[:2] == ("benchmark", "sizes") else path for path in wanted}
    wanted = {path for path in wanted if path[:2] != ("tuning", "classical")}  # whose keys the modules name
    by_task = ("frames", "sides")
    wanted = {(*path[:-1], "<task>") if path[0] == "benchmark" and path[-2] in by_task else path for path in wanted}
    # The paper's study has no measured data and no noise of its own,
    # and a section that is null is listed key by key.
    listed = {key.path for table in tables() for key in table.keys if key.path[0] != "observations"}
    listed.remove(("methods", "<method>", "noise", "uses_optical_flow"))
    listed.remove(("tuning", "space", "own", "<key>"))  # nor a sampler of its own
    for key, section in (("scattering", Scattering), ("station_gains", StationGains)):  # nor a screen, nor gains
        absent = ("tasks", "<task>", "measurement", key)
        listed = listed - {(*absent, name) for name in section.model_fields} | {absent}
    assert listed == {path for path in wanted if not any(key[:-1] == path for key in listed)}


def test_the_keys_of_measured_data_are_listed():
    listed = {key.path[2:] for table in tables() for key in table.keys if key.path[0] == "observations"}
    of_data = {
        ("data", name)
        for section in (EhtData, CmrxreconData, KspaceData, MeasuredData)
        for name in section.model_fields
    }
    of_data = of_data - {("data", "outside")} | {("data", "outside", name) for name in Outside.model_fields}
    of_data = of_data - {("data", "station_systematic")} | {("data", "station_systematic", "<station>")}
    assert listed == {(name,) for name in Observation.model_fields if name != "data"} | of_data


def test_the_readme_is_what_describe_prints(capsys):
    assert main(["describe", "--keys"]) == 0
    printed = capsys.readouterr().out
    committed = (BASE_CONFIG.parent / "README.md").read_text()
    assert committed == printed, "write it anew: python -m step describe --keys > config/README.md"


@pytest.mark.slow
def test_a_changed_value_is_shown_beside_the_study_s(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text("tasks: {mri8: {sampler: {ode: {steps: 7}}}}")
    text = keys_as_markdown(load_config(), {"mine.yaml": load_config(file)})
    (row,) = [line for line in text.splitlines() if "sampler.ode.steps" in line]
    assert "| `20` | mri8: `7` |" in row
