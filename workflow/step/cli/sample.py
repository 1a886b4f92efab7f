"""Draw posterior videos given measurements, with one method (Algorithm 1)."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from step.cli.draw import DrawSettings, add_problem, draw, draw_settings, load_problem, modules_of_drawing

if TYPE_CHECKING:
    import torch

Settings = DrawSettings
select = draw_settings
modules = modules_of_drawing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's files to `parser`."""
    add_problem(parser)
    parser.add_argument(
        "--samples",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("FIRST", "LAST"),
        help="numbers of the samples, from FIRST to before LAST (default: 0 1)",
    )
    parser.add_argument(
        "--place",
        type=int,
        default=0,
        metavar="FIRST",
        help="place of the first video among those of the task, so that no sample depends on its job (default: 0)",
    )
    parser.add_argument("--cost", type=Path, help="table (CSV) of what the sampling took")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file of the reconstructions")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Sample all measurements at once and write the reconstructions with their traces."""
    from step.io.reconstructions import Reconstruction, write_reconstructions
    from step.io.tables import write_table

    problem = load_problem(arguments, settings)
    videos, numbers = list(problem.measurements), range(*arguments.samples)
    drawn = draw(problem, settings, videos, numbers, arguments.place)
    reconstructions = [Reconstruction(video, drawn.samples[video], drawn.trace[video]) for video in videos]
    attributes = {"task": settings.task, "method": settings.method.model_dump_json(), "seed": settings.seed}
    write_reconstructions(arguments.output, reconstructions, attributes | {"flow": problem.flow})
    if arguments.cost:
        evaluations = {name: getattr(drawn, name) for name in ("decoder_evaluations", "denoiser_evaluations")}
        record = {"videos": len(videos), "samples": len(numbers), "seconds": drawn.seconds}
        write_table(arguments.cost, [record | _machine(problem.device) | evaluations])


def _machine(device: "torch.device") -> dict[str, object]:
    """Return the peak memory of this process in GB (of the GPU where there is one), the device and its threads."""
    import resource

    import torch

    if device.type == "cuda":
        memory, name = torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()
    else:
        memory, name = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "CPU"
    return {"peak_memory_gb": memory / 1e9, "device": name, "threads": torch.get_num_threads()}
