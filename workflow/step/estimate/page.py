"""The tables of the documentation's page of costs, between marks, in place of what stood there.

    <!-- costs:units -->       what was measured, by machine and stage
    <!-- costs:studies -->     what whole studies take

each of which ends with ``<!-- /costs -->``. Nothing outside them is changed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from step.errors import InputError
from step.estimate.study import StudyEstimate
from step.estimate.unit_costs import ESTIMATED, UnitCost
from step.estimate.work import GFLOP
from step.io.atomic import whole_file
from step.progress import in_words

PLACE = re.compile(r"(<!-- costs:(?P<name>\w+) -->\n).*?(<!-- /costs -->)", re.DOTALL)
"""A place for a table, with both of its marks."""


@dataclass(frozen=True)
class EstimatedStudy:
    """A study, in words, what it takes, and the space that it needs."""

    words: str
    estimate: StudyEstimate
    space_gb: float


def unit_table(costs: Iterable[UnitCost]) -> str:
    """Return the unit costs of networks, and of all else that was measured, as a table in Markdown."""
    lines = ["| machine | stage | of | one job | its work | rate |", "|---|---|---|---|---|---|"]
    for cost in sorted(costs, key=lambda cost: (cost.machine, cost.unit != GFLOP, cost.stage, cost.of, cost.work)):
        mark = ", estimated" if cost.basis == ESTIMATED else ""
        rate = f"{cost.work / cost.seconds:,.3g} {cost.unit}/s" if cost.work and cost.seconds else ""
        job = f"{in_words(cost.seconds) if cost.seconds >= 60 else f'{cost.seconds:.2g} s'}{mark}"
        lines.append(f"| {cost.machine} | {cost.stage} | {cost.of} | {job} | {cost.work:,.3g} {cost.unit} | {rate} |")
    return "\n".join(lines) + "\n"


def study_table(studies: Sequence[EstimatedStudy]) -> str:
    """Return what studies take as a table in Markdown."""
    lines = ["| study | machine | at once | jobs | networks | all else | to the end | space |", "|" + "---|" * 8]
    for study in studies:
        of = study.estimate
        at_once = f"{of.slots}" + (f", {of.gpus} of them on GPUs" if of.gpus else "")
        hours = " | ".join(f"{of.hours(of_networks):.3g} h" for of_networks in (True, False))
        cells = [study.words, of.machine, at_once, f"{of.jobs:,}", hours, in_words(of.makespan_s)]
        lines.append(f"| {' | '.join(cells)} | {study.space_gb:.2g} GB |")
    return "\n".join(lines) + "\n"


def write_into_page(page: Path, tables: Mapping[str, str]) -> None:
    """Write `tables`, by name, into their places; raises `InputError` for a page that lacks one or has another."""
    text = page.read_text()
    there = [found["name"] for found in PLACE.finditer(text)]
    if sorted(there) != sorted(tables):
        raise InputError(f"{page} has places for {there or 'no table'}; give it one for each of {sorted(tables)}")
    with whole_file(page) as part:
        part.write_text(PLACE.sub(lambda found: f"{found[1]}\n{tables[found['name']]}\n{found[3]}", text))
