import pytest
from step.cli import ingest, prepare, simulate, split
from step.config.settings import dump_settings, parse_settings
from step.config.study import BASE_CONFIG, Config, load_config
from step.domains.mri.ingest import read_subjects, settings_of
from step.errors import InputError


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(BASE_CONFIG)


def changed(config: Config, **changes: object) -> Config:
    mri = config.data["mri"].model_copy(update=changes)
    return config.model_copy(update={"data": {**config.data, "mri": mri}})


@pytest.mark.parametrize("stage", [simulate, ingest, prepare, split])
@pytest.mark.parametrize("source", ["cmrxrecon", "kspace_archive", "cine_archive", "simulation"])
def test_settings_survive_the_way_through_the_command_line(config, stage, source):
    settings = stage.select(changed(config, source=source), "mri")
    assert parse_settings(dump_settings(settings), stage.Settings) == settings


def test_more_patients_leave_every_patient_as_it_is(config):
    more = changed(config, simulation=config.data["mri"].simulation.model_copy(update={"patients": 500}))
    assert simulate.select(more, "mri") == simulate.select(config, "mri")


@pytest.mark.parametrize("source", ["cmrxrecon", "simulation"])
def test_the_study_seed_and_phase_touch_ingestion_of_an_archive_alone(config, source):
    of = {seed: changed(config.model_copy(update={"seed": seed}), source=source) for seed in (0, 1)}
    assert ingest.select(of[0], "mri") == ingest.select(of[1], "mri")
    archive = {seed: changed(one, source="cine_archive") for seed, one in of.items()}
    assert ingest.select(archive[0], "mri") != ingest.select(archive[1], "mri")


def test_a_scale_touches_preparation_alone(config):
    other = changed(config, scale="peak")
    assert prepare.select(other, "mri") != prepare.select(config, "mri")
    for stage in (simulate, ingest, split):
        assert stage.select(other, "mri") == stage.select(config, "mri")


def test_an_archive_without_a_phase_is_one_line(config, tmp_path):
    settings = settings_of(changed(config, source="cine_archive").data["mri"], config.seed).model_copy(
        update={"phase": None}
    )
    with pytest.raises(InputError, match="layout is cine_archive, whose magnitudes need a phase, and phase is null"):
        next(read_subjects(settings, tmp_path, ["P001"]))
