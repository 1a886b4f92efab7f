"""The command line: `python -m step STAGE`."""

import argparse
import errno
import importlib
import logging
import sys
from types import ModuleType

from step.cli.arguments import add_settings_arguments, read_settings
from step.errors import InputError, Interrupted
from step.io.log import start_log
from step.process import keep_freed_memory, share_cores
from step.progress import Progress

STAGES = {
    "describe": "step.cli.describe",
    "simulate": "step.cli.simulate",
    "ingest": "step.cli.ingest",
    "prepare": "step.cli.prepare",
    "split": "step.cli.split",
    "train": "step.cli.train",
    "fetch_prior": "step.cli.fetch_prior",
    "take_network": "step.cli.take_network",
    "assemble_prior": "step.cli.assemble_prior",
    "measure": "step.cli.measure",
    "flow": "step.cli.flow",
    "observe": "step.cli.observe",
    "sample": "step.cli.sample",
    "reference": "step.cli.reference",
    "fetch_weights": "step.cli.fetch_weights",
    "evaluate": "step.cli.evaluate",
    "featurise": "step.cli.featurise",
    "tabulate": "step.cli.tabulate",
    "table_methods": "step.cli.table_methods",
    "table_costs": "step.cli.table_costs",
    "table_training": "step.cli.table_training",
    "summarise": "step.cli.summarise",
    "modes": "step.cli.modes",
    "table_modes": "step.cli.table_modes",
    "calibrate": "step.cli.calibrate",
    "generate": "step.cli.generate",
    "tune": "step.cli.tune",
    "tabulate_ablation": "step.cli.tabulate_ablation",
    "bench": "step.cli.bench",
    "table_benchmark": "step.cli.table_benchmark",
    "account": "step.cli.account",
    "export": "step.cli.export",
    "plot_comparison": "step.cli.plot_comparison",
    "plot_movie": "step.cli.plot_movie",
    "plot_masks": "step.cli.plot_masks",
    "plot_coverage": "step.cli.plot_coverage",
    "plot_dirty": "step.cli.plot_dirty",
    "plot_flow": "step.cli.plot_flow",
    "plot_observation": "step.cli.plot_observation",
    "plot_losses": "step.cli.plot_losses",
    "plot_methods": "step.cli.plot_methods",
    "plot_deltas": "step.cli.plot_deltas",
    "plot_priors": "step.cli.plot_priors",
    "plot_autoencoder": "step.cli.plot_autoencoder",
    "plot_generated": "step.cli.plot_generated",
    "plot_samples": "step.cli.plot_samples",
    "plot_modes": "step.cli.plot_modes",
    "plot_uncertainty": "step.cli.plot_uncertainty",
    "plot_calibration": "step.cli.plot_calibration",
    "plot_ablation": "step.cli.plot_ablation",
    "plot_tuning": "step.cli.plot_tuning",
    "plot_benchmark": "step.cli.plot_benchmark",
}

EXIT_INPUT = 1
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
    # A job loads its own stage alone; the help needs them all.
    names = argv[:1] if argv and argv[0] in STAGES else list(STAGES)
    stages = {name: importlib.import_module(STAGES[name]) for name in names}
    arguments = _parser(stages).parse_args(argv)
    start_log(None)
    try:
        start_log(arguments.log)
        with Progress(arguments.stage):
            stages[arguments.stage].run(arguments, read_settings(arguments, stages[arguments.stage]))
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


def _parser(stages: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="step",
        description="Reconstruct videos from sparse measurements with spatiotemporal diffusion priors, stage by "
        "stage. The workflow (snakemake) runs these commands; they can be run by hand too.",
        epilog="step STAGE --help explains a stage",
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
    logging.getLogger("step").error(message)
    return status


if __name__ == "__main__":
    sys.exit(main())
