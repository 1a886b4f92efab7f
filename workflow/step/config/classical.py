"""The `classical` section of a task: reconstructions without a learned prior, by the modules that make them."""

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializeAsAny, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function
from typing_extensions import TypedDict

from step.config.sections import AnySettings, Count, ModuleName, NonNegative, Positive, Section

Pixels = Annotated[
    int,
    Field(
        ge=2,
        multiple_of=2,
        strict=True,
        description="pixels along a side of the frames that are imaged, an even number; the video's are interpolated",
    ),
]


class TotalVariation(Section):
    """Isotropic total variation over time, y and x, by accelerated proximal gradient steps (linear measurements)."""

    weight: NonNegative = Field(
        description="weight of the total variation against half the squared residual, in units of the video"
    )
    iterations: Count = Field(description="iterations of the outer loop")


class LowRankSparse(Section):
    """A background of low rank plus a part that is sparse in temporal frequency (linear measurements of MRI)."""

    low_rank_weight: NonNegative = Field(
        description="weight of the nuclear norm of the background, pixels x frames, in units of the zero-filled "
        "video's largest singular value; with both weights 1 nothing is left"
    )
    sparse_weight: NonNegative = Field(
        description="weight of the l1 norm of the other part's temporal spectrum, in units of the largest magnitude in "
        "that of the zero-filled video"
    )
    iterations: Count = Field(description="proximal gradient steps")


class Sense(Section):
    """Regularised least squares of each frame by conjugate gradients, unfolded by coil maps (linear measurements)."""

    weight: NonNegative = Field(
        description="weight of half the squared video against half the squared residual, in units of the data's errors"
    )
    iterations: Count = Field(description="iterations of conjugate gradients")


class RingPrior(Section):
    """The image that imaging of closures begins from, and is drawn to where data say nothing."""

    ring_diameter_uas: NonNegative = Field(
        description="diameter of the ring that is the prior image, and where imaging begins, microarcsecond; 0 is a "
        "Gaussian"
    )
    ring_width_uas: Positive = Field(
        description="full width at half maximum of the ring, or of the Gaussian, microarcsecond"
    )
    ring_asymmetry: Annotated[float, Field(ge=0, le=1)] = Field(
        description="how much brighter than on average the ring is on its brightest side; on the other it is as much "
        "fainter"
    )
    orientations: Count = Field(
        description="sides that may be the brightest, evenly spaced: the data choose the prior image among them"
    )
    static_outlier: Positive = Field(
        description="squared residual, in units of its error, from which on a datum counts less and less for the first "
        "image: what varies does not fit it"
    )


class RegularisedMaximumLikelihood(RingPrior):
    """Regularised maximum likelihood imaging of closures (black hole), of all frames at once.

    Weights are relative to ``-log p(y | x)``. Regularisers are those of eht-imaging, summed over frames, of frames in
    units of the mean flux.
    """

    entropy: NonNegative = Field(
        description="weight of the relative entropy of each frame and the prior image (`gs`), which says where the "
        "source is: closures do not"
    )
    total_variation: NonNegative = Field(description="weight of the total variation of each frame (`tv`)")
    squared_total_variation: NonNegative = Field(
        description="weight of the squared differences between pixels of each frame (`tv2`)"
    )
    centroid: NonNegative = Field(
        description="weight of the squared distance of each frame's centroid from the middle, in beams (`cm`)"
    )
    beam_uas: Positive = Field(
        description="the beam that `tv`, `tv2` and `cm` are in units of, so that they depend on no size of pixels, "
        "microarcsecond"
    )
    between_frames: NonNegative = Field(
        description="weight of the relative entropy of each frame and the next, both blurred (`Rdt`)"
    )
    frame_blur_uas: NonNegative = Field(
        description="full width at half maximum of that blur, microarcsecond: the source may move by so much"
    )
    from_mean: NonNegative = Field(
        description="weight of the relative entropy of each frame and the mean of all (`RdI`)"
    )
    static_iterations: Count = Field(description="iterations of the first image, the same for all frames but its flux")
    rounds: Count = Field(description="how often the video is imaged, each time from the blurred result before")
    iterations: Count = Field(description="iterations of each round")
    blur_uas: NonNegative = Field(
        description="full width at half maximum of the blur before the first round, microarcsecond; half of it before "
        "the second, and so on"
    )


class DynamicalImaging(RingPrior):
    """Dynamical imaging of closures (black hole) by eht-imaging itself, `ehtim.imaging.dynamical_imaging`.

    Weights are eht-imaging's own: of chi-squares and regularisers that are means over frames, the total flux being 1.
    """

    pixels: Pixels
    closure_phase: NonNegative = Field(description="weight of the reduced chi-square of closure phases (`alpha_d1`)")
    log_closure_amplitude: NonNegative = Field(
        description="weight of the reduced chi-square of log closure amplitudes (`alpha_d2`)"
    )
    entropy: NonNegative = Field(description="weight of the relative entropy to the prior image (`gs`, `alpha_s1`)")
    squared_total_variation: NonNegative = Field(
        description="weight of the squared differences between pixels (`tv2`, `alpha_s2`)"
    )
    between_frames: NonNegative = Field(
        description="weight of the relative entropy of each frame and the next, both blurred (`R_dt`)"
    )
    frame_blur_uas: NonNegative = Field(
        description="full width at half maximum of that blur, microarcsecond: the source may move by so much"
    )
    from_mean: NonNegative = Field(
        description="weight of the relative entropy of each frame and the mean of all (`R_dI`)"
    )
    flux: NonNegative = Field(description="weight of the squared fractional error of the light curve (`alpha_flux`)")
    centroid: NonNegative = Field(
        description="weight of the squared distance of each frame's centroid from the middle, in pixels "
        "(`alpha_centroid`)"
    )
    rounds: Count = Field(description="how often the video is imaged, each time from the blurred result before")
    iterations: Count = Field(description="iterations of each round")
    blur_uas: NonNegative = Field(
        description="full width at half maximum of the blur between two rounds, microarcsecond"
    )


class Starwarps(RingPrior):
    """StarWarps (black hole): a Gaussian prior of images and of their change, by eht-imaging's `starwarps`."""

    pixels: Pixels
    prior_deviation: Positive = Field(
        description="standard deviation of a pixel around the prior image, as a share of that image's brightness there"
    )
    frame_deviation: Positive = Field(
        description="standard deviation of a pixel's change from one frame to the next, as a share of the same"
    )
    power_dropoff: Positive = Field(
        description="exponent of the power spectrum of both: the larger, the smoother are frames"
    )
    linearisations: Count = Field(description="how often closures are linearised anew in each frame")


OURS: dict[str, type[Section]] = {
    "total_variation": TotalVariation,
    "low_rank_sparse": LowRankSparse,
    "sense": Sense,
    "regularised_maximum_likelihood": RegularisedMaximumLikelihood,
    "dynamical_imaging": DynamicalImaging,
    "starwarps": Starwarps,
}
"""The `Settings` of the modules of `step.classical`, known without importing these."""


class _OfItsModule:
    """Checks each section by the `Settings` of the module that it is called by, and describes the library's ones."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(_by_their_modules, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        def described(kind: Any) -> JsonSchemaValue:
            return handler(TypeAdapter(kind).core_schema)

        return {
            "type": "object",
            "properties": {name: described(section) for name, section in OURS.items()},
            "additionalProperties": described(AnySettings),
            "propertyNames": described(ModuleName),
        }


def _by_their_modules(values: Any) -> Any:
    """Return sections as those of the modules by whose names they are called; of one from elsewhere as they are."""
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        return values
    sections = {name: OURS.get(name, AnySettings) for name in values}
    by_name: Any = TypedDict("Classical", sections)  # type: ignore[misc]  # of names that are known now alone
    return TypeAdapter(by_name).validate_python(values)


ClassicalByModule = Annotated[dict[ModuleName, SerializeAsAny[Section]], _OfItsModule()]
"""What a task says of each classical reconstruction, by the name of its module."""
