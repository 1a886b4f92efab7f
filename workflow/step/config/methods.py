"""The `methods` section: a prior, a source of noise and a sampler each."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from step.config.sections import Count, ModuleName, OpenSection, Positive, Section, section_tag


class NoiseOfModule(OpenSection):
    """Noise of another source: the module that makes it, and that module's own settings.

    `source` names a module of `step.sampling.noise`, or any importable module by its dotted name. The other keys are
    checked by the module's own `Settings`.
    """

    source: ModuleName = Field(
        description="a module of `step.sampling.noise`, or any importable module, with `Settings` and `build`"
    )
    uses_optical_flow: bool = Field(description="whether it is given the optical flow of the video")


class FrameNoise(Section):
    """Noise that knows no motion."""

    source: Literal["independent", "batch_consistent"] = Field(
        description="sampled for each frame (`independent`), or once for all of them (`batch_consistent`)"
    )


class InterpolatedNoise(Section):
    """The noise of a frame interpolated at the positions from which the optical flow brought its pixels."""

    source: Literal["bilinear", "bicubic", "nearest"] = Field(description="the interpolation")


class IntegralNoise(Section):
    """White noise whose integrals over latent pixels are moved with the optical flow (Chang et al. 2024)."""

    source: Literal["integral"] = Field(description="the module `step.sampling.noise.integral`")
    subcells: Count | None = Field(
        description="k: a latent pixel is moved as k x k pieces; null: infinitely many (Deng et al. 2025)"
    )


class GaussianProcessNoise(Section):
    """A stationary Gaussian process evaluated at positions that move with the optical flow (Daras et al. 2024)."""

    source: Literal["gp_warp"] = Field(description="the module `step.sampling.noise.gp_warp`")
    length: Positive = Field(description="length of the squared-exponential kernel, in latent pixels")
    features: Count = Field(description="number of random Fourier features that make up the process")


FRAME_NOISE = ("independent", "batch_consistent")
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")

AnyNoise = Annotated[
    Annotated[FrameNoise, Tag("[independent]")]
    | Annotated[InterpolatedNoise, Tag("[bilinear]")]
    | Annotated[IntegralNoise, Tag("[integral]")]
    | Annotated[GaussianProcessNoise, Tag("[gp_warp]")]
    | Annotated[NoiseOfModule, Tag("[other]")],
    section_tag([FRAME_NOISE, INTERPOLATIONS, ("integral",), ("gp_warp",)], "source"),
]


OURS = "daps"
"""The sampler whose settings are a section of the configuration, ``tasks.<task>.sampler``."""


class Method(Section):
    """One way to reconstruct: a prior, a source of noise and a sampler."""

    prior: Literal["image", "video", "joint"] = Field(
        description="the image prior, the spatiotemporal prior trained on videos alone, or the jointly trained one"
    )
    noise: AnyNoise = Field(description="noise of Algorithm 1, lines 1 and 9")
    sampler: ModuleName = Field(
        description="a module of `step.sampling`, or any importable module, with `Settings` and `build`. `daps`, the "
        "paper's, has its settings in `tasks.<task>.sampler`, every other in `tasks.<task>.samplers`"
    )

    @property
    def uses_optical_flow(self) -> bool:
        """Whether the method needs the optical flow of a video."""
        return getattr(self.noise, "uses_optical_flow", not isinstance(self.noise, FrameNoise))
