"""The section `data` of Sgr A*: where its raw files lie and how they become videos."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from step.config.data import VideoFormat
from step.config.sections import Count, Positive, Section


class MovieFiles(Section):
    """Raw files of one kind: movies, or single images."""

    folder: str = Field(description="folder below `root` that holds them, searched at any depth; `.` for all of it")
    format: Literal["ehtim", "ipole", "fits", "npy"] = Field(
        description="`ehtim` movies (.h5), or frames by `ipole` (.h5), as `fits` or as `npy`: a movie is then a "
        "folder of frames, in the order of their times or, where they have none, of their names"
    )
    pixel_uas: Positive | None = Field(
        description="side of a source pixel, microarcsecond, for files that do not say it (npy); null: as the files say"
    )
    cadence_s: Positive | None = Field(
        description="time between frames, s, for files that do not say it (npy, fits); null: as the files say"
    )


class AccretionSimulation(Section):
    """A library of made-up accretion flows around Sgr A*, written as ehtim movies and ipole images."""

    movies: Count = Field(description="number of simulated flows with a movie")
    frames: Count = Field(description="frames of a movie")
    cadence_s: Positive = Field(description="time between frames of a movie, s")
    image_sets: Annotated[int, Field(ge=0)] = Field(description="number of further flows with single images alone")
    images: Count = Field(description="single images of each of these, far apart in time")
    pixels: Count = Field(description="pixels of a raw frame along one side")
    field_of_view_uas: Positive = Field(description="side of a raw frame, microarcsecond")
    flux_jy: Positive = Field(description="mean flux density, Jy")
    pattern_speed_deg_per_m: tuple[Positive, Positive] = Field(
        description="smallest and largest speed of the brightness pattern at the ring, degree per GM/c^3; it turns "
        "either way"
    )


class BlackHoleData(VideoFormat):
    """Movies of Sgr A* from GRMHD simulations."""

    module: Literal["blackhole"] = Field(description="the package `step.domains.blackhole`")
    channels: Literal[1] = Field(description="C, channels of a frame: brightness")
    source: Literal["grmhd", "simulation"] = Field(
        description="what lies under `root`: a library of movies and images, or one that the workflow itself simulates"
    )
    exclude: tuple[str, ...] = Field(description="glob patterns of files and folders under `root` to leave out")
    movies: MovieFiles = Field(description="the movies, of which videos are cut")
    single_images: MovieFiles | None = Field(description="single images that the image set has besides the frames")
    simulation_pattern: str | None = Field(
        description="regular expression whose groups, searched in a file's path below `root`, name the simulation "
        "(spin, magnetic flux, inclination, R_high), which is never split; null: each movie and each folder of "
        "images is one"
    )
    field_of_view_uas: Positive = Field(description="side of a frame, microarcsecond (paper: 256 x 0.5)")
    cadence_s: Positive = Field(description="time between frames of a video, s (paper: 102)")
    windows_per_movie: Count = Field(description="videos cut from each movie, evenly spaced, at most")
    simulation: AccretionSimulation

    @model_validator(mode="after")
    def _simulation_is_read_as_it_is_written(self) -> "BlackHoleData":
        written = {"movies": ("movies", "ehtim"), "single_images": ("images", "ipole")}
        for key, (folder, written_format) in written.items():
            files = getattr(self, key)
            if self.source == "simulation" and files and (files.folder, files.format) != (folder, written_format):
                raise ValueError(
                    f"{key} says {files.format} in {files.folder}, a simulation writes {written_format} to {folder}; "
                    "leave it as in config.yaml"
                )
        return self

    @property
    def is_simulated(self) -> bool:
        """Whether the workflow simulates the raw files."""
        return self.source == "simulation"

    @property
    def simulated_subjects(self) -> list[str]:
        """The flows of a simulated study: ``flow0001`` on with a movie, ``still0001`` on with single images."""
        n_stills = self.simulation.image_sets if self.single_images else 0
        counts = {"flow": self.simulation.movies, "still": n_stills}
        return [f"{name}{number:04d}" for name, count in counts.items() for number in range(1, count + 1)]

    @property
    def geometry(self) -> dict[str, float]:
        """The side of a frame, microarcsecond, and the time between frames, s."""
        return {"field_of_view_uas": self.field_of_view_uas, "cadence_s": self.cadence_s}


Data = BlackHoleData
"""What the configuration of this domain is checked by."""
