"""What the sampler costs: where a step's time goes, and how time and memory grow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from step.config.views import NoSettings, select_nothing
from step.errors import InputError
from step.figures import style
from step.io.tables import read_table
from step.products import Benchmarks, Pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("size", "task", "frames", "side", "quantity", "value", "unit", "extrapolated", "axis", "at")
MACHINE = ("device", "threads", "torch")

PARTS = {
    "decoder_forward": ("decoder, forward", "tab:blue"),
    "decoder_backward": ("decoder, backward", "lightsteelblue"),
    "forward_model": ("forward model", "tab:green"),
    "step_denoiser": ("denoiser", "tab:orange"),
    "step_rest": ("rest", "0.6"),
}
"""The parts of a step of the Markov chain, with labels and colours."""

CURVES = (
    ("gradient", "frames", "gradient [ms per video]"),
    ("gradient_memory", "frames", "gradient's memory [GiB]"),
    ("gradient", "side", "gradient [ms per video]"),
    ("gradient_memory", "side", "gradient's memory [GiB]"),
    ("sampler", "samples", "sampler [s]"),
    ("sampler", "levels", "sampler [s]"),
)
AXIS_LABELS = {"frames": "frames", "side": "side [pixels]", "samples": "samples", "levels": "annealing levels"}
MARKERS = ("o", "s", "^", "v", "D")
MARK = "†"
"""Stands behind what was extrapolated."""

Settings = NoSettings
select = select_nothing


@dataclass(frozen=True)
class Files:
    """Tables of benchmarks; they are the numbers of the picture."""

    benchmarks: Benchmarks
    output: Pictures


def plot(files: Files, settings: NoSettings) -> None:
    """Write the picture."""
    benchmarks = [read_benchmark(read_table(path), str(path)) for path in files.benchmarks]
    style.save_figure(plot_benchmarks(benchmarks), files.output)


@dataclass(frozen=True)
class Measured:
    """One quantity as it was measured or extrapolated."""

    value: float
    unit: str
    extrapolated: bool


@dataclass(frozen=True)
class Benchmark:
    """All that was measured of one task at one size."""

    size: str
    task: str
    frames: int
    side: int  # pixels
    machine: Mapping[str, str]
    single: Mapping[str, Measured]  # by quantity
    along: Mapping[tuple[str, str], Mapping[int, float]]  # by quantity and axis: values by place

    @property
    def name(self) -> str:
        """The size and the task."""
        return f"{self.size}, {self.task}"

    @property
    def parts_ms(self) -> dict[str, float]:
        """Milliseconds per video of each of `PARTS` in one step of the chain; their sum is the step."""
        values = {name: cost.value for name, cost in self.single.items()}
        values["decoder_backward"] = values["decoder_gradient"] - values["decoder_forward"]
        return {part: values[part] for part in PARTS}


def read_benchmark(rows: Sequence[Mapping[str, str]], source: str) -> Benchmark:
    """Return what the `rows` of a benchmark's table say; raises `InputError` naming `source` for another table."""
    if not rows:
        raise InputError(f"{source} has no rows; run the benchmark again")
    missing = [column for column in (*COLUMNS, *MACHINE) if column not in rows[0]]
    if missing:
        raise InputError(f"{source} has no column {missing[0]}; it has {list(rows[0])}: give a benchmark's table")
    first = rows[0]
    along: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        if row["axis"]:
            along.setdefault((row["quantity"], row["axis"]), {})[int(row["at"])] = float(row["value"])
    return Benchmark(
        size=first["size"],
        task=first["task"],
        frames=int(first["frames"]),
        side=int(first["side"]),
        machine={name: first[name] for name in MACHINE},
        single={
            row["quantity"]: Measured(float(row["value"]), row["unit"], row["extrapolated"] == "true")
            for row in rows
            if not row["axis"]
        },
        along=along,
    )


def plot_benchmarks(benchmarks: Sequence[Benchmark]) -> Figure:
    """Return the picture: the shares of a step of each size and task above, what grows with what below."""
    curves = [curve for curve in CURVES if any(_has_curve(one, curve) for one in benchmarks)]
    n_rows = -(-len(curves) // 2)
    with style.styled():
        figure = style.new_figure(figsize=(6.5, 1.2 + 0.3 * len(benchmarks) + 1.9 * n_rows))
        heights = [0.9 + 0.3 * len(benchmarks), *[1.9] * n_rows]
        grid = figure.add_gridspec(1 + n_rows, 2, height_ratios=heights)
        _plot_parts(figure.add_subplot(grid[0, :]), benchmarks)
        for number, curve in enumerate(curves):
            axes = figure.add_subplot(grid[1 + number // 2, number % 2])
            _plot_curve(axes, curve, benchmarks)
            if number == 0:
                axes.legend(frameon=False)
    return figure


def _plot_parts(axes: Axes, benchmarks: Sequence[Benchmark]) -> None:
    """Plot one bar per size and task, of the parts of a step in percent; the step itself stands next to it."""
    lefts = [0.0] * len(benchmarks)
    for part, (label, colour) in PARTS.items():
        # What is left may be below nothing, by the error of its terms.
        shares = [max(0.0, 100 * one.parts_ms[part] / one.single["step"].value) for one in benchmarks]
        axes.barh(range(len(benchmarks)), shares, left=lefts, color=colour, label=label, height=0.7)
        lefts = [left + share for left, share in zip(lefts, shares, strict=True)]
    for place, one in enumerate(benchmarks):
        step = one.single["step"]
        axes.text(max(100, lefts[place]) + 1, place, f"{step.value:.3g} ms{MARK * step.extrapolated}", va="center")
    axes.set_yticks(range(len(benchmarks)), [one.name for one in benchmarks])
    axes.invert_yaxis()
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(f"share of a step of the Markov chain [%]; next to it the step of one video ({MARK} extrapolated)")
    axes.legend(frameon=False, ncols=len(PARTS), loc="lower center", bbox_to_anchor=(0.45, 1.0), columnspacing=1.2)
    axes.spines[["top", "right"]].set_visible(False)


def _has_curve(benchmark: Benchmark, curve: tuple[str, str, str]) -> bool:
    return len(benchmark.along.get(curve[:2], ())) > 1


def _plot_curve(axes: Axes, curve: tuple[str, str, str], benchmarks: Iterable[Benchmark]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    quantity, axis, label = curve
    places: set[int] = set()
    shown = [one for one in benchmarks if _has_curve(one, curve)]
    for marker, one in zip(MARKERS, shown, strict=False):
        # Nothing, as far as the system can tell, has no place on a logarithmic axis.
        values = {at: value for at, value in sorted(one.along[quantity, axis].items()) if value > 0}
        places.update(values)
        axes.plot(list(values), list(values.values()), marker=marker, markersize=3.5, label=one.name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(_a_decade(*axes.get_ylim()))
    axes.set_xticks(_apart(sorted(places)))
    for ticks in (axes.xaxis, axes.yaxis):
        ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(FuncFormatter(_few_labels))
    axes.tick_params("y", which="minor", labelsize=6)
    axes.set_xlabel(AXIS_LABELS[axis])
    axes.set_ylabel(label)
    axes.grid(which="both", linewidth=0.3, alpha=0.5)


def _a_decade(low: float, high: float) -> tuple[float, float]:
    """Return limits around `low` and `high` that are a decade apart, or more: what hardly changes is to look so."""
    missing = max(1.0, 10 * low / high) ** 0.5
    return low / missing, high * missing


def _apart(places: Sequence[int]) -> list[int]:
    """Return those of `places` whose labels do not run into each other on a logarithmic axis."""
    chosen: list[int] = []
    for place in places:
        if not chosen or place >= 1.5 * chosen[-1]:
            chosen.append(place)
    return chosen


def _few_labels(value: float, _: int) -> str:
    """Return the labels of 2 and 5 of a decade, and nothing for what is between."""
    text = f"{value:.0e}"
    return f"{value:g}" if text[0] in "25" else ""
