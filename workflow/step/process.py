"""How a process uses the machine: whether its threads spin while they wait, and what becomes of memory it has freed."""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
MIB = 2**20


def share_cores() -> None:
    """Let threads that wait for each other sleep, unless their number was chosen; takes effect before torch is loaded.

    Threads that spin instead make a job twice as fast, and two jobs on the same cores four times slower. The workflow
    gives each job its share of the cores, as OMP_NUM_THREADS; what runs by hand takes all, whoever else does.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, up to half a GiB, and ask the system for large arrays alone.

    The networks take and free the same arrays in every step; to give them back each time costs a page fault for every
    4 KiB at the next. Only glibc has the setting; elsewhere nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * MIB)  # as much as it accepts
        mallopt(M_TRIM_THRESHOLD, 512 * MIB)
