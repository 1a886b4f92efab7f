"""The `data` section: where raw files lie and how they become videos."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from step.config.sections import Count, Fraction, NonNegative, Positive, Section


class Split(Section):
    """Which subjects, patients or simulations, are kept away from training, with all their videos.

    Only an archive of a single subject may be split by its slices.
    """

    unit: Literal["subject", "video_source"] = Field(
        description="what is kept together: `subject` (a patient with all slices), or `video_source` (one "
        "slice), for an archive that holds a single subject"
    )
    validation: Annotated[int, Field(ge=0)] | tuple[str, ...] = Field(
        description="number of units kept for choosing settings, drawn with the study's seed, or their names"
    )
    test: Count | tuple[str, ...] = Field(
        description="number of units kept for the results, drawn with the study's seed, or their names"
    )

    @property
    def n_held_out(self) -> int:
        """The number of units that are kept away from training."""
        return sum(chosen if isinstance(chosen, int) else len(chosen) for chosen in (self.validation, self.test))


class VideoFormat(Section):
    """What every domain says of its videos (Table 3, "Dataset related")."""

    frames: Count = Field(description="T, frames of a video (Table 3: frames)")
    resolution: Count = Field(description="H = W, pixels of a frame along one side (Table 3: resolution)")
    videos: Count = Field(
        description="N_vid, number of training videos to use, at most (Table 3); those of "
        "held-out units are not among them"
    )
    images: Count = Field(
        description="N_img, number of training images to use, at most (Table 3); those of "
        "held-out units are not among them"
    )
    display: Literal["magnitude", "unit_range"] = Field(
        description="how frames are seen and compared in [0, 1]: `magnitude` over the reference video's "
        "maximum, or `unit_range`, (x + 1) / 2 clipped"
    )
    split: Split
    test_videos: Count = Field(
        description="number of held-out test videos that are reconstructed, each of another test unit"
    )
    validation_videos: Annotated[int, Field(ge=0)] = Field(
        description="number of held-out videos on which settings are chosen, each of another validation unit (paper: 3)"
    )

    @property
    def geometry(self) -> dict[str, float]:
        """What a forward model may want to know of the videos beside their shape: by default nothing."""
        return {}


class HeartSimulation(Section):
    """A study of beating-heart phantoms, written as raw k-space in the layout of CMRxRecon 2023."""

    patients: Count = Field(description="number of simulated patients")
    short_axis_slices: Count = Field(description="slices in each patient's cine_sax.mat")
    long_axis_slices: Annotated[int, Field(ge=0)] = Field(description="slices in each patient's cine_lax.mat")
    matrix_sizes: tuple[tuple[Count, Count], ...] = Field(
        min_length=1, description="(ky, kx) matrix sizes, one drawn for each file"
    )
    pixel_mm: Positive = Field(description="pixel size along both axes, mm")
    coils: Literal["single", "multi"] = Field(description="one combined coil, or ten coils with smooth maps")
    noise: NonNegative = Field(
        description="standard deviation of the noise of real and imaginary part, relative to the image's peak"
    )


class SyntheticPhase(Section):
    """The smooth random phase given to an archive of magnitude images."""

    amplitude_rad: NonNegative = Field(description="standard deviation of the phase over a frame, rad")
    orders: Count = Field(description="highest number of periods of the phase across the frame")


class MriData(VideoFormat):
    """Dynamic cardiac MRI."""

    channels: Literal[2] = Field(description="C, channels of a frame: real and imaginary part")
    source: Literal["cmrxrecon", "cine_archive", "simulation"] = Field(
        description="what lies under `root`: a CMRxRecon 2023 tree, an archive of magnitude cines (.npz or "
        "DICOM), or a CMRxRecon tree that the workflow itself simulates"
    )
    root: Path = Field(description="folder of the raw files; searched at any depth")
    exclude: tuple[str, ...] = Field(description="glob patterns of files under `root` to leave out")
    views: tuple[Literal["sax", "lax"], ...] = Field(
        min_length=1, description="cardiac views to use: short axis (`sax`), long axis (`lax`)"
    )
    crop: Count = Field(
        description="raw pixels kept around the centre along each side, zeros where there are fewer; resampled to "
        "H = W where they differ (paper: 192, no resampling)"
    )
    scale: Positive | Literal["peak"] = Field(
        description="factor from raw image to video (paper: 1e6), or `peak`: each sequence's maximum becomes 1"
    )
    reference_phase: bool = Field(
        description="whether each sequence is rotated so that its time-averaged k-space centre is real and positive"
    )
    window_stride: Count = Field(
        description="frames from the start of one window of T frames to that of the next, in longer sequences"
    )
    subjects_per_job: Count = Field(description="subjects ingested and prepared by one job")
    synthetic_phase: SyntheticPhase
    simulation: HeartSimulation

    @property
    def simulated_subjects(self) -> list[str]:
        """The patients of a simulated study, ``TrainingSet-P001`` on."""
        return [f"TrainingSet-P{number:03d}" for number in range(1, self.simulation.patients + 1)]


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

    channels: Literal[1] = Field(description="C, channels of a frame: brightness")
    source: Literal["grmhd", "simulation"] = Field(
        description="what lies under `root`: a library of movies and images, or one that the workflow itself simulates"
    )
    root: Path = Field(description="folder of the raw files")
    exclude: tuple[str, ...] = Field(description="glob patterns of files and folders under `root` to leave out")
    movies: MovieFiles = Field(description="the movies, of which videos are cut")
    single_images: MovieFiles | None = Field(description="single images that the image set has beside the frames")
    simulation_pattern: str | None = Field(
        description="regular expression whose groups, searched in a file's path below `root`, name the simulation "
        "(spin, magnetic flux, inclination, R_high), which is never split; null: each movie and each folder of "
        "images is one"
    )
    field_of_view_uas: Positive = Field(description="side of a frame, microarcsecond (paper: 256 x 0.5)")
    cadence_s: Positive = Field(description="time between frames of a video, s (paper: 102)")
    windows_per_movie: Count = Field(description="videos cut from each movie, evenly spaced, at most")
    subjects_per_job: Count = Field(description="simulations ingested and prepared by one job")
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
    def simulated_subjects(self) -> list[str]:
        """The flows of a simulated study: ``flow0001`` on with a movie, ``still0001`` on with single images."""
        n_stills = self.simulation.image_sets if self.single_images else 0
        counts = {"flow": self.simulation.movies, "still": n_stills}
        return [f"{name}{number:04d}" for name, count in counts.items() for number in range(1, count + 1)]

    @property
    def geometry(self) -> dict[str, float]:
        """The side of a frame, microarcsecond, and the time between frames, s."""
        return {"field_of_view_uas": self.field_of_view_uas, "cadence_s": self.cadence_s}


class Augmentation(Section):
    """Random changes of training frames; a video's frames are all changed alike."""

    flips: bool = Field(description="horizontal and vertical flips, each with probability 1/2")
    zoom: tuple[Positive, Positive] = Field(
        description="smallest and largest factor of the random zoom; below 1 the frame's "
        "surroundings come in without signal; [1, 1] for none"
    )
    probability: Fraction = Field(description="probability that a training example is zoomed")

    @model_validator(mode="after")
    def _ordered(self) -> "Augmentation":
        if self.zoom[0] > self.zoom[1]:
            raise ValueError(f"zoom goes from {self.zoom[0]} to {self.zoom[1]}; give the smaller one first")
        return self
