"""ISMRMRD files written by the format's own package, as scanners' converters write them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import ismrmrd
import numpy as np
from ismrmrd import xsd

SHORT_AXIS = {
    "position": (12.0, -30.0, 55.0),
    "read_dir": (0.8, 0.6, 0.0),
    "phase_dir": (-0.36, 0.48, -0.8),
    "slice_dir": (-0.48, 0.64, 0.6),
}
"""An oblique slice, LPS."""

Change = Callable[[ismrmrd.Acquisition], None]


def header(matrix: tuple[int, int], field_mm: tuple[float, float], thickness_mm: float = 8.0, **changes) -> bytes:
    """Return the XML header of a matrix (ky, kx) of encoded k-space with its field of view."""
    n_y, n_x = matrix
    space = xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=n_x, y=n_y, z=1),
        fieldOfView_mm=xsd.fieldOfViewMm(x=field_mm[1], y=field_mm[0], z=thickness_mm),
    )
    recon = xsd.encodingSpaceType(
        matrixSize=xsd.matrixSizeType(x=n_x // 2, y=n_y, z=1),
        fieldOfView_mm=xsd.fieldOfViewMm(x=field_mm[1] / 2, y=field_mm[0], z=thickness_mm),
    )
    centre = changes.get("centre", n_y // 2)
    limits = xsd.encodingLimitsType(kspace_encoding_step_1=xsd.limitType(minimum=0, maximum=n_y - 1, center=centre))
    encoding = xsd.encodingType(
        encodedSpace=space,
        reconSpace=recon,
        encodingLimits=limits,
        trajectory=xsd.trajectoryType(changes.get("trajectory", "cartesian")),
    )
    whole = xsd.ismrmrdHeader(
        subjectInformation=xsd.subjectInformationType(patientID=changes.get("patient", "volunteer7")),
        experimentalConditions=xsd.experimentalConditionsType(H1resonanceFrequency_Hz=63_500_000),
        encoding=[encoding],
        sequenceParameters=xsd.sequenceParametersType(TR=[changes.get("tr_ms", 2.8)]),
    )
    return xsd.ToXML(whole).encode()


def line(samples: np.ndarray, step: int, flags: Iterable[int] = (), **counters: int) -> ismrmrd.Acquisition:
    """Return the readout `samples` (coil, sample) of one encoding step of the slice `SHORT_AXIS`."""
    found = ismrmrd.Acquisition.from_array(np.ascontiguousarray(samples, np.complex64))
    found.center_sample = samples.shape[1] // 2
    found.sample_time_us = 2.0
    for name, value in SHORT_AXIS.items():
        getattr(found, name)[:] = value
    found.idx.kspace_encode_step_1 = step
    for name, value in counters.items():
        setattr(found.idx, name, value)
    for flag in flags:
        found.set_flag(flag)
    return found


def noise_scan(samples: np.ndarray, sample_time_us: float = 2.0) -> ismrmrd.Acquisition:
    """Return a noise measurement (coil, sample)."""
    found = line(samples, 0, [ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    found.sample_time_us = sample_time_us
    return found


def write_ismrmrd(path: Path, xml: bytes, acquisitions: Iterable[ismrmrd.Acquisition]) -> Path:
    """Write the file `path` with the package's own writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ismrmrd.Dataset(str(path), "dataset", create_if_needed=True) as dataset:
        dataset.write_xml_header(xml)
        for acquisition in acquisitions:
            dataset.append_acquisition(acquisition)
    return path


def lines_of(kspace: np.ndarray, mask: np.ndarray, frame: str = "phase", **counters: int) -> list[ismrmrd.Acquisition]:
    """Return the lines of `kspace` (coil, time, ky, kx) where `mask` (time, ky) is true; `frame` counts frames."""
    places = [(int(t), int(y)) for t, y in np.argwhere(mask)]
    return [line(kspace[:, t, y], y, **{frame: t}, **counters) for t, y in places]
