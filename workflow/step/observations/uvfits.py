"""Files of visibilities in the format uvfits, by eht-imaging."""

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from step.config.observations import Polarisation
from step.errors import InputError
from step.observations.recorded import Recorded
from step.physics.eht_imaging import eht_imaging

log = logging.getLogger(__name__)

STOKES = 1
"""What the header's CRVAL3 is where the values are I, Q, U, V; with RR, LL, RL, LR it is -1."""

CIRCULAR = ("RR", "LL")
"""The first two of the circular products."""


def read_uvfits(file: Path, polarisation: Polarisation = "I") -> Recorded:
    """Return the visibilities of a `polarisation` of `file`, its bands and channels averaged by eht-imaging.

    What has a weight of 0 or below is flagged, as the format has it, and passed over; so is what is not finite or
    exactly 0 whatever its weight, which eht-imaging would average as 0. The log counts both. Raises `InputError` for a
    file that eht-imaging cannot read, or where nothing is left.
    """
    from astropy.io import fits

    eht = eht_imaging()
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            fits.open(file, memmap=False) as parts,
            np.errstate(invalid="ignore"),  # products that are flagged everywhere
            _every_row(eht),
        ):
            _leave_out_other_products(parts[0], polarisation, file)
            rows = _flag_what_is_missing(parts[0], file)
            observation = eht.obsdata.load_uvfits(parts) if len(rows) else None
    except InputError:
        raise
    except Exception as error:  # whatever eht-imaging and astropy raise for a file that is not what they expect
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"eht-imaging cannot read {file}: {reason}; copy it again, or convert it") from None
    if observation is None:
        raise InputError(f"{file} has no visibilities with a value that are not flagged; give another file")
    data = observation.data
    return Recorded(
        place=rows + 1,
        time_h=data["time"],
        one=np.char.strip(data["t1"]),
        other=np.char.strip(data["t2"]),
        uv=np.stack([data["u"], data["v"]], axis=-1),
        value=data["vis"],
        sigma=data["sigma"],
        source=str(observation.source).strip(),
        mjd=int(observation.mjd),
        frequency_hz=float(observation.rf),
        right_ascension_h=float(observation.ra),
        declination_deg=float(observation.dec),
        sites=tuple(str(site).strip() for site in observation.tarr["site"]),  # by SEFD, where the file has it
    )


def _leave_out_other_products(groups, polarisation: Polarisation, file: Path) -> None:
    """Set the weights of RR or LL to 0, so that the other one alone makes Stokes I; raise `InputError` if it cannot.

    `groups` is as for `_flag_what_is_missing`.
    """
    if polarisation == "I":
        return
    weight = groups.data["DATA"][..., 2]
    wanted = CIRCULAR.index(polarisation)
    if groups.header.get("CRVAL3") == STOKES or weight.shape[-1] <= wanted:
        raise InputError(f"{file} has no {polarisation}; set data.polarisation to I")
    weight[..., 1 - wanted : 2 - wanted] = 0


def _flag_what_is_missing(groups, file: Path) -> np.ndarray:
    """Return the numbers, from 0, of the rows that have some Stokes I; set the weights of its missing samples to 0.

    `groups` is the first part of the file, with an array (row, 1, 1, band, channel, product, 3) of real and imaginary
    parts and weights.
    """
    samples = groups.data["DATA"]
    real, imag, weight = (samples[..., part] for part in range(3))
    # Of the products those that make Stokes I: I itself, or RR and LL.
    of_intensity = np.arange(weight.shape[-1]) < (1 if groups.header.get("CRVAL3") == STOKES else 2)
    is_weighted = (weight > 0) & of_intensity
    has_value = np.isfinite(real) & np.isfinite(imag) & np.isfinite(weight) & ((real != 0) | (imag != 0))
    rows = tuple(range(1, weight.ndim))
    weighted, left = is_weighted.any(rows), (is_weighted & has_value).any(rows)
    partly = left & (is_weighted & ~has_value).any(rows)
    for chosen, what in (
        (~weighted, "flagged (weight not above 0) and left out"),
        (weighted & ~left, "without a value (not finite, or exactly 0) and left out"),
        (partly, "without a value in some channels or polarisations, and the others used"),
    ):
        if chosen.any():
            log.info("%s: %d of %d visibilities are %s", file, chosen.sum(), len(weight), what)
    weight[is_weighted & ~has_value] = 0
    return np.flatnonzero(left)


@contextlib.contextmanager
def _every_row(eht: ModuleType) -> Iterator[None]:
    """Let eht-imaging keep all rows in their order.

    It would turn baselines into one direction, and leave out without a word what a time has of one a second time: the
    opposite direction, or another band.
    """
    observed = eht.obsdata.Obsdata
    reorder = observed.reorder_baselines
    observed.reorder_baselines = lambda self, trial_speedups=False: None
    try:
        yield
    finally:
        observed.reorder_baselines = reorder
