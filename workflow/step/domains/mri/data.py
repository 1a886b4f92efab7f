"""The section `data` of dynamic cardiac MRI: where its raw files lie and how they become videos."""

from typing import Annotated, Literal

from pydantic import Field

from step.config.data import VideoFormat
from step.config.sections import Count, NonNegative, Positive, Section


class HeartSimulation(Section):
    """A study of beating-heart phantoms, written as raw k-space in the layout of CMRxRecon 2023."""

    patients: Count = Field(description="number of simulated patients")
    short_axis_slices: Count = Field(description="slices in each patient's cine_sax.mat")
    long_axis_slices: Annotated[int, Field(ge=0)] = Field(description="slices in each patient's cine_lax.mat")
    matrix_sizes: tuple[tuple[Count, Count], ...] = Field(
        min_length=1, description="(ky, kx) matrix sizes, one chosen at random for each file"
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

    module: Literal["mri"] = Field(description="the package `step.domains.mri`")
    channels: Literal[2] = Field(description="C, channels of a frame: real and imaginary part")
    source: Literal["cmrxrecon", "kspace_archive", "cine_archive", "simulation"] = Field(
        description="what lies under `root`: a CMRxRecon tree (2023 to 2025), fully sampled k-space in other files "
        "(ISMRMRD, MATLAB, BART, numpy), an archive of magnitude cines (.npz, "
        "4D NIfTI or DICOM), or a CMRxRecon tree that the workflow itself simulates"
    )
    exclude: tuple[str, ...] = Field(description="glob patterns of files under `root` to leave out")
    views: tuple[Literal["sax", "lax"], ...] = Field(
        min_length=1, description="cardiac views to use: short axis (`sax`), long axis (`lax`)"
    )
    crop: Count = Field(
        description="raw pixels kept around the centre along each side, zeros where there are fewer; resampled to "
        "H = W where they differ (paper: 192, no resampling)"
    )
    scale: Positive | Literal["peak"] = Field(
        description="factor from raw image to video (paper: 1e6), or `peak`: each sequence's maximum becomes that of "
        "`peak`"
    )
    peak: Positive = Field(
        description="what a sequence's maximum becomes where `scale` is `peak`: about that of the videos that a prior "
        "was trained on"
    )
    reference_phase: bool = Field(
        description="whether each sequence is rotated so that its time-averaged k-space centre is real and positive"
    )
    window_stride: Count = Field(
        description="frames from the start of one window of T frames to that of the next, in longer sequences"
    )
    synthetic_phase: SyntheticPhase
    simulation: HeartSimulation

    @property
    def is_simulated(self) -> bool:
        """Whether the workflow simulates the raw files."""
        return self.source == "simulation"

    @property
    def simulated_subjects(self) -> list[str]:
        """The patients of a simulated study, ``TrainingSet-P001`` on."""
        return [f"TrainingSet-P{number:03d}" for number in range(1, self.simulation.patients + 1)]


Data = MriData
"""What the configuration of this domain is checked by."""
