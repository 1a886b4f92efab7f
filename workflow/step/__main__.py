"""The command line: `python -m step STAGE`."""

import argparse
import errno
import importlib
import logging
import sys
from types import ModuleType

from step.cli.arguments import add_settings_arguments, read_settings
from step.errors import InputError, Interrupted

STAGES = {
    "describe": "step.cli.describe",
    "simulate": "step.cli.simulate",
    "ingest": "step.cli.ingest",
    "prepare": "step.cli.prepare",
    "split": "step.cli.split",
    "train": "step.cli.train",
    "measure": "step.cli.measure",
    "sample": "step.cli.sample",
    "reference": "step.cli.reference",
    "evaluate": "step.cli.evaluate",
    "tabulate": "step.cli.tabulate",
    "figures": "step.cli.figures",
}

EXIT_INPUT = 1
EXIT_INTERRUPTED = 75
EXIT_SIGINT = 130


def main(argv: list[str] | None = None) -> int:
    """Run the stage that `argv` names and return the exit status.

    0: done; 1: an input cannot be used; 2: wrong usage; 75: interrupted, the same command goes on from there.
    """
    argv = sys.argv[1:] if argv is None else argv
    # A job loads its own stage alone; the help needs them all.
    names = argv[:1] if argv and argv[0] in STAGES else list(STAGES)
    stages = {name: importlib.import_module(STAGES[name]) for name in names}
    arguments = _parser(stages).parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        stages[arguments.stage].run(arguments, read_settings(arguments, stages[arguments.stage]))
    except Interrupted as error:
        return _fail(str(error), EXIT_INTERRUPTED)
    except (InputError, FloatingPointError) as error:
        return _fail(f"error: {error}", EXIT_INPUT)
    except OSError as error:
        return _fail(f"error: {_describe(error)}", EXIT_INPUT)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_SIGINT)
    return 0


def _parser(stages: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m step",
        description="Reconstruct videos from sparse measurements with spatiotemporal diffusion priors, stage by "
        "stage. The workflow (snakemake) runs these commands; they can be run by hand too.",
        epilog="python -m step STAGE --help explains a stage",
    )
    subparsers = parser.add_subparsers(dest="stage", metavar="STAGE", required=True)
    for name, stage in stages.items():
        summary = stage.__doc__.splitlines()[0]
        subparser = subparsers.add_parser(name, help=summary, description=stage.__doc__)
        add_settings_arguments(subparser, stage)
        stage.add_arguments(subparser)
    return parser


def _describe(error: OSError) -> str:
    """Return a file error as one line with its remedy."""
    text = " ".join(str(error).split())
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in text:
        return f"{text}; free space, or move `results` to a larger disk"
    return text


def _fail(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
