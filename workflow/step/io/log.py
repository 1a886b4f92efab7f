"""The log: to the terminal, above the progress bars, and to a file if there is one."""

import logging
import sys
from pathlib import Path

from tqdm import tqdm


class _AboveProgressBars(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if not getattr(record, "has_bar", False):  # what a bar shows needs no line
            tqdm.write(self.format(record), file=sys.stderr)


def start_log(file: Path | None) -> None:
    """Send the library's log to standard error and, if given, to `file`; errors as plain lines."""
    handlers: list[logging.Handler] = [_AboveProgressBars()]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, mode="w"))
    for handler in handlers:
        handler.setFormatter(_Line())
    logger = logging.getLogger("step")
    logger.setLevel(logging.INFO)
    logger.handlers = handlers
    logger.propagate = False


class _Line(logging.Formatter):
    """``12:30:05 message``, or ``error: message``."""

    def __init__(self):
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno < logging.ERROR or record.exc_info:
            return super().format(record)
        return f"error: {record.getMessage()}"
