"""The layers of the library: a package imports only packages on lower ones, and planning loads nothing heavy."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Set
from pathlib import Path

import pytest
from step.cli.stages import PRODUCTS, STAGES, open_stage, product_names, stage_names
from step.plugins import LIBRARY
from step.provenance import _source, imported_modules, reachable_modules

LAYERS = (
    {"errors", "process", "seeds", "units"},
    {"plugins"},
    {"config", "contracts", "frames", "particles", "progress", "provenance"},
    {"io", "physics", "diffusion", "optical_flow", "products"},
    {"domains", "prepare", "models"},
    {"observations"},
    {"training", "sampling", "classical"},
    {"estimate", "metrics", "reconstruct", "references"},
    {"description", "posterior", "benchmark"},
    {"figures", "tuning"},
    {"tables", "api"},
    {"cli"},
    {"__main__"},
)
LAYER_OF = {package: number for number, packages in enumerate(LAYERS) for package in packages}
# Packages on the lowest layer that others on it may use; they import no package themselves.
FOUNDATIONS = {"errors", "process", "seeds", "units"}
# What the package itself offers.
FRONT = {"api", "contracts", "errors", "physics"}
# Although their layers would allow it.
FORBIDDEN = {
    "figures": {"training", "sampling", "models", "domains", "prepare"},
    "metrics": {"training", "sampling", "models"},
    "posterior": {"training", "sampling", "models"},
    "benchmark": {"training", "models"},
    "tables": {"training", "sampling", "models", "domains", "prepare"},
    "sampling": {"models", "domains", "prepare"},
    "classical": {"diffusion", "models", "domains", "prepare"},
}
HEAVY = (
    "torch",
    "diffusers",
    "accelerate",
    "h5py",
    "scipy",
    "matplotlib",
    "piq",
    "skimage",
    "pydicom",
    "astropy",
    "ehtim",
    "nibabel",
    "sklearn",
    "optuna",
)


def modules() -> list[str]:
    """Return the dotted names of all the library's modules."""
    names = []
    for path in LIBRARY.rglob("*.py"):
        parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(names)


def names_imported_by(module: str) -> set[str]:
    """Return the modules, of any package, that the statements ``import NAME`` of `module` name."""
    source = _source(module).read_text()
    return {alias.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import) for alias in node.names}


def package_of(module: str) -> str | None:
    """Return the package of a module, None for the package itself."""
    return module.split(".")[1] if "." in module else None


def violations(imports: Mapping[str, Set[str]]) -> list[str]:
    """Return "module imports module" for what the layers do not allow of `imports`, by importing module."""
    return [
        f"{module} imports {imported}"
        for module, names in sorted(imports.items())
        for imported in sorted(names)
        if not is_allowed(package_of(module), package_of(imported), imported)
    ]


def is_allowed(package: str | None, other: str | None, imported: str) -> bool:
    if other is None or other == package:
        return True
    if package is None:
        return other in FRONT
    if other in FORBIDDEN.get(package, ()):
        return False
    return LAYER_OF[other] < LAYER_OF[package] or (other in FOUNDATIONS and package not in FOUNDATIONS)


def test_every_package_has_a_layer():
    assert {package_of(module) for module in modules()} - {None} == set(LAYER_OF)


@pytest.mark.slow
def test_packages_import_only_packages_on_lower_layers():
    assert violations({module: imported_modules(module) for module in modules()}) == []


def test_a_package_that_reaches_upwards_or_sideways_is_found():
    imports = {
        "step.physics.mri": {"step.models.prior", "step.diffusion.ode", "step.config.tasks"},
        "step.figures.movies": {"step.sampling.daps", "step.io.videos"},
        "step.diffusion.ode": {"step.physics.fourier"},
        "step.errors": {"step.seeds"},
        "step.prepare.split": {"step.io.videos", "step.domains.mri.coils"},
        "step": {"step.errors", "step.cli.sample"},
    }
    assert violations(imports) == [
        "step imports step.cli.sample",
        "step.diffusion.ode imports step.physics.fourier",
        "step.errors imports step.seeds",
        "step.figures.movies imports step.sampling.daps",
        "step.physics.mri imports step.diffusion.ode",
        "step.physics.mri imports step.models.prior",
        "step.prepare.split imports step.domains.mri.coils",
    ]


def test_imports_within_functions_are_seen():
    assert "step.reconstruct" in imported_modules("step.cli.sample")


def heavy_modules_after(*names: str) -> str:
    """Return which heavy packages a fresh process has when it has imported `names`, as the text of a list."""
    program = f"import sys, {', '.join(names)}; print([name for name in {HEAVY} if name in sys.modules])"
    job = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
    )
    return job.stdout.strip()


@pytest.mark.slow
def test_planning_the_workflow_and_reading_the_help_load_nothing_heavy():
    names = [
        "step.domains.mri.ingest",
        "step.domains.blackhole.ingest",
        "step.observations.cmrxrecon",
        "step.observations.eht",
        "step.config.study",
        "step.models.architectures",
        "step.classical.modules",
        "step.sampling.named_files",
        "step.config.plan",
        "step.provenance",
        *sorted({module for name in stage_names() for module in open_stage(name).code}),
    ]
    assert heavy_modules_after(*names) == "[]"


@pytest.mark.slow
def test_a_heavy_import_is_found():
    assert heavy_modules_after("scipy", "step.errors") == "['scipy']"


def test_every_stage_has_its_module():
    files = {path.stem for path in Path(LIBRARY / "cli").glob("*.py")}
    parts = {"__init__", "arguments", "domains", "files", "options", "stages"}
    assert {*STAGES, *PRODUCTS} == files - parts


@pytest.mark.slow
def test_no_module_outside_the_command_line_knows_its_parser():
    parsers = {name for name in modules() if "argparse" in names_imported_by(name)}
    assert parsers
    assert {package_of(name) for name in parsers} == {"cli", "__main__"}


@pytest.mark.parametrize(("command", "number"), [("plot", 24), ("table", 10)])
def test_an_edit_of_one_figure_or_table_is_none_of_another(command, number):
    products = {f"step.{PRODUCTS[command]}.{name}" for name in product_names(command)}
    assert len(products) == number
    assert {name: reachable_modules(name) & products for name in products} == {name: {name} for name in products}
