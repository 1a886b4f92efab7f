"""Summarise the run of a study: its whole configuration, what it ran on, and what its jobs took."""

import argparse
from pathlib import Path

from step.config.sections import Section
from step.config.study import Config


class AccountSettings(Section):
    """The whole study."""

    config: Config


Settings = AccountSettings


def select(config: Config) -> AccountSettings:
    """Return the whole study."""
    return AccountSettings(config=config)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument(
        "--benchmarks", type=Path, required=True, metavar="DIR", help="folder of the benchmarks of the study's jobs"
    )
    parser.add_argument("--study", type=Path, required=True, metavar="YAML", help="the configuration to write")
    parser.add_argument("--output", type=Path, required=True, metavar="HTML", help="the summary to write")


def run(arguments: argparse.Namespace, settings: AccountSettings) -> None:
    """Write the configuration, and the summary as a page that needs nothing next to itself."""
    import yaml

    from step.figures.run_summary import machine, read_job_times, run_summary_page
    from step.io.atomic import whole_file

    text = yaml.safe_dump(settings.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    with whole_file(arguments.study) as part:
        part.write_text(f"# The whole configuration of a study, as it was run.\n{text}", encoding="utf-8")
    page = run_summary_page(machine(), read_job_times(arguments.benchmarks), text)
    with whole_file(arguments.output) as part:
        part.write_text(page, encoding="utf-8")
