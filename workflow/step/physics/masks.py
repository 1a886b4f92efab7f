"""Which phase-encode lines are measured."""

import torch

from step.errors import InputError


def equispaced_mask(n_lines: int, acceleration: int, acs_lines: int) -> torch.Tensor:
    """Return the sampling mask (ky,), bool: every `acceleration`-th line from line 0, and the central ones.

    With 192 lines, R = 8 and 12 central lines measure 35, R = 6 and 24 measure 52 (paper, Fig. 9). The central
    band surrounds index ``n_lines // 2``, where `step.physics.fourier` puts the zero frequency.
    """
    if acs_lines > n_lines or acceleration > n_lines:
        raise InputError(
            f"a mask of {n_lines} lines cannot have acceleration {acceleration} and {acs_lines} central lines; "
            "lower them in the task's measurement"
        )
    mask = torch.zeros(n_lines, dtype=torch.bool)
    mask[::acceleration] = True
    first = n_lines // 2 - acs_lines // 2
    mask[first : first + acs_lines] = True
    return mask
