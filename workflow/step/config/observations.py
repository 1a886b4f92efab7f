"""The `observations` section: measured data, which have no truth, and how they are reconstructed."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Tag, model_validator

from step.config.sections import Count, ModuleName, Name, NonNegative, OpenSection, Positive, Section, section_tag

Polarisation = Literal["I", "RR", "LL"]

StationCode = Annotated[str, Field(pattern=r"^\S+$")]
"""The code of a station as files of visibilities have it, such as AA."""


class MeasuredData(OpenSection):
    """Measured data of another format: the module that reads them, and that module's own settings.

    `format` names a module of `step.observations`, or any importable module by its dotted name. The other keys are
    checked by the module's own `Settings`.
    """

    format: ModuleName = Field(
        description="a module of `step.observations`, or any importable module, with `Settings`, `read` and `export`"
    )


class EhtData(Section):
    """Visibilities of the Event Horizon Telescope."""

    format: Literal["eht"] = Field(description="the module `step.observations.eht`")
    file: Path | tuple[Path, ...] = Field(
        description="visibilities: `.uvfits` or `.uvp`, or the table (`.csv`, `.txt`) of an EHT data release; several "
        "(bands, parts of a night) are joined"
    )
    source: str | None = Field(
        description="name of the source, which the files must have but for case and marks; null: the task's own"
    )
    right_ascension_h: Annotated[float, Field(ge=0, lt=24)] | None = Field(
        description="of the source, h, for a table, which does not say it; null: the task's own, if the table is of "
        "the task's `source`; null for uvfits, which says it"
    )
    declination_deg: Annotated[float, Field(ge=-90, le=90)] | None = Field(
        description="of the source, degree; null where `right_ascension_h` is"
    )
    start_utc_h: NonNegative | Literal["file"] | None = Field(
        description="UTC of the first frame, h; `file`: the first visibility's; null: the task's own"
    )
    polarisation: Polarisation = Field(
        description="product of uvfits files to use: Stokes `I`, (RR + LL) / 2 or the one of both that there is, or "
        "`RR` or `LL` alone, which where there is no circular polarisation measure I"
    )
    flag_stations: tuple[str, ...] = Field(description="codes of stations to leave out")
    average_s: Positive | Literal["scan"] = Field(
        description="time over which visibilities are averaged coherently, s, or `scan`: until a gap; never beyond a "
        "frame"
    )
    systematic: NonNegative = Field(
        description="systematic error, as a fraction of each visibility's amplitude, added to its thermal error"
    )
    station_systematic: dict[StationCode, NonNegative] = Field(
        description="further errors of single stations, as fractions of the amplitudes of their visibilities"
    )
    refractive_noise_jy: NonNegative = Field(
        description="error, Jy, added to visibilities between sites for what a scattering screen does beyond its "
        "ensemble average (Sgr A* at 230 GHz: 0.01); 0: none"
    )
    uv_min: NonNegative = Field(
        description="shortest baseline that closures are made of, wavelengths; 0: all. The light curve may have shorter"
    )
    compact_flux_jy: Positive | None = Field(
        description="flux density within the field of view, Jy, that baselines within a site are scaled to where they "
        "see more (M87: 0.6 of 1.2); null: what they see"
    )
    light_curve: Literal["zero_baseline", "none"] = Field(
        description="the flux of each frame: from the baselines within one site (`zero_baseline`), in units of its "
        "mean over time, which is given the mean of the training videos; or `none`, no flux in the data term"
    )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, one or several."""
        return (self.file,) if isinstance(self.file, Path) else self.file

    @model_validator(mode="after")
    def _is_whole(self) -> "EhtData":
        if not self.files:
            raise ValueError("file is an empty list; give at least one file")
        if (self.right_ascension_h is None) != (self.declination_deg is None):
            raise ValueError("one of right_ascension_h and declination_deg is null; give both, or neither")
        return self


class Outside(Section):
    """What is outside the video's rows, where k-space has more lines than those: unknown, Gaussian, integrated out."""

    scale: NonNegative | Literal["estimate"] = Field(
        description="its standard deviation per real and imaginary part, in units of the video; 0: nothing is there; "
        "`estimate`: from the lines themselves, per column, with a level that each video fits frame by frame"
    )


class CmrxreconData(Section):
    """k-space that was measured undersampled, in a file as of CMRxRecon 2023."""

    format: Literal["cmrxrecon"] = Field(description="the module `step.observations.cmrxrecon`")
    kspace: Path = Field(description="undersampled k-space (`.mat`): `kspace_single_sub08`, `kspace_sub08` or alike")
    mask: Path = Field(
        description="its sampling mask (`.mat`): `mask08` or alike, (ky, kx) for all frames or (time, ky, kx) for each"
    )
    slice: Annotated[int, Field(ge=0)] = Field(description="number of the slice, from 0")
    first_frame: Annotated[int, Field(ge=0)] = Field(description="number of the first frame to use, from 0")
    outside: Outside
    pixel_mm: Positive | None = Field(description="side of a raw pixel, mm, null if unknown; for the export")
    frame_s: Positive | None = Field(description="time between frames, s, null if unknown; for the export")


class KspaceData(Section):
    """k-space of one coil or several, in a file of any format that is read; the format is told by its content."""

    format: Literal["kspace"] = Field(description="the module `step.observations.kspace`")
    file: Path = Field(
        description="ISMRMRD (`.h5`), MATLAB (`.mat`, any version), BART (`.cfl` next to its `.hdr`) or numpy (`.npz`)"
    )
    mask: Path | None = Field(
        description="its sampling mask, where that is a file of its own, of the same format; null: the file says what "
        "was measured, or lines of zeros were not"
    )
    slice: Annotated[int, Field(ge=0)] = Field(description="number of the slice, from 0")
    of: dict[Literal["phase", "repetition", "contrast", "set"], Annotated[int, Field(ge=0)]] = Field(
        description="of ISMRMRD, which number to use of a counter that has several, `{repetition: 0}` say; else `{}`"
    )
    first_frame: Annotated[int, Field(ge=0)] = Field(description="number of the first frame to use, from 0")
    outside: Outside
    pixel_mm: Positive | None = Field(
        description="side of a raw pixel, mm, of files that do not say it (all but ISMRMRD and numpy); null if unknown"
    )
    frame_s: Positive | None = Field(description="time between frames, s; null: as the file says, or unknown")


AnyData = Annotated[
    Annotated[EhtData, Tag("[eht]")]
    | Annotated[CmrxreconData, Tag("[cmrxrecon]")]
    | Annotated[KspaceData, Tag("[kspace]")]
    | Annotated[MeasuredData, Tag("[other]")],
    section_tag([("eht",), ("cmrxrecon",), ("kspace",)], "format"),
]


class Observation(Section):
    """One measurement of the real world."""

    task: Name = Field(description="the task whose forward model, priors and sampler it uses")
    method: Name = Field(description="the method that reconstructs it")
    samples: Count = Field(description="posterior samples")
    samples_per_job: Count = Field(description="samples taken by one job, in one batch")
    data: AnyData = Field(description="the files, and how they become a measurement")
