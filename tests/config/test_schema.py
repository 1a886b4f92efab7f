"""The schema for editors: up to date, and of the same mind as the checks of the configuration."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from step.__main__ import main
from step.config.schema import configuration_schema
from step.config.study import BASE_CONFIG, load_config
from step.errors import InputError

FOLDER = BASE_CONFIG.parent
OURS = sorted(FOLDER.glob("*.yaml"))
FILES = [*OURS, Path(__file__).parents[1] / "workflow/miniature.yaml"]
BAD = {  # what is wrong: the YAML, and the key that the editor marks
    "unknown key": ("seeed: 1", ""),
    "misspelt key": ("tasks: {mri8: {sampler: {mcmc: {stepps: 3}}}}", "tasks.mri8.sampler.mcmc"),
    "value out of range": ("priors: {mri: {joint: {p_joint: 1.5}}}", "priors.mri.joint.p_joint"),
    "no choice of ours": ("data: {mri: {source: internet}}", "data.mri.source"),
    "text for a number": ("data: {mri: {resolution: large}}", "data.mri.resolution"),
    "a name that is no file's": ("tasks: {'A b': {domain: mri}}", "tasks"),
    "key of a known measurement": ("tasks: {mri8: {measurement: {model: mri, accel: 3}}}", "tasks.mri8.measurement"),
    "key of a known classical reconstruction": (
        "tasks: {mri8: {classical: {total_variation: {wieght: 1}}}}",
        "tasks.mri8.classical.total_variation",
    ),
    "key of a known noise": ("methods: {bis: {noise: {source: independent, le: 1}}}", "methods.bis.noise"),
}


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(configuration_schema())


def marked(schema: jsonschema.Draft202012Validator, text: str) -> list[str]:
    """Return the keys that an editor marks in a configuration file."""
    return [".".join(map(str, error.absolute_path)) for error in schema.iter_errors(yaml.safe_load(text))]


@pytest.mark.slow
def test_the_committed_schema_is_what_describe_prints(capsys):
    assert main(["describe", "--schema"]) == 0
    printed = capsys.readouterr().out
    committed = (FOLDER / "schema.json").read_text()
    assert committed == printed, "write it anew: python -m step describe --schema > config/schema.json"


@pytest.mark.slow
def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(configuration_schema())


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_editor_marks_nothing_in_the_configurations_of_the_project(schema, file):
    assert marked(schema, file.read_text()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("text", "key"), BAD.values(), ids=BAD)
def test_what_the_study_refuses_an_editor_marks_where_it_stands(schema, tmp_path, text, key):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError):
        load_config(tmp_path / "bad.yaml")
    assert marked(schema, text) == [key]


def test_modules_from_elsewhere_may_have_keys_of_their_own(schema):
    measurement = "tasks: {mine: {measurement: {model: my_package.lens, focus: 3}}}"
    noise = "methods: {mine: {noise: {source: my_package.noise, uses_optical_flow: true, colour: red}}}"
    classical = "tasks: {mine: {classical: {my_package.tikhonov: {damping: 3}}, references: [my_package.tikhonov]}}"
    assert marked(schema, measurement) + marked(schema, noise) + marked(schema, classical) == []


@pytest.mark.slow
@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_the_configurations_name_their_schema_in_the_first_line(file):
    reference = "# yaml-language-server: $schema="
    first, *_ = file.read_text().splitlines()
    assert first.startswith(reference)
    assert json.loads((file.parent / first.removeprefix(reference)).read_text()) == configuration_schema()
