"""The digest of a stage's code changes with what the code does, and with nothing else."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from step import plugins, provenance
from step.errors import InputError

FILES = {
    "cli/stage.py": """
        def add_arguments(parser):
            parser.add_argument("--depth", help="metres")

        def run():
            from step.physics.waves import wave
            return wave
    """,
    "physics/waves.py": '''
        """Waves."""
        from step.config.sea import Sea

        DEPTH = 3
        """Metres."""

        def wave(sea: Sea):
            """Return a wave."""
            return sea.area * DEPTH
    ''',
    "physics/mri.py": "def build(): return 1",
    "config/sea.py": """
        class Sea(Section):
            width: int = Field(ge=1, description="m")

            @model_validator(mode="after")
            def _wide(self):
                return self

            @property
            def area(self):
                return self.width**2
    """,
    "config/study.py": "def load(): return 1",
    "cli/other.py": "import step.config.study",
}


CACHED = (provenance.reachable_modules, provenance.imported_modules, provenance._parsed)


@pytest.fixture
def digest_after(tmp_path, monkeypatch) -> Callable[..., str]:
    """Return the digest of some modules of a small library after an edit."""
    from textwrap import dedent

    monkeypatch.setattr(plugins, "LIBRARY", tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for file, text in FILES.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(dedent(text))

    def digest(*modules: str, file: str = "cli/stage.py", old: str = "", new: str = "") -> str:
        text = (tmp_path / file).read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1) if old else text)
        for function in CACHED:
            function.cache_clear()
        return provenance.code_digest(*modules or ("step.cli.stage",))

    yield digest
    for function in CACHED:
        function.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("cli/stage.py", "return wave", "return wave()"),
        ("physics/waves.py", "* DEPTH", "/ DEPTH"),
        ("physics/waves.py", "DEPTH = 3", "DEPTH = 4"),
        ("config/sea.py", "width**2", "width**3"),
    ],
    ids=["the stage", "a module imported in a function", "a constant", "a property of a section"],
)
def test_what_the_code_does_counts(digest_after, file, old, new):
    assert digest_after() != digest_after(file=file, old=old, new=new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("physics/waves.py", "Waves.", "Water waves."),
        ("physics/waves.py", "Return a wave.", "Give one wave."),
        ("physics/waves.py", "Metres.", "Depth in metres."),
        ("physics/waves.py", "sea.area * DEPTH", "(\n        sea.area*DEPTH  # volume\n    )"),
        ("cli/stage.py", "metres", "depth in metres"),
        ("config/sea.py", '"m"', '"width in m"'),
        ("config/sea.py", "ge=1", "ge=2"),
        ("config/sea.py", "width: int", "depth: int\n    width: int"),
        ("config/sea.py", "return self\n", "return self.checked()\n"),
        ("physics/mri.py", "return 1", "return 2"),
    ],
    ids=[
        "docstring of a module",
        "docstring of a function",
        "docstring of a constant",
        "format and comment",
        "help of an option",
        "description of a field",
        "bound of a field",
        "a field more",
        "check of a section",
        "a module that is not imported",
    ],
)
def test_what_no_result_depends_on_does_not_count(digest_after, file, old, new):
    assert digest_after() == digest_after(file=file, old=old, new=new)


def test_the_description_of_the_whole_configuration_does_not_count(digest_after):
    before = digest_after("step.cli.other")
    assert digest_after("step.cli.other", file="config/study.py", old="return 1", new="return 2") == before


def test_the_forward_model_that_is_imported_by_name_counts(digest_after):
    modules = ("step.cli.stage", plugins.forward_model_name("mri"))
    assert modules[1] == "step.physics.mri"
    assert digest_after(*modules) != digest_after(*modules, file="physics/mri.py", old="return 1", new="return 2")


def test_a_forward_model_from_elsewhere_counts_with_what_it_uses_of_the_library(digest_after, tmp_path, monkeypatch):
    module = tmp_path / "my_instrument.py"
    module.write_text("from step.physics.mri import build")
    monkeypatch.syspath_prepend(tmp_path)
    modules = ("step.cli.stage", plugins.forward_model_name("my_instrument"))
    before = digest_after(*modules)
    changed = digest_after(*modules, file="physics/mri.py", old="return 1", new="return 2")
    module.write_text("from step.physics.mri import build as make")
    assert len({before, changed, digest_after(*modules)}) == 3


def test_a_forward_model_that_is_nowhere_is_named():
    with pytest.raises(InputError, match=r"measurement\.model is 'mro'"):
        plugins.forward_model_name("mro")


def test_the_modules_of_functions_are_found_however_deep_they_are_named(tmp_path, monkeypatch):
    (tmp_path / "my_lens.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    values = {"operator": "my_lens:build", "others": [{"one": "step.physics.mri:build"}], "time": "noon:late", "n": 3}
    assert plugins.modules_of_functions(values) == ["my_lens", "step.physics.mri"]
    assert plugins.modules_of_functions({"text": "see my_lens:build", "module": "my_lens"}) == []


def test_an_unchanged_library_is_not_parsed_anew(digest_after, monkeypatch):
    before = digest_after()
    with monkeypatch.context() as patched:
        patched.setattr(provenance, "parse_module", lambda text: pytest.fail("parsed again"))
        assert digest_after() == before


@pytest.mark.parametrize("damage", ["{", "{}", "[]", '{"of": 1}'])
def test_a_damaged_file_of_what_was_parsed_counts_for_nothing(digest_after, tmp_path, damage):
    before = digest_after()
    kept = list(tmp_path.rglob("*.meaning.json"))
    assert kept
    for file in kept:
        file.write_text(damage)
    assert digest_after() == before


def test_nothing_is_kept_where_python_keeps_no_bytecode(digest_after, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    digest_after()
    assert list(tmp_path.rglob("*.json")) == []


def test_a_library_that_cannot_be_written_to_is_read_all_the_same(digest_after, tmp_path):
    for folder in {(tmp_path / file).parent for file in FILES}:
        (folder / "__pycache__").touch()  # no folder, so that nothing can be written in it
    assert digest_after() != digest_after(file="physics/waves.py", old="DEPTH = 3", new="DEPTH = 4")


def test_every_module_that_a_stage_reaches_lies_in_the_library():
    reached = provenance.reachable_modules("step.cli.sample")
    assert {"step.sampling.posterior", "step.models.architectures", "step.seeds"} < reached
    assert not reached & provenance.WITHOUT_RESULT
    assert all(Path(provenance._source(name)).is_relative_to(provenance.LIBRARY) for name in reached)


@pytest.mark.parametrize("name", ["mri.", ".mri", "../mri", "a b", ""])
def test_what_is_no_name_of_a_module_is_one_line(name):
    with pytest.raises(InputError, match=r"measurement.model is '.*', which is no name of a module; take one of"):
        plugins.forward_model_name(name)
