"""What code a stage runs: a digest of the syntax trees of its module and of what that imports of the library.

An edit that changes behaviour changes the digest of the stages that use it, and the workflow runs them again.
Comments, formatting, docstrings and descriptions of configuration fields do not count. Neither do the fields
and checks of the configuration's sections: a job sees of them what its settings say, and these are compared
as they are.
"""

import ast
import hashlib
import re
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from step.plugins import LIBRARY, source_of

SECTIONS = re.compile(r"step\.config\.|step\.domains\.\w+\.data$")
"""The names of modules that describe the configuration."""

WITHOUT_RESULT = frozenset({"step.config.study", "step.plugins", "step.progress", "step.provenance"})
"""Modules that no result depends on.

The workflow cuts the settings before a job starts and names its state; how far a job is changes nothing of it.
"""


def code_digest(*modules: str) -> str:
    """Return the digest of `modules` (dotted, e.g. ``step.cli.sample``) and all that they import, nested too."""
    digest = hashlib.sha256()
    for name in sorted(frozenset().union(*map(reachable_modules, modules))):
        digest.update(f"{name}\n{_meaning(name)}\n".encode())
    return digest.hexdigest()[:16]


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
    """Return the modules that `module` names in its import statements: the library's, and those of its own package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_source(module).read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), _package(module)).removesuffix(".")
            names.add(origin)
            names.update(f"{origin}.{alias.name}" for alias in node.names)
    own = {"step"} if _is_installed(module) else {"step", module.split(".")[0]}
    return frozenset(name for name in names - WITHOUT_RESULT if name.split(".")[0] in own and source_of(name))


def _package(module: str) -> str:
    """Return the package that relative imports of `module` start from."""
    return module if _source(module).name == "__init__.py" else module.rpartition(".")[0]


def _is_installed(module: str) -> bool:
    """Return whether `module` is of an installed package, which is not edited."""
    return not {"site-packages", "dist-packages"}.isdisjoint(_source(module).parts) and not module.startswith("step.")


def _source(module: str) -> Path:
    source = source_of(module)
    if source is None:
        raise ModuleNotFoundError(f"no module {module} in {LIBRARY}", name=module)
    return source


@cache
def _meaning(module: str) -> str:
    tree = _Meaning().visit(ast.parse(_source(module).read_text()))
    if SECTIONS.match(module):
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
