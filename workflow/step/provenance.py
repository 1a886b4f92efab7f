"""What code a stage runs: a digest of the syntax trees of its module and of all that it imports from the library.

An edit that changes behaviour changes the digest of the stages that use it, so that the workflow runs them again.
Comments, formatting, docstrings and descriptions of configuration fields do not count.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parent


def code_digest(module: str) -> str:
    """Return the digest of `module` (dotted, e.g. ``step.cli.sample``) and of its imports, nested ones too."""
    digest = hashlib.sha256()
    for name in sorted(reachable_modules(module)):
        digest.update(f"{name}\n{_meaning(_source(name))}\n".encode())
    return digest.hexdigest()[:16]


@cache
def reachable_modules(module: str) -> frozenset[str]:
    """Return `module` and every library module that it imports, directly or not, at the top or in a function."""
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
    return frozenset(name for name in names if name.split(".")[0] == "step" and _find(name))


def _source(module: str) -> Path:
    source = _find(module)
    if source is None:
        raise ModuleNotFoundError(f"no module {module} in {LIBRARY}", name=module)
    return source


def _find(module: str) -> Path | None:
    path = LIBRARY.joinpath(*module.split(".")[1:])
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def _meaning(source: Path) -> str:
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
                node.body = node.body[1:]
        elif isinstance(node, ast.Call):
            node.keywords = [word for word in node.keywords if word.arg not in ("description", "help")]
    return ast.dump(tree)
