"""The `tasks` and `methods` sections: what is measured and how it is reconstructed (Table 2)."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, Tag, model_validator

from step.config.classical import ClassicalByModule
from step.config.sections import (
    AnySettings,
    Count,
    ModuleName,
    Name,
    NonNegative,
    OpenSection,
    Positive,
    Section,
    section_tag,
)
from step.plugins import forward_model_name, modules_of_functions

Reference = Literal["zero_filled", "dirty", "static", "vae"]
"""The reference rows that are no classical reconstruction."""

OF_TRUTH = ("static", "vae")
"""Those that are made of the truths; all others, and those of classical reconstructions, of the measurements alone."""


class Measurement(OpenSection):
    """The forward model of a task: the module that implements it, and that module's own settings.

    `model` names a module of `step.physics`, or any importable module by its dotted name. The other keys are
    checked by the module's own `Settings`.
    """

    model: ModuleName = Field(
        description="a module of `step.physics`, or any importable module, with `Settings` and `build`"
    )


class LinePattern(Section):
    """Which lines each frame measures, besides the central ones; all kinds measure about as many."""

    kind: Literal["equispaced", "interleaved", "random", "variable_density"] = Field(
        description="`equispaced`: every R-th, the same in all frames (the paper's); `interleaved`: every R-th, one "
        "line further in each frame, so that R frames measure all; `random`: others in each frame; "
        "`variable_density`: the same, the more the nearer to the centre"
    )
    seed: Annotated[int, Field(ge=0)] = Field(description="of the random kinds: the same lines for every video")
    decay: NonNegative = Field(
        description="of `variable_density`: power with which the density of lines falls towards the edge of k-space"
    )


class CoilArray(Section):
    """Simulated receiver coils around the chest, on a circle about the middle of the frame."""

    count: Count = Field(description="number of coils")
    field_of_view_mm: Positive = Field(description="width of the frame, mm")
    distance_mm: Positive = Field(description="of each coil from the middle, mm")
    reach_mm: Positive = Field(description="standard deviation of the Gaussian that each coil sees about itself, mm")
    phase_slope_rad: NonNegative = Field(
        description="standard deviation of the slope of each coil's phase over 100 mm, along y and along x, rad"
    )
    seed: Annotated[int, Field(ge=0)] = Field(description="of angles and phases: the same coils for every video")
    maps: Literal["known", "estimated"] = Field(
        description="what the measurement holds: the true maps, or those that are estimated from the lines that are "
        "measured, averaged over time, as of a scan (Walsh's method)"
    )


class CartesianMriSettings(Section):
    """Cartesian k-space sampling, of one coil or several (Eqs. 14, 15)."""

    model: Literal["mri"] = Field(description="the module `step.physics.mri`")
    acceleration: Count = Field(description="R: every R-th phase-encode line is measured")
    acs_lines: Annotated[int, Field(ge=0)] = Field(
        description="number of auto-calibration lines: the central ones, measured always"
    )
    noise_level: NonNegative = Field(
        description="standard deviation of the noise added to real and imaginary part of each measured "
        "sample, in units of the video, orthonormal FFT"
    )
    pattern: LinePattern
    coils: CoilArray | None = Field(description="null: one coil that sees all alike, as in the paper")


class Trajectory(Section):
    """How readouts go through k-space off the grid; each is turned by a golden angle from the one before it."""

    kind: Literal["radial", "spiral"] = Field(
        description="`radial`: spokes through the centre; `spiral`: from the centre outwards"
    )
    readouts: Count = Field(description="spokes or spirals of a frame")
    oversampling: Positive = Field(description="samples along a readout, per cycle per field of view")
    turns: Positive = Field(description="of a spiral, from the centre to the edge of k-space")


class NonCartesianMriSettings(Section):
    """k-space sampling off the grid, of one coil or several (extra `[mri]`)."""

    model: Literal["non_cartesian_mri"] = Field(description="the module `step.physics.non_cartesian_mri`")
    trajectory: Trajectory
    noise_level: NonNegative = Field(
        description="standard deviation of the noise added to real and imaginary part of each sample, in units of the "
        "video, a transform that is orthonormal on the grid"
    )
    coils: CoilArray | None = Field(description="null: one coil that sees all alike")


class Scattering(Section):
    """The interstellar screen in front of a source, whose ensemble average blurs its image (dipole model)."""

    major_mas: Positive = Field(
        description="full width at half maximum of the broadening along its major axis, as extrapolated from long "
        "wavelengths to 1 cm, milliarcseconds (Johnson et al. 2018, Sgr A*: 1.380)"
    )
    minor_mas: Positive = Field(description="the same along the minor axis, milliarcseconds (Sgr A*: 0.703)")
    position_angle_deg: Annotated[float, Field(ge=-180, le=180)] = Field(
        description="of the major axis, east of north, degree (Sgr A*: 81.9)"
    )
    alpha: Annotated[float, Field(gt=0, lt=2)] = Field(
        description="power-law index of the phase structure function (Sgr A*: 1.38)"
    )
    inner_scale_km: Positive = Field(
        description="inner scale of the turbulence, km: below it the kernel is Gaussian, above it is not (Sgr A*: 800)"
    )
    observer_screen_kpc: Positive = Field(description="distance from the observer to the screen, kpc (Sgr A*: 2.82)")
    screen_source_kpc: Positive = Field(description="distance from the screen to the source, kpc (Sgr A*: 5.53)")

    @model_validator(mode="after")
    def _axes_are_ordered(self) -> "Scattering":
        if self.major_mas < self.minor_mas:
            raise ValueError("major_mas is below minor_mas; exchange them, and turn position_angle_deg by 90")
        return self


class StationGains(Section):
    """Gains of the stations that are known to some percent, besides those that `errors` and the array's table have."""

    simulated: NonNegative = Field(
        description="standard deviation of each station's log gain at each time in simulated visibilities; 0.2 is "
        "20 % in amplitude"
    )
    assumed: NonNegative = Field(description="the standard deviation that the likelihood assumes of them")
    likelihood: Literal["closures", "amplitudes"] = Field(
        description="`closures`, which no gain changes; or closure phases and `amplitudes`, with the gains marginalised"
        ", in place of closure amplitudes"
    )


class Vlbi(Section):
    """Closure quantities and light curve of a radio interferometer (Eqs. 7 to 13)."""

    model: Literal["vlbi"] = Field(description="the module `step.physics.vlbi`")
    array: Path = Field(description="table of the stations: position, sensitivity, errors of gain and leakage")
    source: str = Field(
        description="name of the source; measured tables of that name, but for case and marks, have its coordinates"
    )
    right_ascension_h: NonNegative = Field(description="of the source, h")
    declination_deg: Annotated[float, Field(ge=-90, le=90)] = Field(description="of the source, degree")
    frequency_hz: Positive = Field(description="observing frequency, Hz")
    bandwidth_hz: Positive = Field(description="bandwidth, Hz")
    mjd: Count = Field(description="day of the observation, modified Julian date")
    start_utc_h: NonNegative = Field(
        description="UTC of the first frame, h; frame k is observed `cadence_s` times k later, and real data up to the "
        "next frame belong to it"
    )
    integration_s: Positive = Field(description="integration time of a simulated visibility, s")
    elevation_deg: tuple[NonNegative, Positive] = Field(
        description="lowest and highest elevation at which a station observes, degree"
    )
    opacity: NonNegative = Field(description="zenith opacity of the atmosphere at every station")
    opacity_error: NonNegative = Field(description="fractional standard deviation of the opacity")
    errors: tuple[Literal["thermal", "gains", "phases", "leakage", "atmosphere"], ...] = Field(
        description="what disturbs simulated visibilities (Eq. 8): thermal noise, gains (offset and per frame), random "
        "phases, leakage between polarisations, opacity"
    )
    source_flux_jy: Positive = Field(
        description="mean flux density of the simulated source, Jy, which its signal-to-noise ratio depends on"
    )
    flux_sigma: Positive = Field(
        description="s_F (Eq. 12), error of the flux: the sum over a frame's pixels of their brightness from 0 to 1 "
        "(authors' code: 2)"
    )
    flux_weight: NonNegative = Field(description="weight of the flux in the data term (Eq. 12: 0.26)")
    closure_covariance: Literal["diagonal", "full"] = Field(
        description="what the likelihood takes for the errors of closures: `diagonal`, each by itself, of "
        "eht-imaging's minimal sets (Eq. 12, the paper's), or `full`, with the covariance of closures that share "
        "visibilities, of all independent ones, which no choice of set changes"
    )
    snr_window_s: Positive | None = Field(
        description="closures at a low ratio of signal to noise: time over which a baseline's amplitude is estimated, "
        "without bias, s, from which errors then follow that hold at any ratio; null: first order in each visibility's "
        "own ratio (the paper's), which below 3 is too sure"
    )
    scattering: Scattering | None = Field(
        description="the screen whose kernel multiplies every visibility, simulated and in the likelihood, so that "
        "videos are those of the source behind it; null: none, or data that were deblurred"
    )
    station_gains: StationGains | None = Field(
        description="gains besides those of `errors`, and what the likelihood makes of them; null: none, and closures"
    )


AnyMeasurement = Annotated[
    Annotated[CartesianMriSettings, Tag("[mri]")]
    | Annotated[NonCartesianMriSettings, Tag("[non_cartesian_mri]")]
    | Annotated[Vlbi, Tag("[vlbi]")]
    | Annotated[Measurement, Tag("[other]")],
    section_tag([("mri",), ("non_cartesian_mri",), ("vlbi",)], "model"),
]


class MeasurementOfDomain(Measurement):
    """A task's measurement together with what its domain says of the videos' geometry, as a stage is given it."""

    geometry: dict[str, float]

    @property
    def modules(self) -> list[str]:
        """The modules that are imported by name: the forward model's, and those of functions among the values."""
        return [forward_model_name(self.model), *modules_of_functions(self.model_dump())]


class Annealing(Section):
    """The noise levels of Algorithm 1: a rho grid of K steps from sigma_max to sigma_min, 0 in place of its end."""

    levels: Count = Field(description="K, number of noise levels (Table 2: number of steps)")
    sigma_max: Positive = Field(description="first and largest level, in units of the latent (Table 2: final time)")
    sigma_min: Positive = Field(
        description="where the grid ends, in units of the latent. As in the authors' code this point is not sampled: "
        "the last level is the one before it"
    )
    rho: Positive = Field(description="exponent of the grid")


class Ode(Section):
    """The probability-flow ODE (Eq. 4) on a rho grid."""

    solver: Literal["euler", "multistep"] = Field(
        default="euler",
        description="`euler`, the paper's, or `multistep`, of second order by the estimates of two steps: modes keep "
        "their widths in fewer steps, which cost the same",
    )
    steps: Count = Field(description="N, steps at each annealing level (Table 2: PF-ODE steps)")
    sigma_min: Positive = Field(description="noise level at which the integration ends, in units of the latent")
    rho: Positive = Field(description="exponent of the grid")


class Mcmc(Section):
    """The Markov chain at each annealing level (Eqs. 5, 6)."""

    algorithm: Literal["damped", "adapted"] = Field(
        description="`damped`: Eqs. 5, 6, whose step size must suit the problem; `adapted`: a Metropolis test at every "
        "step, and a step size that each sample finds for itself, for problems that nobody tuned"
    )
    steps: Count = Field(description="steps per annealing level (Table 2: number of steps)")
    damping: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="gamma (Table 2: scaling factor); 0 is Langevin Monte Carlo"
    )
    acceptance: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="with algorithm `adapted`: share of accepted steps that the step size is adapted to"
    )
    step_size_squared: Positive = Field(
        description="eta = h^2 at the first level (Table 2: step size square); with algorithm `adapted` only where the "
        "adaptation starts"
    )
    step_decay: Positive = Field(
        description="with algorithm `damped`: r of eta_k = eta (1 + k / (K + 1) (r - 1)); the adapted h goes on from "
        "one level to the next"
    )
    prior_score: Literal["exact", "frozen", "gaussian"] = Field(
        description="how the prior's score is obtained: along the chain (`exact`), once per annealing level "
        "(`frozen`), or from a `gaussian` around the PF-ODE's solution"
    )
    prior_score_every: Count = Field(
        description="with prior_score `exact`: steps from one evaluation of the network to the next, between which its "
        "last value serves; 1 is at every step"
    )
    prior_score_sigma: Positive = Field(
        description="noise level at which the network gives the prior's score, in units of the latent"
    )
    gaussian_width: Positive = Field(
        description="with prior_score `gaussian`: the Gaussian's standard deviation, in units of the level's sigma"
    )
    limit_step_to_sigma: bool = Field(description="whether h is kept at or below the annealing level's sigma")


class Likelihood(Section):
    """What the sampler assumes of the measurement: ``log p(y | D(z))`` and a bound on its gradient."""

    noise_level: Positive = Field(
        description="standard deviation of the errors that the likelihood assumes, of the measurement's noise and the "
        "decoder's error together: of real and imaginary part of each sample of an orthonormal FFT, in units of the "
        "video (`mri`), or a factor on the errors that the data state (`vlbi`)"
    )
    gradient_bound: Positive | None = Field(
        description="largest absolute value of each element of the gradient of ``log p(y | D(z))`` with respect to the "
        "latent, per unit of the latent; null for none"
    )


class PixelSpace(Section):
    """The annealing levels that are sampled in pixel space, by conjugate gradients and re-encoding, with no chain."""

    above_sigma: NonNegative | None = Field(
        description="levels above this sigma are sampled so, in units of the latent; null: none, the Markov chain "
        "samples all, as in the paper"
    )
    spread: Positive = Field(
        description="s: the standard deviation of the prior around the decoded PF-ODE's solution is "
        "s sigma / sqrt(1 + sigma^2), in units of the video"
    )
    iterations: Count = Field(description="iterations of conjugate gradients")


class Networks(Section):
    """How a GPU evaluates the prior's networks. A CPU evaluates them in float32, as they are."""

    precision: Literal["float32", "tensorfloat32", "bfloat16"] = Field(
        description="of the networks' weights and layers; `tensorfloat32` rounds the inputs of convolutions alone. The "
        "forward model, its gradient and the latents are float32 always"
    )
    channels_last: bool = Field(description="whether images lie in memory with their channels innermost")
    compile: bool = Field(description="whether the networks are compiled, which takes a minute before the first step")
    frames_per_chunk: Count = Field(description="what `sampler.frames_per_chunk` is on a GPU, whose memory is another")


class Sampler(Section):
    """Decoupled annealing posterior sampling (Algorithm 1)."""

    annealing: Annealing
    ode: Ode
    pixel_space: PixelSpace
    mcmc: Mcmc
    likelihood: Likelihood
    networks: Networks
    videos_per_batch: Count = Field(
        description="videos whose networks are evaluated at once; more are faster up to a point, and need more memory. "
        "Fewer are filled up to as many, so jobs of a multiple of it waste nothing. Rounding depends on it, and on no "
        "other video of the batch"
    )
    frames_per_chunk: Count = Field(
        description="frames of a video that the autoencoder sees at once, from the first decoding to the last; bounds "
        "the memory, not the result"
    )

    def on(self, device: str) -> "Sampler":
        """Return the settings as they are on a kind of `device`, "cpu" or "cuda": a GPU has chunks of its own."""
        if device == "cpu":
            return self
        return self.model_copy(update={"frames_per_chunk": self.networks.frames_per_chunk})


class TvL1(Section):
    """Dense optical flow by total variation and an L1 data term (Zach, Pock, Bischof 2007), from scikit-image."""

    attachment: Positive = Field(description="lambda: weight of the data term; smaller is smoother")
    tightness: Positive = Field(description="theta: how tightly the data term's field and the smooth one are coupled")
    warps: Count = Field(description="warps of the second frame per level of the image pyramid")
    iterations: Count = Field(description="iterations between two warps")


class OpticalFlow(Section):
    """The optical flow that noise-warping methods move their noise with."""

    source: Literal["truth", "backprojection"] = Field(
        description="the video whose motion is estimated: the measurement's `backprojection`, or the `truth`, an "
        "oracle that no real measurement has and that every table marks"
    )
    estimator: Literal["raft", "tvl1"] = Field(
        description="`raft`: RAFT (`raft_large` of torchvision), or TV-L1 where its weights cannot be obtained, as the "
        "tables then say; `tvl1`: TV-L1"
    )
    tvl1: TvL1


class Task(Section):
    """One inverse problem."""

    like: Name | None = Field(
        default=None, description="another task, whose values it has where it gives none itself; null or absent: none"
    )
    domain: Name = Field(description="the domain whose videos and priors it uses")
    measurement: AnyMeasurement
    samples: Count = Field(description="posterior samples per test video; metrics are of the first one")
    videos_per_job: Count = Field(description="test videos reconstructed by one job, in one batch")
    sampler: Sampler
    samplers: dict[ModuleName, AnySettings] = Field(
        description="settings of other samplers than `daps`, by the name that a method has for its `sampler`; the "
        "sampler's own `Settings` check them. Likelihood, networks, videos per batch and frames per chunk are those of "
        "`sampler` for all of them"
    )
    references: tuple[Reference | ModuleName, ...] = Field(
        description="reference rows of the task's table, below the methods: `zero_filled` (MRI) and `dirty` (black "
        "hole), the backprojection, and the names of classical reconstructions use the measurement alone; `static` "
        "(the truth's time average) and `vae` (the truth through the autoencoder) use the truth"
    )
    classical: ClassicalByModule = Field(
        description="settings of classical reconstructions, by the module's name: one of `step.classical`, or any "
        "importable one, with `Settings`, which check them, and `reconstruct`. Those that `references` does not name "
        "are not made"
    )
    optical_flow: OpticalFlow | None = Field(description="null where no method uses an optical flow")

    @model_validator(mode="after")
    def _references_are_known(self) -> "Task":
        known = get_args(Reference)
        for name in self.classical:
            if name in known:
                raise ValueError(f"classical has {name!r}, which another reference is called; rename the module")
        for name in self.references:
            if name not in known and name not in self.classical:
                raise ValueError(
                    f"references has {name!r}, which is none of {', '.join(known)}, and classical has no settings of "
                    "it; add them, or take one of these"
                )
        return self
