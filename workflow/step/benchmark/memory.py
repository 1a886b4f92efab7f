"""The peak memory of a process."""

import resource
from pathlib import Path

import torch

GIB = 2**30
PROCESS = Path("/proc/self")


def start_peak(device: torch.device) -> float:
    """Forget the peak so far, where the system can, and return the memory that is in use, GiB; the peak where not."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif (PROCESS / "clear_refs").exists():
        (PROCESS / "clear_refs").write_text("5")
    return peak_memory(device)


def peak_memory(device: torch.device) -> float:
    """Return the largest memory that the process has had since `start_peak`, GiB: on a GPU, or resident."""
    return (torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _peak_resident()) / GIB


def _peak_resident() -> int:
    """Return the peak resident memory of this process, bytes."""
    if (PROCESS / "status").exists():
        # On Linux `ru_maxrss` of a new process begins with that of the one which started it, and is never reset.
        line = next((line for line in (PROCESS / "status").open() if line.startswith("VmHWM:")), None)
        if line:
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
