"""Which phase-encode lines are measured."""

import numpy as np
import torch

from step.config.tasks import LinePattern
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
    return _every(n_lines, acceleration, 0) | _central(n_lines, acs_lines)


def line_masks(n_frames: int, n_lines: int, acceleration: int, acs_lines: int, pattern: LinePattern) -> torch.Tensor:
    """Return the sampling mask (time, ky), bool, of each frame, with the `acs_lines` central lines in all of them.

    `equispaced` is `equispaced_mask` in every frame. `interleaved` starts frame t at line t modulo R, so that R frames
    in a row measure every line. `random` and `variable_density` measure, in each frame, as many lines as `equispaced`
    does, chosen at random with the pattern's seed: all alike, or line k, counted from the centre, with a weight of
    ``(1 - |k| / (n / 2 + 1))^decay``. Raises `InputError` as `equispaced_mask`.
    """
    still = equispaced_mask(n_lines, acceleration, acs_lines)
    if pattern.kind == "equispaced":
        return still.expand(n_frames, n_lines).clone()
    centre = _central(n_lines, acs_lines)
    if pattern.kind == "interleaved":
        return torch.stack([_every(n_lines, acceleration, frame % acceleration) | centre for frame in range(n_frames)])
    distance = (torch.arange(n_lines) - n_lines // 2).abs().double()
    weight = (1 - distance / (n_lines / 2 + 1)) ** (pattern.decay if pattern.kind == "variable_density" else 0)
    weight[centre] = 0
    generator, masks = np.random.default_rng(pattern.seed), centre.repeat(n_frames, 1)
    for mask in masks:
        n_chosen = int(still.sum() - centre.sum())
        chosen = generator.choice(n_lines, n_chosen, replace=False, p=(weight / weight.sum()).numpy())
        mask[torch.from_numpy(chosen)] = True
    return masks


def _every(n_lines: int, acceleration: int, first: int) -> torch.Tensor:
    mask = torch.zeros(n_lines, dtype=torch.bool)
    mask[first::acceleration] = True
    return mask


def _central(n_lines: int, acs_lines: int) -> torch.Tensor:
    mask = torch.zeros(n_lines, dtype=torch.bool)
    first = n_lines // 2 - acs_lines // 2
    mask[first : first + acs_lines] = True
    return mask
