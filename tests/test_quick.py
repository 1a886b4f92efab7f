"""The quick tests cover the whole library, and stay quick without a list of them."""

import ast
from pathlib import Path

import pytest
from step.plugins import LIBRARY

TESTS = Path(__file__).parent


def is_slow(test: ast.FunctionDef) -> bool:
    return any("mark.slow" in ast.unparse(decorator) for decorator in test.decorator_list)


def quick_tests(folder: Path) -> list[str]:
    """Return the names of the tests in the files of `folder` that nothing marks as slow."""
    functions = [
        node
        for file in folder.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    return [test.name for test in functions if not is_slow(test)]


@pytest.mark.slow
def test_every_package_of_the_library_has_quick_tests():
    packages = [folder.name for folder in LIBRARY.iterdir() if (folder / "__init__.py").is_file()]
    assert [name for name in packages if not quick_tests(TESTS / name)] == []


def test_a_package_whose_tests_are_all_slow_is_found(tmp_path):
    (tmp_path / "test_one.py").write_text("@pytest.mark.slow\ndef test_that_takes_long():\n    pass\n")
    assert quick_tests(tmp_path) == []


def test_collecting_loads_nothing_that_takes_seconds(loaded_by_collection):
    """Tests of networks import them where they build them; every run of any test waits for what is loaded before."""
    assert not {"deepinv", "diffusers", "ehtim", "snakemake", "torchvision"} & loaded_by_collection
