"""The raw files of one simulated accretion flow."""

from pathlib import Path

import numpy as np

from step.domains.blackhole.accretion.accretion_flow import GRAVITATIONAL_TIME_S, AccretionFlow
from step.domains.blackhole.accretion.images import FlowImages
from step.domains.blackhole.accretion.ipole_files import IpoleHeader, write_ipole_image
from step.domains.blackhole.accretion.settings import FlowSimulation
from step.io.atomic import whole_folder
from step.io.eht_movies import EhtMovieHeader, write_eht_movie
from step.progress import track
from step.seeds import derive_seed
from step.units import RAD_PER_UAS

FREQUENCY_HZ = 230e9
RIGHT_ASCENSION_H = 17.7611211
DECLINATION_DEG = -29.0078431
MJD = 57850
"""7 April 2017; movies begin at 0 h."""

BETWEEN_STILLS_M = (500, 1500)
"""GM/c^3 from one single image to the next: far longer than anything in a flow lives."""


def write_movie(settings: FlowSimulation, flow: AccretionFlow, path: Path) -> None:
    """Write the movie of `flow` as an ehtim movie."""
    header = EhtMovieHeader(
        pixel_rad=settings.field_of_view_uas / settings.pixels * RAD_PER_UAS,
        source="SgrA",
        ra_h=RIGHT_ASCENSION_H,
        dec_deg=DECLINATION_DEG,
        rf_hz=FREQUENCY_HZ,
        mjd=MJD,
    )
    images = _images_of(settings, flow)
    times_s = settings.cadence_s * np.arange(settings.frames)
    frames = (images.at(time_s / GRAVITATIONAL_TIME_S) for time_s in track(times_s, "movie", "frame"))
    write_eht_movie(path, header, times_s / 3600, frames)


def write_stills(settings: FlowSimulation, flow: AccretionFlow, folder: Path) -> None:
    """Write single images of `flow` as ipole files ``img_s<time in GM/c^3>.h5``, in place of an older `folder`."""
    images = _images_of(settings, flow)
    generator = np.random.default_rng(derive_seed(flow.seed, "stills"))
    with whole_folder(folder) as part:
        for time_m in track(generator.integers(*BETWEEN_STILLS_M, settings.images).cumsum(), "images", "image"):
            header = IpoleHeader(settings.field_of_view_uas, FREQUENCY_HZ, float(time_m))
            write_ipole_image(part / f"img_s{time_m}.h5", header, images.at(time_m))


def _images_of(settings: FlowSimulation, flow: AccretionFlow) -> FlowImages:
    return FlowImages(flow, settings.pixels, settings.field_of_view_uas, settings.flux_jy)
