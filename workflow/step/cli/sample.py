"""Sample posterior videos given measurements, with one method (Algorithm 1)."""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from step.config.sampling import SampleSettings, sample_settings
from step.config.sections import files_named_in
from step.config.settings import dump_settings

if TYPE_CHECKING:
    from step.reconstruct import Problem

Settings = SampleSettings
select = sample_settings


def modules(settings: SampleSettings) -> list[str]:
    """Return the modules that the stage imports by name."""
    return settings.modules


def add_problem(parser: argparse.ArgumentParser) -> None:
    """Declare the files that `read_files` reads."""
    parser.add_argument("--autoencoder", type=Path, required=True, help="folder of the autoencoder")
    parser.add_argument("--denoiser", type=Path, required=True, help="folder of the image, video or joint prior")
    parser.add_argument(
        "--measurements",
        type=Path,
        nargs="+",
        required=True,
        help="measurement files; the stem names the video",
    )
    parser.add_argument(
        "--optical-flow", type=Path, help="optical flow of these videos, HDF5; for methods that warp noise"
    )


def read_files(arguments: argparse.Namespace, settings: SampleSettings) -> "Problem":
    """Return the prior and the measurements in the files of `add_problem`."""
    from step.reconstruct import read_problem

    files = (arguments.autoencoder, arguments.denoiser, arguments.measurements, arguments.optical_flow)
    return read_problem(*files, settings)


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


def run(arguments: argparse.Namespace, settings: SampleSettings) -> None:
    """Sample all measurements at once and write the reconstructions with their traces.

    A job that was stopped goes on from its last annealing level, in a file next to its output, which then vanishes.
    """
    from step.io.reconstructions import Reconstruction, write_reconstructions
    from step.io.tables import write_table
    from step.reconstruct import cost_of, sample_problem
    from step.sampling.state import SamplingState

    problem = read_files(arguments, settings)
    videos, numbers = list(problem.measurements), range(*arguments.samples)
    state = SamplingState(arguments.output.parent / ".state" / f"{_job_key(arguments, settings)}.safetensors")
    sampled = sample_problem(problem, settings, videos, numbers, arguments.place, state)
    reconstructions = [
        Reconstruction(
            video, sampled.samples[video], sampled.trace[video], sampled.log_weights[video], sampled.ancestors[video]
        )
        for video in videos
    ]
    attributes = {"task": settings.task, "method": settings.method.model_dump_json(), "seed": settings.seed}
    write_reconstructions(arguments.output, reconstructions, attributes | {"optical_flow": problem.optical_flow})
    if arguments.cost:
        write_table(arguments.cost, [cost_of(sampled, problem.device)])
    state.remove()


def _job_key(arguments: argparse.Namespace, settings: SampleSettings) -> str:
    """Return a name for this job: another one as soon as settings, the files they name, code, weights or data differ.

    No job ever goes on from what another one sampled.
    """
    import torch

    from step.io.model_folders import file_digest, weights_digest
    from step.provenance import code_digest

    given = [*arguments.measurements, *([arguments.optical_flow] if arguments.optical_flow else [])]
    parts = [
        dump_settings(settings),
        code_digest("step.cli.sample", *modules(settings)),
        *(weights_digest(folder) for folder in (arguments.autoencoder, arguments.denoiser)),
        *(f"{file.stem} {file_digest(file)}" for file in [*given, *files_named_in(settings)]),
        f"{arguments.samples} {arguments.place} {arguments.output.name} {torch.__version__}",
    ]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()
