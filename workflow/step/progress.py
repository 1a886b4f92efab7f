"""How far a job is: a bar on a terminal, and a line in the log every half minute.

The lines are written by a thread of their own, so that what is followed pays for a count alone, and that a single long
call is no silence.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger(__name__)

EVERY_S = 30.0
"""Seconds from one line to the next, and from the start to the first."""

Item = TypeVar("Item")

Write = Callable[[str, bool], None]
"""Takes a line, and whether a terminal shows the same as a bar."""


def write_to_log(line: str, has_bar: bool) -> None:
    """Write `line` to the log; a handler finds `has_bar` as an attribute of the record."""
    log.info(line, extra={"has_bar": has_bar})


class Reporter:
    """Writes a line about what is running, every `EVERY_S` seconds as long as anything is."""

    def __init__(self, write: Write = write_to_log, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._write = write
        self._lock = threading.RLock()
        self._running: list[Progress] = []  # each goes on within the one before
        self._written_at = 0.0
        self._stopped = threading.Event()

    def begin(self, progress: "Progress") -> None:
        """Report on `progress` too, which goes on within what is running."""
        with self._lock:
            if not self._running:
                self._written_at = self.clock()
                self._stopped = threading.Event()
                threading.Thread(target=self._watch, args=(self._stopped,), name="progress", daemon=True).start()
            self._running.append(progress)

    def end(self, progress: "Progress", is_complete: bool) -> None:
        """Report no longer on `progress`; one last line, if it is complete and others were mainly about it."""
        with self._lock:
            if progress in self._running:  # what goes on within it ends with it: an error may leave a loop unfinished
                del self._running[self._running.index(progress) :]
            if not self._running:
                self._stopped.set()
        if is_complete and progress.was_reported:
            self._write(progress.summary(), progress.has_bar)

    def write_if_due(self) -> None:
        """Write a line if the last one, or the beginning, is `EVERY_S` seconds ago."""
        with self._lock:
            if not self._running or self._due_in > 0:
                return
            self._written_at = self.clock()
            counted = [place for place, progress in enumerate(self._running) if progress.unit]
            chosen = self._running[counted[0] :] if counted else self._running[-1:]
            line, has_bar = describe(chosen), any(progress.has_bar for progress in self._running)
            chosen[0].was_reported = bool(counted)
        self._write(line, has_bar)

    @property
    def _due_in(self) -> float:
        return self._written_at + EVERY_S - self.clock()

    def _watch(self, stopped: threading.Event) -> None:
        while not stopped.wait(max(self._due_in, 0.01)):
            self.write_if_due()


REPORTER = Reporter()
"""Writes to the log of this process."""


class Progress:
    """What is gone through within its `with` block: `total` items, `done` of them before.

    Without a `unit` it is a single thing that takes a while. `is_item` says whether it makes up one item of the
    progress around it, or is a small part of one, which the time left leaves out.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        unit: str = "",
        done: int = 0,
        is_item: bool = True,
        reporter: Reporter | None = None,
    ):
        self.what, self.total, self.unit = what, total, unit
        self.done, self.done_before, self.is_item = done, done, is_item
        self.values: dict[str, float] = {}
        self.was_reported = False
        self._reporter = REPORTER if reporter is None else reporter
        self._bar: tqdm | None = None

    def __enter__(self) -> "Progress":
        self._began_at = self._reporter.clock()
        if self.unit and sys.stderr.isatty() and log.isEnabledFor(logging.INFO):
            self._bar = tqdm(desc=self.what, total=self.total, unit=self.unit, initial=self.done, leave=None)
        self._reporter.begin(self)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        self._reporter.end(self, is_complete=error is None)

    def through(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield `items`, within its block, and count each as done when the next one is asked for."""
        with self:
            for item in items:
                yield item
                self.advance()

    def advance(self, n: int = 1) -> None:
        """Count `n` more items as done."""
        self.done += n
        if self._bar is not None:
            self._bar.update(n)

    def note(self, **values: float) -> None:
        """Remember numbers to show, by name, in place of those before."""
        self.values = values
        if self._bar is not None:
            self._bar.set_postfix(refresh=False, **{name: f"{value:.4g}" for name, value in values.items()})

    @property
    def has_bar(self) -> bool:
        """Whether a terminal shows it."""
        return self._bar is not None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the block was entered."""
        return self._reporter.clock() - self._began_at

    def position(self) -> str:
        """Return which item is at work, or for how long."""
        if not self.unit:
            return f"at work for {in_words(self.elapsed_s)}"
        if self.total is None:
            return f"{self.unit} {self.done + 1}"
        return f"{self.unit} {min(self.done + 1, self.total)} of {self.total}"

    def noted(self) -> list[str]:
        """Return the numbers to show."""
        return [f"{name} {value:.4g}" for name, value in self.values.items()]

    def summary(self) -> str:
        """Return what it was once it is complete."""
        done = f"{self.done - self.done_before} {self.unit}s in {in_words(self.elapsed_s)}"
        return f"{self.what}: done, {', '.join([done, *self.noted()])}"


def track(
    items: Iterable[Item], what: str, unit: str, total: int | None = None, is_item: bool = True
) -> Iterator[Item]:
    """Return `items` one by one, with reports on how far they are; `total` is how many, where they do not know it."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    return Progress(what, total, unit, is_item=is_item).through(items)


def describe(running: list[Progress]) -> str:
    """Return a line: where each of `running` is, which go on within each other, and how fast the first one is."""
    first = running[0]
    parts = [first.position()]
    advanced, elapsed = items_done(running) - first.done_before, first.elapsed_s
    if first.unit and advanced > 0 and elapsed > 0:
        parts.append(rate_in_words(advanced / elapsed, first.unit))
    parts += first.noted()
    if first.total is not None and advanced > 0:
        left = elapsed * (first.total - first.done_before - advanced) / advanced
        parts.append(f"{in_words(left)} left")
    within = [f"{one.what}: {', '.join([one.position(), *one.noted()])}" for one in running[1:]]
    return "; ".join([f"{first.what}: {', '.join(parts)}", *within])


def items_done(running: list[Progress]) -> float:
    """Return how many items of the first of `running` are done, with the part of the next one that is."""
    first, within = running[0], running[1:]
    if not within or not within[0].is_item or not within[0].total:
        return first.done
    return first.done + min(items_done(within) / within[0].total, 1)


def rate_in_words(per_second: float, unit: str) -> str:
    """Return a rate with two digits, in the unit of time in which it is 1 or more."""
    for seconds, time_unit in ((1, "s"), (60, "min")):
        if per_second * seconds >= 1:
            return f"{_two_digits(per_second * seconds)} {unit}s/{time_unit}"
    return f"{_two_digits(per_second * 3600)} {unit}s/h"


def in_words(seconds: float) -> str:
    """Return a duration with its two largest units."""
    seconds = max(round(seconds), 0)
    for large, large_unit, small, small_unit in ((3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= large:
            rest = seconds % large // small
            return f"{seconds // large} {large_unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{seconds} s"


def _two_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
