"""What code a stage runs: a digest of the syntax trees of its module and of what that imports of the library.

An edit that changes behaviour changes the digest of the stages that use it, and the workflow runs them again.
Comments, formatting, docstrings and descriptions of configuration fields do not count. Neither do the fields
and checks of the configuration's sections: a job sees of them what its settings say, and these are compared
as they are.
"""

import ast
import hashlib
import json
import os
import re
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import cache_from_source, resolve_name
from pathlib import Path

from step.plugins import LIBRARY, source_of

SECTIONS = re.compile(r"step\.config\.|step\.domains\.\w+\.data$")
"""The names of modules that describe the configuration."""

WITHOUT_RESULT = frozenset({"step.config.study", "step.plugins", "step.progress", "step.provenance"})
"""Modules that no result depends on.

The workflow cuts the settings before a job starts and names its state; how far a job is changes nothing of it.
"""


@dataclass(frozen=True)
class ParsedModule:
    """What a module's source says, whatever the module is called."""

    imports: list[tuple[int, str]]  # level, 0 of an absolute one, and dotted name
    behaviour: str  # digest of its syntax tree, without what does nothing
    as_sections: str  # the same of its functions alone, without checks: of a module that describes the configuration


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
    package = _package(module)
    names = {resolve_name("." * level + name, package).removesuffix(".") for level, name in _parsed(module).imports}
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


def _meaning(module: str) -> str:
    parsed = _parsed(module)
    return parsed.as_sections if SECTIONS.match(module) else parsed.behaviour


@cache
def _parsed(module: str) -> ParsedModule:
    """Return what the source of `module` says; it is kept where Python keeps its bytecode, until the source changes.

    To parse the whole library takes longer than all else that planning a small study does.
    """
    source = _source(module)
    text = source.read_bytes()
    of = hashlib.sha256(_OWN_SOURCE + text).hexdigest()
    kept = Path(cache_from_source(str(source))).with_suffix(".meaning.json")
    with suppress(OSError, ValueError, TypeError, KeyError):  # there is none, or a damaged one
        known = json.loads(kept.read_bytes())
        if known.pop("of") == of:
            return ParsedModule(**known | {"imports": [(level, name) for level, name in known["imports"]]})
    parsed = parse_module(text)
    if not sys.dont_write_bytecode:
        part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        with suppress(OSError):  # a folder that is not to be written in
            kept.parent.mkdir(exist_ok=True)
            part.write_text(json.dumps({"of": of} | asdict(parsed)))
            part.replace(kept)
    return parsed


def parse_module(text: bytes) -> ParsedModule:
    """Return what the source `text` of a module says."""
    tree = ast.parse(text)
    imports: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            imports.append((node.level, origin))
            imports += [(node.level, f"{origin}.{alias.name}".removeprefix(".")) for alias in node.names]
    meaning = _Meaning().visit(tree)
    sections = ast.Module(_behaviour(meaning), type_ignores=[])
    return ParsedModule(sorted(set(imports)), _digest(meaning), _digest(sections))


def _digest(tree: ast.AST) -> str:
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:32]


_OWN_SOURCE = Path(__file__).read_bytes()
"""The rules by which sources are read: others make what was kept by these useless."""


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
