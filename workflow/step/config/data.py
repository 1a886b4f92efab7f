"""The `data` section: where raw files lie and how they become videos."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import (
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function
from typing_extensions import TypedDict

from step.config.sections import Count, Fraction, ModuleName, Name, Positive, Section, section_tag
from step.errors import InputError
from step.plugins import LIBRARY, domain_name, source_of


class Split(Section):
    """Which subjects, patients or simulations, are kept away from training, with all their videos.

    Only an archive of a single subject may be split by its slices.
    """

    unit: Literal["subject", "video_source"] = Field(
        description="what is kept together: `subject` (a patient with all slices), or `video_source` (one "
        "slice), for an archive that holds a single subject"
    )
    validation: Annotated[int, Field(ge=0)] | tuple[str, ...] = Field(
        description="number of units kept for choosing settings, chosen at random with the study's seed, or their names"
    )
    test: Count | tuple[str, ...] = Field(
        description="number of units kept for the results, chosen at random with the study's seed, or their names"
    )

    @property
    def n_held_out(self) -> int:
        """The number of units that are kept away from training."""
        return sum(chosen if isinstance(chosen, int) else len(chosen) for chosen in (self.validation, self.test))


class VideoFormat(Section):
    """What every domain says of its raw files and videos (Table 3, "Dataset related")."""

    module: ModuleName = Field(
        description="the domain: a package of `step.domains`, or any importable one by its dotted name"
    )
    root: Path = Field(description="folder of the raw files, searched at any depth")
    subjects_per_job: Count = Field(description="subjects (patients, simulations) ingested and prepared by one job")
    frames: Count = Field(description="T, frames of a video (Table 3: frames)")
    resolution: Count = Field(description="H = W, pixels of a frame along one side (Table 3: resolution)")
    videos: Annotated[int, Field(ge=0, strict=True)] = Field(
        description="N_vid, number of training videos to use, at most (Table 3); those of held-out units are not among "
        "them. 0, and a split that leaves nobody to train on, need a prior that is pretrained"
    )
    images: Count = Field(
        description="N_img, number of training images to use, at most (Table 3); those of "
        "held-out units are not among them"
    )
    channels: Count = Field(description="C, channels of a frame")
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
    def is_simulated(self) -> bool:
        """Whether the workflow simulates the raw files."""
        return False

    @property
    def simulated_subjects(self) -> list[str]:
        """The names of the subjects that are simulated."""
        return []

    @property
    def geometry(self) -> dict[str, float]:
        """What a forward model may want to know of the videos besides their shape: by default nothing."""
        return {}


class OtherVideos(VideoFormat):
    """The videos of a domain that is not the library's, whose own `Data` checks the keys besides these."""

    model_config = ConfigDict(extra="allow")


def domains() -> dict[str, type[VideoFormat]]:
    """Return the `Data` of each of the library's domains by its name."""
    names = sorted(path.name for path in (LIBRARY / "domains").iterdir() if (path / "data.py").is_file())
    return {name: data_of_domain(name, "data.<domain>.module") for name in names}


def data_of_domain(domain: str, key: str) -> type[VideoFormat]:
    """Return the section that the package of `domain` checks, its `data.Data`; raises `InputError` without one.

    `key` is the one of the configuration that names it.
    """
    module = f"{domain_name(domain, key)}.data"
    data = getattr(import_module(module), "Data", None) if source_of(module) else None
    if data is None:
        raise InputError(f"{key} is {domain!r}, which is no domain: there is no {module} with `Data`")
    return data


class _OfItsDomain:
    """Checks each section by the `Data` of the domain that it names, and describes the library's ones."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_by_their_domains, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        known = domains()
        tagged = [Annotated[section, Tag(f"[{name}]")] for name, section in known.items()]
        every: Any = Union[(*tagged, Annotated[OtherVideos, Tag("[other]")])]
        told_apart = section_tag([(name,) for name in known], "module")
        of_any = handler(TypeAdapter(Annotated[every, told_apart]).core_schema)
        return {
            "type": "object",
            # As config.yaml calls them; those with other names are told apart by the key `module`.
            "properties": dict(zip(known, of_any["oneOf"], strict=False)),
            "additionalProperties": of_any,
            "propertyNames": handler(TypeAdapter(Name).core_schema),
        }


def _by_their_domains(values: Any) -> Any:
    """Return sections as those of the domains that they name."""
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        return values
    sections = {name: _section_of(value, f"data.{name}.module") for name, value in values.items()}
    by_name: Any = TypedDict("Data", sections)  # type: ignore[misc]  # of names that are known now alone
    return TypeAdapter(by_name).validate_python(values)


def _section_of(value: Any, key: str) -> type[VideoFormat]:
    """Return what checks one section: the `Data` of its domain, or, where it names none, what says so."""
    if isinstance(value, VideoFormat):
        return type(value)
    named = value.get("module") if isinstance(value, dict) else None
    return data_of_domain(named, key) if isinstance(named, str) else VideoFormat


VideosByDomain = Annotated[dict[Name, SerializeAsAny[VideoFormat]], _OfItsDomain()]
"""What the configuration says of each domain, by a name of its own."""


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
