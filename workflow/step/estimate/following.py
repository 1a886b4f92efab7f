"""Keep the progress page of a run up to date for as long as snakemake runs it."""

import atexit
import logging
import threading
import time
from pathlib import Path
from typing import Any

from step.config.study import Config
from step.errors import InputError
from step.estimate.graph import planned_jobs
from step.estimate.planning import machine_of_run
from step.estimate.progress import (
    PLANNED_RUN,
    PlannedRun,
    StudyProgress,
    read_planned_run,
    study_progress,
    write_planned_run,
)
from step.estimate.progress_page import REFRESH_S, as_page
from step.estimate.unit_costs import UNIT_COSTS, read_unit_costs
from step.io.atomic import whole_file

PAGE = Path("progress.html")
"""Where in the folder of results the page is."""

log = logging.getLogger(__name__)


def follow_run(workflow: Any, config: Config) -> None:
    """Write the progress page of the run that `workflow` begins, now, every minute, and when this process ends.

    A run goes on without its page: what it cannot be written for is logged once.
    """
    folder = Path.cwd()  # snakemake leaves it before this process ends
    try:
        machine, slots = machine_of_run(workflow, read_unit_costs(UNIT_COSTS))
        run = PlannedRun(time.time(), machine, slots, tuple(planned_jobs(workflow.dag, all_of_them=True)))
        write_planned_run(folder / config.results / PLANNED_RUN, run)
        write_progress_page(config, folder)
    except (InputError, OSError) as error:
        log.warning("no progress page: %s", error)
        return
    ended = threading.Event()
    writer = threading.Thread(target=_keep_writing, args=(config, folder, ended), name="progress page", daemon=True)
    writer.start()

    def end() -> None:
        ended.set()
        writer.join()

    atexit.register(end)


def write_progress_page(config: Config, folder: Path = Path()) -> tuple[StudyProgress, Path]:
    """Write the page of the last run of the study `config`, which ran in `folder`; return what it says, and its path.

    Raises `InputError` where there was no run.
    """
    results = folder / config.results
    run = read_planned_run(results / PLANNED_RUN)
    progress = study_progress(config, run, read_unit_costs(UNIT_COSTS), folder, time.time())
    with whole_file(results / PAGE) as part:
        part.write_text(as_page(progress), encoding="utf-8")
    return progress, results / PAGE


def _keep_writing(config: Config, folder: Path, ended: threading.Event) -> None:
    """Write the page every minute until `ended` is set, and once more then."""
    is_last = False
    while not is_last:
        is_last = ended.wait(REFRESH_S)
        try:
            write_progress_page(config, folder)
        except (InputError, OSError) as error:
            log.warning("the progress page is not written any more: %s", error)
            return
