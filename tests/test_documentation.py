"""The Python interface is documented: each name has an example that is run, and the site is built of them all."""

import doctest
import inspect
import re
import subprocess
import sys
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import step
import torch
from documented_code import blocks
from step.plugins import LIBRARY
from tiny_priors import write_tiny_prior

PROJECT = LIBRARY.parents[1]
CALLED = (property, cached_property, classmethod, staticmethod)


def documented(name: str, thing: object) -> dict[str, str]:
    """Return the docstrings of a public name and, unless it is a protocol, of what a class adds, by their names."""
    found = {name: thing.__doc__ or ""}
    if inspect.isclass(thing) and not getattr(thing, "_is_protocol", False):
        for member, value in vars(thing).items():
            if not member.startswith("_") and (inspect.isroutine(value) or isinstance(value, CALLED)):
                found[f"{name}.{member}"] = value.__doc__ or ""
    return found


def without_example(docstrings: dict[str, str]) -> list[str]:
    """Return the names without an example that is run."""
    examples = {name: doctest.DocTestParser().get_examples(text) for name, text in docstrings.items()}
    return [
        name
        for name, found in examples.items()
        if not found or any(example.options.get(doctest.SKIP) for example in found)
    ]


def failures(docstrings: dict[str, str]) -> list[str]:
    """Run the examples, those of a class's methods where those of the class end, and return what went otherwise."""
    shared = {"step": step, "torch": torch, "np": np}
    said: list[str] = []
    for number, (name, text) in enumerate(docstrings.items()):
        test = doctest.DocTestParser().get_doctest(text, dict(shared), name, None, 0)
        doctest.DocTestRunner(verbose=False).run(test, out=said.append, clear_globs=False)
        if number == 0:
            shared = test.globs
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with what the examples name: priors, stations and the configuration."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "resources/priors").mkdir(parents=True)
    (folder / "resources/eht2017.csv").symlink_to(PROJECT / "resources/eht2017.csv")
    (folder / "config").symlink_to(PROJECT / "config")
    sky = {"channels": 1, "display": "unit_range", "brightness": {"mean": 20.0, "std": 2.0}}
    sky |= {"geometry": {"field_of_view_uas": 128.0, "cadence_s": 408.0}}
    for domain, changes in {"mri": {}, "blackhole": sky}.items():
        prior = write_tiny_prior(folder / "made" / domain, domain, **changes)
        (folder / "resources/priors" / domain).symlink_to(prior)
    return folder


def test_every_public_name_and_method_has_an_example_that_is_run():
    docstrings = documented("step", step)
    for name in step.__all__:
        docstrings |= documented(name, getattr(step, name))
    assert without_example(docstrings) == []
    assert {"Posterior.mean", "LeastSquares.layout", "CartesianMri.equispaced", "Video.save"} <= docstrings.keys()


def test_a_name_without_an_example_is_found():
    class Some:
        """Says nothing.

        >>> 1 + 1  # doctest: +SKIP
        3
        """

        @classmethod
        def of(cls):
            """Return one."""

        @cached_property
        def size(self):
            """Return its size.

            >>> 1 + 1
            2
            """

        def _hidden(self):
            pass

    assert without_example(documented("Some", Some)) == ["Some", "Some.of"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["step", *step.__all__])
def test_the_examples_hold(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert failures(documented(name, step if name == "step" else getattr(step, name))) == []


@pytest.mark.slow
def test_the_ten_lines_of_the_readme_run_as_they_stand(folder, tmp_path, monkeypatch):
    (tmp_path / "resources").symlink_to(folder / "resources")
    monkeypatch.chdir(tmp_path)
    [program] = blocks(PROJECT / "README.md", "python")
    names: dict[str, object] = {}
    exec(program, names)
    assert len(names["posterior"].samples) == 8
    assert (tmp_path / "posterior.h5").stat().st_size > 0
    assert program.count("\n") <= 10


def test_an_example_that_says_something_else_is_found():
    wrong = {"one": ">>> number = 1", "one.method": ">>> number + 1\n2\n>>> number\n3\n"}
    (said,) = failures(wrong)
    assert "Expected:\n    3\nGot:\n    1" in said


def test_the_reference_has_every_public_name():
    shown = re.findall(r"^::: step\.(\w+)$", (PROJECT / "docs/api.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(step.__all__)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_names_nothing_to_be_fetched(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", PROJECT / "mkdocs.yml"]
    job = subprocess.run([*command, "--site-dir", tmp_path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert job.returncode == 0, job.stderr
    reference = (tmp_path / "api.html").read_text()
    for name in (*step.__all__, "Posterior.mean", "CartesianMri.measure"):  # this one is LeastSquares'
        assert f'id="step.{name}"' in reference
    assert reference.count("Examples:") > len(step.__all__)
    assert "<blockquote" not in reference  # what Markdown makes of a prompt that is in no section of examples
    pages = "".join(page.read_text() for page in tmp_path.rglob("*.html"))
    assert re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="?(?:https?:)?//[^>]*', pages) == []
    assert '<pre class="mermaid">' in (tmp_path / "concepts.html").read_text()
    assert (tmp_path / "media/hearts.webp").is_file()
    notebook = (tmp_path / "reconstruct.html").read_text()
    assert "A video from an eighth of its k-space" in notebook
    assert "step.load_prior" in re.sub(r"<[^>]+>", "", notebook)
