"""The programs and entries of the documentation, for tests that run them."""

import re
from pathlib import Path

DOCUMENTS = Path(__file__).parents[2] / "docs"
FORWARD_MODELS = DOCUMENTS / "forward-models.md"
DOMAINS = DOCUMENTS / "domains.md"
DENOISERS = DOCUMENTS / "denoisers.md"


def blocks(path: Path, language: str) -> list[str]:
    """Return the blocks of code in `language` of the Markdown file `path`, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def module(path: Path, name: str) -> str:
    """Return the block of Python in `path` that starts with the comment ``# name``."""
    (found,) = (text for text in blocks(path, "python") if text.startswith(f"# {name}\n"))
    return found
