"""What code a stage runs: a digest of the syntax trees of its module and of what that imports of the library.

An edit that changes behaviour changes the digest of the stages that use it, and the workflow runs them again.
Comments, formatting, docstrings and descriptions of configuration fields do not count. Neither do the fields
and checks of the configuration's sections: a job sees of them what its settings say, and these are compared
as they are.
"""

import ast
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from step.errors import InputError

LIBRARY = Path(__file__).parent

SECTIONS = "step.config."
"""Modules below this describe the configuration."""

WITHOUT_RESULT = frozenset({"step.config.study", "step.progress", "step.provenance"})
"""Modules that no result depends on.

The workflow cuts the settings before a job starts and names its state; how far a job is changes nothing of it.
"""

_FUNCTION = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_]\w*")


def code_digest(*modules: str) -> str:
    """Return the digest of `modules` (dotted, e.g. ``step.cli.sample``) and all that they import, nested too."""
    digest = hashlib.sha256()
    for name in sorted(frozenset().union(*map(reachable_modules, modules))):
        digest.update(f"{name}\n{_meaning(name)}\n".encode())
    return digest.hexdigest()[:16]


def module_called(name: str, room: str, key: str) -> str:
    """Return the module that `key` of the configuration names: one of the library's `room`, else any importable one.

    It is imported by name, so that no import statement leads to it. Raises `InputError` where there is none.
    """
    for candidate in (f"step.{room}.{name}", name):
        if _find(candidate):
            return candidate
    raise InputError(f"{key} is {name!r}; there is no module step.{room}.{name} and none called {name}")


def forward_model_name(model: str) -> str:
    """Return the module that a measurement's `model` names."""
    return module_called(model, "physics", "measurement.model")


def modules_of_functions(values: object) -> list[str]:
    """Return the modules of the functions that `values` name, ``package.module:function``, however deep they lie.

    What only looks like it, so that there is no such module, is left out.
    """
    if isinstance(values, str):
        match = _FUNCTION.fullmatch(values)
        return [match[1]] if match and _find(match[1]) else []
    inner = values.values() if isinstance(values, Mapping) else values if isinstance(values, (list, tuple)) else []
    return [module for one in inner for module in modules_of_functions(one)]


def noise_source_name(source: str) -> str:
    """Return the module that the `source` of a method's noise names."""
    return module_called(source, "sampling.noise", "noise.source")


def sampler_name(sampler: str) -> str:
    """Return the module that the `sampler` of a method names."""
    return module_called(sampler, "sampling", "sampler")


def metric_name(metric: str) -> str:
    """Return the module of a metric of your own."""
    return module_called(metric, "metrics", "evaluation.metrics")


def descriptor_name(descriptor: str) -> str:
    """Return the module that a domain's entry in `modes.descriptors` names."""
    return module_called(descriptor, "posterior.descriptors", "modes.descriptors")


def door_name(data_format: str) -> str:
    """Return the module that the `format` of measured data names."""
    return module_called(data_format, "observations", "data.format")


@cache
def reachable_modules(module: str) -> frozenset[str]:
    """Return `module` and every library module that it imports, directly or not, in a function too."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(imported_modules(name))
    return frozenset(found)


@cache
def imported_modules(module: str) -> frozenset[str]:
    """Return the library modules that `module` names in its import statements."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_source(module).read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names - WITHOUT_RESULT if name.split(".")[0] == "step" and _find(name))


def _source(module: str) -> Path:
    source = _find(module)
    if source is None:
        raise ModuleNotFoundError(f"no module {module} in {LIBRARY}", name=module)
    return source


def _find(module: str) -> Path | None:
    first, *rest = module.split(".")
    if first != "step":
        return _find_elsewhere(module)
    path = LIBRARY.joinpath(*rest)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _find_elsewhere(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


@cache
def _meaning(module: str) -> str:
    tree = _Meaning().visit(ast.parse(_source(module).read_text()))
    if module.startswith(SECTIONS):
        tree = ast.Module(_behaviour(tree), type_ignores=[])
    return ast.dump(tree)


class _Meaning(ast.NodeTransformer):
    """Leaves out what does nothing: docstrings, also those below a constant, and texts for the reader."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [word for word in node.keywords if word.arg not in ("description", "help")]
        return self.generic_visit(node)


def _behaviour(tree: ast.Module) -> list[ast.stmt]:
    """Return the functions and methods of a module of sections, without the checks of values."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [function for function in functions if not any("validator" in ast.dump(d) for d in function.decorator_list)]
