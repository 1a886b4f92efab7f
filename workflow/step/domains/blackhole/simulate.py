"""A library of simulated accretion flows around Sgr A*, in the raw formats of GRMHD libraries."""

from collections.abc import Iterable
from pathlib import Path

from step.domains.blackhole.accretion.settings import FlowSimulation as Settings
from step.domains.blackhole.data import BlackHoleData
from step.seeds import derive_seed

STILL = "still"
"""How the names of flows begin that have single images alone."""


def settings_of(data: BlackHoleData, seed: int) -> Settings:
    """Return the settings of each simulated flow; how many there are changes none of them."""
    values = data.simulation.model_dump(exclude={"movies", "image_sets"})
    return Settings(seed=seed, **values)


def simulate(settings: Settings, subjects: Iterable[str], root: Path) -> None:
    """Write ``movies/flow0001.h5``, or the folder ``images/still0001``, below `root` for each of `subjects`.

    A flow depends on the seed and its own name alone, not on who else is simulated. Longer movies and larger sets
    of images begin with what shorter and smaller ones hold.
    """
    from step.domains.blackhole.accretion.accretion_flow import sample_accretion_flow
    from step.domains.blackhole.accretion.flow_files import write_movie, write_stills
    from step.progress import track

    for name in track(subjects, "simulate", "flow"):
        flow = sample_accretion_flow(derive_seed(settings.seed, "accretion", name), settings.pattern_speed_deg_per_m)
        if name.startswith(STILL):
            write_stills(settings, flow, root / "images" / name)
        else:
            write_movie(settings, flow, root / "movies" / f"{name}.h5")
