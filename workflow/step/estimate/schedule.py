"""When a study's jobs would begin and end on so many slots."""

import heapq
from collections import defaultdict
from collections.abc import Sequence

from step.estimate.graph import Job


def makespan(jobs: Sequence[Job], seconds: Sequence[float], slots: int, gpus: int | None = None) -> float:
    """Return the seconds from the first job's beginning to the last one's end, by the schedule of `end_times`."""
    return max(end_times(jobs, seconds, slots, gpus), default=0.0)


def end_times(jobs: Sequence[Job], seconds: Sequence[float], slots: int, gpus: int | None = None) -> list[float]:
    """Return when each job ends, in seconds from the first one's beginning.

    A job that waits for none begins as soon as one of `slots` is free, those of higher priority first, then those that
    the longest chain of others waits for. At most `gpus` jobs on a GPU run at once, None for as many as there are
    slots. Each of `jobs` is behind those that it needs.
    """
    needed_by: dict[int, list[int]] = defaultdict(list)
    for number, job in enumerate(jobs):
        for other in job.needs:
            needed_by[other].append(number)
    tail = [0.0] * len(jobs)  # seconds from a job's beginning to the end of all that waits for it
    for number in reversed(range(len(jobs))):
        tail[number] = seconds[number] + max((tail[other] for other in needed_by[number]), default=0.0)
    missing = [len(job.needs) for job in jobs]
    ready: dict[bool, list[tuple[int, float, int]]] = {True: [], False: []}  # by whether it needs a GPU
    free = {True: slots if gpus is None else gpus, False: slots}

    def wait(number: int) -> None:
        heapq.heappush(ready[jobs[number].gpu], (-jobs[number].priority, -tail[number], number))

    for number, job in enumerate(jobs):
        if not job.needs:
            wait(number)
    running: list[tuple[float, int]] = []
    now, ended = 0.0, [0.0] * len(jobs)
    while running or ready[True] or ready[False]:
        while free[False] and (possible := [kind for kind in ready if ready[kind] and free[kind]]):
            kind = min(possible, key=lambda kind: ready[kind][0])
            number = heapq.heappop(ready[kind])[2]
            free[False] -= 1
            free[True] -= kind
            heapq.heappush(running, (now + seconds[number], number))
        now, number = heapq.heappop(running)
        ended[number] = now
        free[False] += 1
        free[True] += jobs[number].gpu
        for other in needed_by[number]:
            missing[other] -= 1
            if not missing[other]:
                wait(other)
    return ended
