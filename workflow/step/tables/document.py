"""Tables as documents: captions, cells and notes, written as Markdown, LaTeX and HTML; and, one value a row, as CSV."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from step.errors import InputError
from step.io.atomic import whole_file
from step.io.tables import write_table

Look = Literal["plain", "best", "second", "paper"]
"""How a cell is set: the best of its column, the second best, the paper's own, or neither."""

FORMATS = (".csv", ".md", ".tex", ".html")
NOTHING = "–"
"""The text of a cell for which there is no value."""

MARKDOWN_SPECIAL = re.compile(r"([\\`*_|<>\[\]#])")
MARKDOWN_LOOK = {"plain": "{}", "best": "**{}**", "second": "<u>{}</u>", "paper": "*{}*"}

LATEX_SPECIAL = {character: rf"\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "*": r"\textasteriskcentered{}",
    "±": r"$\pm$",
    "†": r"$\dagger$",
    "∫": r"$\int$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "×": r"$\times$",
    "−": r"$-$",
    "–": r"--",
    "²": r"$^2$",
    "χ": r"$\chi$",
    "γ": r"$\gamma$",
    "η": r"$\eta$",
    "τ": r"$\tau$",
    "β": r"$\beta$",
    "σ": r"$\sigma$",
    "é": r"\'e",
    "“": "``",
    "”": "''",
}
HTML_LOOK = {"plain": "{}", "best": "<b>{}</b>", "second": "<u>{}</u>", "paper": "<i>{}</i>"}
HTML_STYLE = """
body { font-family: sans-serif; margin: 1.5em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
caption { text-align: left; font-weight: bold; padding-bottom: 0.4em }
td, th { padding: 0.2em 0.7em; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap }
td.heading { font-style: italic; font-weight: bold; padding-top: 0.8em }
i { color: #777 }
li { max-width: 60em }
"""
LATEX_LOOK = {
    "plain": "{}",
    "best": r"\textbf{{{}}}",
    "second": r"\underline{{{}}}",
    "paper": r"\textcolor{{gray}}{{\textit{{{}}}}}",
}


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and whether it is the best of its column, the second best, or the paper's own."""

    text: str
    look: Look = "plain"


Line = tuple[Cell, ...]
"""The cells of a line; a line of a single cell is a heading over all columns."""


@dataclass(frozen=True)
class Part:
    """One table of a document; its first column names the lines."""

    caption: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """Tables under one title, and all their values in `rows`, one a row."""

    title: str
    parts: tuple[Part, ...]
    rows: tuple[Mapping[str, object], ...]


def title_of(name: str) -> str:
    """Return the title of the table called `name`: ``Table 1`` of ``table1``, another name as it is."""
    number = re.fullmatch(r"table(\d+)", name)
    return f"Table {number[1]}" if number else name.replace("_", " ")


def label_cells(names: Sequence[str]) -> Line:
    """Return plain cells of some texts."""
    return tuple(Cell(name) for name in names)


def write_document(document: Document, paths: Iterable[Path]) -> None:
    """Write `document` to each of `paths`, whole or not at all, in the format that its suffix names.

    Raises `InputError` unless the suffix is one of `FORMATS`.
    """
    for path in paths:
        if path.suffix not in FORMATS:
            raise InputError(f"no tables can be written as {path.name}; end its name in one of {FORMATS}")
        if path.suffix == ".csv":
            write_table(path, document.rows)
            continue
        text = {".md": as_markdown, ".tex": as_latex, ".html": as_html}[path.suffix](document)
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")


def as_markdown(document: Document) -> str:
    """Return `document` as Markdown: the best of a column bold, the second underlined, the paper's in italics."""
    blocks = [f"# {_escape_markdown(document.title)}"]
    for part in document.parts:
        blocks.append(f"**{_escape_markdown(part.caption)}**")
        lines = [[_escape_markdown(name) for name in part.columns], ["---"] * len(part.columns)]
        for line in part.lines:
            cells = [MARKDOWN_LOOK[cell.look].format(_escape_markdown(cell.text)) for cell in line]
            if len(line) == 1:
                cells = [f"***{cells[0]}***", *[""] * (len(part.columns) - 1)]
            lines.append(cells)
        blocks.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
        if part.notes:
            blocks.append("\n".join(f"* {_escape_markdown(note)}" for note in part.notes))
    return "\n\n".join(blocks) + "\n"


def as_latex(document: Document) -> str:
    r"""Return `document` as LaTeX tables, to be read with ``\input``; they need booktabs and xcolor."""
    blocks = ["% needs \\usepackage{booktabs} and \\usepackage{xcolor}"]
    return "\n\n".join([*blocks, *(_latex_part(document.title, part) for part in document.parts)]) + "\n"


def as_html(document: Document) -> str:
    """Return `document` as a page of its own; the looks are those of `as_markdown`, the paper's grey too."""
    blocks = [
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>{html.escape(document.title)}</title>",
        f"<style>{HTML_STYLE}</style></head><body>",
        f"<h1>{html.escape(document.title)}</h1>",
    ]
    for part in document.parts:
        heads = "".join(f"<th>{html.escape(name)}</th>" for name in part.columns)
        blocks += [f"<table><caption>{html.escape(part.caption)}</caption>", f"<tr>{heads}</tr>"]
        for line in part.lines:
            cells = [HTML_LOOK[cell.look].format(html.escape(cell.text)) for cell in line]
            if len(line) == 1:
                blocks.append(f"<tr><td class='heading' colspan='{len(part.columns)}'>{cells[0]}</td></tr>")
            else:
                blocks.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
        blocks.append("</table>")
        if part.notes:
            blocks.append(f"<ul>{''.join(f'<li>{html.escape(note)}</li>' for note in part.notes)}</ul>")
    return "\n".join([*blocks, "</body></html>"]) + "\n"


def _latex_part(title: str, part: Part) -> str:
    width = len(part.columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        r"\scriptsize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{_escape_latex(title)}. {_escape_latex(part.caption)}}}",
        rf"\begin{{tabular}}{{{'l' * width}}}",
        r"\toprule",
        " & ".join(map(_escape_latex, part.columns)) + r" \\",
        r"\midrule",
    ]
    for number, line in enumerate(part.lines):
        cells = [LATEX_LOOK[cell.look].format(_escape_latex(cell.text)) for cell in line]
        if len(line) == 1:
            lines += [r"\midrule"] if number else []
            cells = [rf"\multicolumn{{{width}}}{{l}}{{\emph{{{cells[0]}}}}}"]
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if part.notes:
        notes = map(_escape_latex, part.notes)
        lines += [r"\par\smallskip", r"\begin{minipage}{\linewidth}", "\\par\n".join(notes), r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table}"])


def _escape_markdown(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(r"\\\1", text)


def _escape_latex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in text)
