"""What the site of mkdocs has besides the pages in docs/: the README, the notebook, and the files that they link to."""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)#\s]+")
"""The address of a link in Markdown, without its anchor, unless it is another site's."""

PAGES = {".md", ".ipynb"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the site's files: the README and all of docs/, and, where these link to, the project's other files."""
    root = Path(config.config_file_path).parent
    waiting = [root / "README.md", *(path for path in sorted((root / "docs").iterdir()) if path.suffix in PAGES)]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        place = _place(path, root)
        if path.suffix not in PAGES:
            if files.get_file_from_path(place) is None:  # mkdocs has those in docs/ already
                files.append(File.generated(config, place, abs_src_path=str(path)))
            continue
        text = _text_of_notebook(path) if path.suffix == ".ipynb" else path.read_text()
        waiting.extend(_linked(path, text, root))
        for known in (place, path.name):
            if (file := files.get_file_from_path(known)) and Path(file.abs_src_path or "") == path:
                files.remove(file)
        files.append(File.generated(config, place, content=_with_links_of_the_site(path, text, root)))
    return files


def _linked(path: Path, text: str, root: Path) -> list[Path]:
    """Return the project's files that the page `path` links to; what is no file is left to mkdocs to refuse."""
    targets = [(path.parent / address).resolve() for address in LINK.findall(text)]
    return [target for target in targets if target.is_file() and target.is_relative_to(root)]


def _place(path: Path, root: Path) -> str:
    """Return the site's name of a file of the project: docs/ is its top, and a notebook becomes a page."""
    name = path.relative_to(root).as_posix().removeprefix("docs/")
    return re.sub(r"\.ipynb$", ".md", name)


def _with_links_of_the_site(path: Path, text: str, root: Path) -> str:
    """Return `text` with the links of the page `path` from place to place of the site."""
    here = posixpath.dirname(_place(path, root)) or "."

    def replaced(match: re.Match[str]) -> str:
        found = _linked(path, f"]({match[0]})", root)
        return posixpath.relpath(_place(found[0], root), here) if found else match[0]

    return LINK.sub(replaced, text)


def _text_of_notebook(path: Path) -> str:
    """Return a notebook's cells as Markdown."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    return "\n\n".join(f"```python\n{source}\n```" if kind == "code" else source for kind, source in cells)
