"""The command line: `python -m step STAGE`."""

import argparse
import errno
import logging
import sys

from step.cli.arguments import add_settings_arguments, read_settings
from step.cli.stages import PRODUCTS, STAGES, Stage, open_stage, stage_names
from step.errors import InputError, Interrupted
from step.io.log import start_log
from step.process import keep_freed_memory, share_cores
from step.progress import Progress

EXIT_INPUT = 1
EXIT_USAGE = 2
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 75
EXIT_SIGINT = 130


def main(argv: list[str] | None = None) -> int:
    """Run the stage that `argv` names and return the exit status.

    0: done; 1: an input cannot be used; 2: wrong usage; 70: a defect of the program;
    75: interrupted, the same command goes on from there.
    """
    argv = sys.argv[1:] if argv is None else argv
    share_cores()
    keep_freed_memory()
    start_log(None)
    try:
        stage, arguments = parse(argv)
    except InputError as error:
        return _fail(str(error), EXIT_USAGE)
    try:
        start_log(arguments.log)
        with Progress(arguments.stage):
            stage.run(arguments, read_settings(arguments, stage.module))
    except Interrupted as error:
        return _fail(str(error), EXIT_INTERRUPTED)
    except (InputError, FloatingPointError) as error:
        return _fail(str(error), EXIT_INPUT)
    except OSError as error:
        return _fail(_describe(error), EXIT_INPUT)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_SIGINT)
    except Exception:
        logging.getLogger("step").exception("a defect of this program; please report it with these lines")
        return EXIT_DEFECT
    return 0


def parse(argv: list[str]) -> tuple[Stage, argparse.Namespace]:
    """Return the stage that `argv` names and its arguments; raises `InputError` where it cannot be opened.

    Ends the process where `argv` asks for help, or has an option that the stage does not have.
    """
    stages, argv = _stages_of(argv)
    arguments = _parser(stages).parse_args(argv)
    return stages[arguments.stage], arguments


def _stages_of(argv: list[str]) -> tuple[dict[str, Stage], list[str]]:
    """Return the stages that `argv` may mean, by their names, and `argv` with such a name as one word.

    A job loads its own stage alone; the help needs them all. Raises `InputError` where one cannot be opened.
    """
    first, second = [*argv, "", ""][:2]
    if first in PRODUCTS:
        if second and not second.startswith("-"):
            name = f"{first} {second}"
            return {name: open_stage(name)}, [name, *argv[2:]]
        return {name: open_stage(name) for name in stage_names() if name.startswith(f"{first} ")}, argv[1:]
    names = [first] if first in STAGES else stage_names()
    return {name: open_stage(name) for name in names}, argv


def _parser(stages: dict[str, Stage]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="step",
        description="Reconstruct videos from sparse measurements with spatiotemporal diffusion priors, stage by "
        "stage. The workflow (snakemake) runs these commands; they can be run by hand too.",
        epilog="step STAGE --help explains a stage",
    )
    subparsers = parser.add_subparsers(dest="stage", metavar="STAGE", required=True)
    for name, stage in stages.items():
        text = stage.module.__doc__ or name
        subparser = subparsers.add_parser(name, help=text.splitlines()[0], description=text)
        add_settings_arguments(subparser, stage.module)
        stage.add_arguments(subparser)
    return parser


def _describe(error: OSError) -> str:
    """Return a file error as one line with its remedy."""
    text = " ".join(str(error).split())
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in text:
        return f"{text}; free space, or move `results` to a larger disk"
    return text


def _fail(message: str, status: int) -> int:
    logging.getLogger("step").error(message)
    return status


if __name__ == "__main__":
    sys.exit(main())
