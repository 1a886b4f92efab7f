"""The modes of a posterior, one a column, next to the paper's (Table 5)."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from step.config.sections import Count, Fraction, NonNegative, Section
from step.config.study import Config
from step.errors import InputError
from step.io.tables import read_table
from step.products import About, Documents, Paper
from step.tables.document import NOTHING, Cell, Document, Line, Part, label_cells, write_document
from step.tables.paper import IN_THE_PAPER

Row = Mapping[str, str]
"""One row of a table of modes, as text: one mode."""

CHI_SQUARE = "chi2_"
STATISTICS = {
    "chi2_closure_phase": "χ² of closure phases (χ²_cp)",
    "chi2_log_closure_amplitude": "χ² of log closure amplitudes (χ²_camp)",
    "chi2_closure_phase_full": "χ² of closure phases with their covariance",
    "chi2_log_closure_amplitude_full": "χ² of log closure amplitudes with their covariance",
    "chi2_log_amplitude": "χ² of log amplitudes, gains marginalised",
    "chi2_flux": "χ² of the light curve",
    "chi2_kspace": "χ² of k-space",
    "data_misfit": "Data misfit",
}
"""Of the paper's rows and ours; another kind of data is called as it is."""

MODE_COLUMNS = (
    "mode",
    "samples",
    "share",
    "share_low",
    "share_high",
    "representative",
    "data_misfit",
    "data_misfit_std",
    "data_misfit_representative",
    "stability",
)
"""What every table of modes has, next to the chi-squares and the features of its samples."""

PAPER_COLUMNS = ("mode", "row", "value")

UNIT_SUFFIXES = {
    "_deg_per_h": "degree/h",
    "_deg_per_frame": "degree/frame",
    "_deg": "degree",
    "_uas": "µas",
    "_pixel": "pixel",
}
"""How the name of a feature's column ends, and the unit."""

TRUTH, SENSE = "contains_truth", "rotation_sense"
TRUTH_TEXTS = {"True": "yes", "False": "no", "": "unknown"}

SHARES_ARE, SHARE_ERROR, SIZE, SMALLEST = "shares_are", "share_error", "effective_size", "smallest_share"
POWER = "likelihood_power"  # of a tempered posterior alone
SHARE_COLUMNS = (SHARES_ARE, SHARE_ERROR, SIZE, SMALLEST, POWER)  # older tables lack them
PROBABILITIES = "probabilities"

SMALL, LARGE = 1e-2, 1e4  # numbers beyond these are written as a power of ten

DISPLAYED_NOTE = (
    "Angles and rotation are as displayed: a position angle is from up, counter-clockwise (from north to east), and "
    "a positive rotation rate is counter-clockwise."
)
LOST_NOTE = (
    "The names of its rows are lost in the text of the paper that we have: that the first are closure phases and the "
    "second log closure amplitudes is presumed; the third is the data misfit, as it is Eq. 13 of the other two."
)
ANOTHER_NOTE = "The paper's modes are of its own video and networks: they are not the modes of the same numbers above."


class ModesTableSettings(Section):
    """When there are said to be several modes, for the table's notes."""

    max_modes: Count
    fewest_samples: Count
    evidence: NonNegative
    gap_level: Fraction
    least_stability: Fraction
    interval: Fraction


Settings = ModesTableSettings


def select(config: Config) -> ModesTableSettings:
    """Return the criterion of the study's modes."""
    return ModesTableSettings(**{name: getattr(config.modes, name) for name in ModesTableSettings.model_fields})


@dataclass(frozen=True)
class Files:
    """The modes of a posterior, and their table."""

    table: Annotated[Path, About(help="the modes, one row each", words=("CSV",))]
    paper: Paper
    output: Documents


def tabulate(files: Files, settings: ModesTableSettings) -> None:
    """Write the table; raises `InputError` where a table lacks a column."""
    rows = read_table(files.table)
    check_modes(rows, str(files.table))
    paper = read_paper_modes(read_table(files.paper), str(files.paper))
    document = mode_document(rows, paper, say_criterion(settings), settings.interval, settings.fewest_samples)
    write_document(document, files.output)


def say_criterion(settings: ModesTableSettings) -> str:
    """Return in words when there are several modes."""
    return (
        f"the Bayesian information criterion of a mixture of 2 to {settings.max_modes} Gaussians is the lowest, and "
        f"below that of one by {settings.evidence:g}; there is a gap between any two of them at the level "
        f"{settings.gap_level:g}; the stability is {settings.least_stability:g} or more; and each has "
        f"{settings.fewest_samples} samples or more"
    )


def check_modes(rows: Sequence[Row], source: str) -> None:
    """Raise `InputError`, naming `source`, unless `rows` are a table of modes."""
    missing = [column for column in MODE_COLUMNS if not rows or column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; run the modes stage again")


def read_paper_modes(rows: Sequence[Row], source: str) -> dict[str, dict[str, str]]:
    """Return the paper's values by statistic, then mode; raises `InputError` for a missing column or value."""
    missing = [column for column in PAPER_COLUMNS if not rows or column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; give the workflow's own file")
    values: dict[str, dict[str, str]] = {}
    for row in rows:
        values.setdefault(row["row"], {})[row["mode"]] = row["value"]
    return values


def mode_document(
    rows: Sequence[Row],
    paper: Mapping[str, Mapping[str, str]],
    criterion: str,
    interval: float,
    fewest: int,
) -> Document:
    """Return the table of the modes in `rows`, then the paper's.

    `criterion` says in words when there are several modes, `interval` is the coverage of the shares' intervals, and
    `fewest` is how many samples a mode has at least: an effective size below it supports no probability.
    """
    ours = Part(
        say_modes(rows), _columns(_numbers(rows)), tuple(_lines(rows)), _notes(rows, criterion, interval, fewest)
    )
    numbers = list(dict.fromkeys(mode for of_statistic in paper.values() for mode in of_statistic))
    lines = [
        (Cell(STATISTICS.get(name, name)), *(Cell(values.get(mode, NOTHING), "paper") for mode in numbers))
        for name, values in paper.items()
    ]
    theirs = Part(f"The modes {IN_THE_PAPER}", _columns(numbers), tuple(lines), (ANOTHER_NOTE, LOST_NOTE))
    return Document("Table 5: modes of a posterior", (ours, theirs), tuple(_tidy(rows, paper)))


def say_modes(rows: Sequence[Row]) -> str:
    """Return how many modes `rows` are, among how many samples."""
    n_samples = sum(int(row["samples"]) for row in rows)
    found = "One mode" if len(rows) == 1 else f"{len(rows)} modes"
    return f"{found} among {n_samples} posterior samples: mean over the samples of a mode"


def feature_label(column: str) -> str:
    """Return the name of a feature, with its unit, that has the column `column` in a table of modes."""
    for suffix, unit in UNIT_SUFFIXES.items():
        if column.endswith(suffix):
            return f"{_words(column.removesuffix(suffix))} [{unit}]"
    return _words(column)


def _numbers(rows: Sequence[Row]) -> list[str]:
    """Return the numbers of the modes from 1, the largest, as pictures have them."""
    return [str(number) for number in range(1, len(rows) + 1)]


def _columns(modes: Iterable[str]) -> tuple[str, ...]:
    return ("Statistic", *(f"Mode {mode}" for mode in modes))


def _lines(rows: Sequence[Row]) -> list[Line]:
    """Return the paper's statistics, then ours."""
    kinds = [column for column in rows[0] if column.startswith(CHI_SQUARE)]
    features = [column for column in rows[0] if column not in (*MODE_COLUMNS, *SHARE_COLUMNS, *kinds, TRUTH, SENSE)]
    lines = [_line(STATISTICS.get(kind, kind), rows, partial(_number, column=kind)) for kind in kinds]
    lines += [
        _line(STATISTICS["data_misfit"], rows, _misfit),
        _line("Data misfit of the sample in its middle", rows, lambda row: _number(row, "data_misfit_representative")),
        _line("Samples", rows, lambda row: row["samples"]),
        _line("Probability" if rows[0].get(SHARES_ARE) == PROBABILITIES else "Share", rows, _share),
    ]
    lines += [_line(feature_label(name), rows, partial(_number, column=name)) for name in features]
    if SENSE in rows[0]:
        lines.append(_line("Sense of rotation", rows, lambda row: row[SENSE] or NOTHING))
    if TRUTH in rows[0]:
        lines.append(_line("Contains the truth", rows, lambda row: TRUTH_TEXTS.get(row[TRUTH], row[TRUTH])))
    return [*lines, _line("Stability", rows, lambda row: _number(row, "stability"))]


def _line(name: str, rows: Sequence[Row], text_of: Callable[[Row], str]) -> Line:
    return label_cells([name, *map(text_of, rows)])


def _notes(rows: Sequence[Row], criterion: str, interval: float, fewest: int) -> tuple[str, ...]:
    notes = [f"When there are several modes: {criterion}."]
    if len(rows) == 1:
        notes.insert(0, "One mode was found: by this criterion the samples do not fall into several groups.")
    else:
        notes.append(
            f"Probability with its interval of {100 * interval:g} % by the Monte Carlo error of this run: samples "
            "weigh differently, and those that go back to one start are one piece of evidence."
            if rows[0].get(SHARES_ARE) == PROBABILITIES
            else f"Share with its bootstrap interval of {100 * interval:g} %. It is how often the sampler ended in a "
            "mode, which is not the mode's probability: its chains do not cross between modes."
        )
    if rows[0].get(SHARES_ARE) == PROBABILITIES:
        size = _value(rows[0], SIZE)
        trust = "the probabilities cannot be trusted: take more particles. It is" if size < fewest else "which is"
        notes.append(f"Effective size {size:.1f}, {trust} how many independent samples say as much.")
    if POWER in rows[0]:
        power = _value(rows[0], POWER)
        notes.append(
            f"Of a tempered posterior, not of the posterior: the likelihood has the power {power:.3g}, as if all "
            f"errors were {power**-0.5:.3g} times as large."
        )
    if SMALLEST in rows[0]:
        notes.append(
            f"A separated mode with a share of {100 * _value(rows[0], SMALLEST):.0f} % or more would nearly always "
            "have been seen; a smaller one may be there."
        )
    notes.append("Data misfit with its standard deviation over the samples of the mode.")
    notes.append(
        "Stability: agreement of the modes with those of bootstrap resamples (adjusted Rand index); 1 of one mode."
    )
    return (*notes, DISPLAYED_NOTE) if SENSE in rows[0] else tuple(notes)


def _misfit(row: Row) -> str:
    return f"{_number(row, 'data_misfit')} ± {_number(row, 'data_misfit_std')}"


def _share(row: Row) -> str:
    share, low, high = (100 * _value(row, column) for column in ("share", "share_low", "share_high"))
    return f"{share:.0f} % [{low:.0f}, {high:.0f}]"


def _number(row: Row, column: str) -> str:
    """Return a value with three decimals, or where it is small or large, three digits."""
    if not row[column]:
        return NOTHING
    value = _value(row, column)
    if math.isnan(value):
        return NOTHING
    text = f"{value:.3f}" if value == 0 or SMALL <= abs(value) < LARGE else f"{value:.2e}"
    return text.replace("-", "−")


def _value(row: Row, column: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise InputError(
            f"{column} of mode {row['mode']} is {row[column]!r}, no number; run the modes stage again"
        ) from None


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _tidy(rows: Sequence[Row], paper: Mapping[str, Mapping[str, str]]) -> Iterable[dict[str, str]]:
    """Yield one row per value, of ours, then of the paper."""
    for number, row in zip(_numbers(rows), rows, strict=True):
        yield from (
            {"source": "ours", "mode": number, "statistic": name, "value": value}
            for name, value in row.items()
            if name != "mode"
        )
    for name, values in paper.items():
        for mode, value in values.items():
            yield {"source": "paper", "mode": mode, "statistic": name, "value": value}
