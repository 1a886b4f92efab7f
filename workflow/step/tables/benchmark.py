"""What the sampler costs, as a table of all sizes and tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from step.config.views import NoSettings, select_nothing
from step.figures.benchmark import MACHINE, MARK, Benchmark, Measured, read_benchmark
from step.io.tables import read_table
from step.products import Benchmarks, Documents
from step.tables.document import NOTHING, Cell, Document, Line, Part, label_cells, write_document

Row = Mapping[str, object]

STEP = {
    "decoder_forward": "decoder, forward",
    "decoder_gradient": "decoder, gradient",
    "forward_model": "forward model",
    "step_denoiser": "denoiser, its share",
    "step_rest": "rest",
    "step": "step",
    "denoiser": "one denoising",
}
SAMPLING = {
    "overhead": "overhead over bare networks",
    "speedup_same_algorithm": "faster than plain code, same algorithm",
    "speedup_configured": "faster than plain code, as configured",
    "largest_difference": "largest difference to plain code",
    "sampler_whole": "whole sample [s]",
}
EXTENT = {
    "levels_run": "levels",
    "steps_run": "steps",
    "frames_run": "frames",
    "samples_run": "samples",
    "turns_run": "turns",
    "decoder_evaluations": "decoder NFE",
    "denoiser_evaluations": "denoiser NFE",
}
MEMORY = {
    "gradient": "time [ms per video]",
    "gradient_memory": "memory [GiB]",
    "peak_memory": "whole process [GiB]",
}
POINTS = {"frames": "frames", "side": "pixels"}

Settings = NoSettings
select = select_nothing


@dataclass(frozen=True)
class Files:
    """Tables of benchmarks, and the one of them all."""

    benchmarks: Benchmarks
    output: Documents


def tabulate(files: Files, settings: NoSettings) -> None:
    """Write the table; as CSV it has the rows of all benchmarks."""
    tables = {path: read_table(path) for path in files.benchmarks}
    benchmarks = [read_benchmark(rows, str(path)) for path, rows in tables.items()]
    document = benchmark_document(benchmarks, [row for rows in tables.values() for row in rows])
    write_document(document, files.output)


def benchmark_document(benchmarks: Sequence[Benchmark], rows: Sequence[Row]) -> Document:
    """Return the tables of all sizes and tasks; `rows` are their values one a row, as they were measured."""
    machines = dict.fromkeys(tuple(one.machine[name] for name in MACHINE) for one in benchmarks)
    marked = (f"{MARK} extrapolated from fewer frames, steps or levels.",)
    parts = (
        Part(
            "Where the time of a step of the Markov chain goes, milliseconds per video",
            ("size and task", "video", *STEP.values()),
            tuple((*label_cells([one.name, _shape(one)]), *_cells(one, STEP, _milliseconds)) for one in benchmarks),
            marked,
        ),
        Part(
            "The sampler against its networks alone and against plain code",
            ("size and task", *SAMPLING.values()),
            tuple((Cell(one.name), *_cells(one, SAMPLING, _sampling)) for one in benchmarks),
            (
                *marked,
                "Overhead: seconds of the sampler over those of as many decoder gradients and denoisings in the same "
                "batches, less 1. Plain code: Algorithm 1 sample by sample, a whole video in one graph.",
                "Ratios are medians of the turns that the last table but one counts: of one or two turns they say no "
                "more than which is several times the other, and an overhead may come out below zero.",
            ),
        ),
        Part(
            "One gradient of decoder and likelihood of a batch, in a process of its own",
            ("size and task", "at", *MEMORY.values()),
            tuple(line for one in benchmarks for line in _memory_lines(one)),
            ("Memory: peak of the process less what it had before the gradient, networks included.",),
        ),
        Part(
            "What of the sampler was run for this; NFE is per sample",
            ("size and task", *EXTENT.values()),
            tuple((Cell(one.name), *_cells(one, EXTENT, _number)) for one in benchmarks),
        ),
        Part("Machine", MACHINE, tuple(label_cells(texts) for texts in machines)),
    )
    return Document("Benchmark", parts, tuple(rows))


def _shape(benchmark: Benchmark) -> str:
    return f"{benchmark.frames} × {benchmark.side} × {benchmark.side}"


def _cells(benchmark: Benchmark, names: Mapping[str, str], text: Callable[[str, float], str]) -> Line:
    return tuple(_cell(name, benchmark.single.get(name), text) for name in names)


def _cell(name: str, cost: Measured | None, text: Callable[[str, float], str]) -> Cell:
    return Cell(text(name, cost.value) + MARK * cost.extrapolated) if cost else Cell(NOTHING)


def _milliseconds(name: str, value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _number(name: str, value: float) -> str:
    return f"{value:g}"


def _sampling(name: str, value: float) -> str:
    match name:
        case "overhead":
            return f"{100 * value:.1f} %"
        case "largest_difference":
            return f"{value:.1e}"
        case "sampler_whole":
            return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return f"{value:.2f} times"


def _memory_lines(benchmark: Benchmark) -> list[Line]:
    """Return one line per point at which the gradient was measured."""
    lines = []
    for axis, unit in POINTS.items():
        for at in sorted(benchmark.along.get(("gradient", axis), ())):
            values = [benchmark.along[name, axis][at] for name in MEMORY]
            texts = [_milliseconds("gradient", values[0]), *(f"{value:.3f}" for value in values[1:])]
            lines.append(label_cells([benchmark.name, f"{at} {unit}", *texts]))
    return lines
