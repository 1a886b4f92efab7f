"""The `benchmark` section: what the sampler costs, at several sizes, with networks that nobody has trained."""

from pathlib import Path

from pydantic import Field

from step.config.sections import Count, Name, Section


class Scaling(Section):
    """Sizes at which one gradient of decoder and likelihood, or the sampler, is measured besides the size's own."""

    frames: dict[Name, tuple[Count, ...]] = Field(
        description="for each task, lengths of the video, whose gradient's time and peak memory are measured; the "
        "measurement is repeated where it is shorter"
    )
    sides: dict[Name, tuple[Count, ...]] = Field(
        description="for each task, resolutions, for which the same is measured; multiples of what its networks need"
    )
    samples: tuple[Count, ...] = Field(description="numbers of samples taken together")
    levels: tuple[Count, ...] = Field(description="numbers of annealing levels")


class BenchmarkSize(Section):
    """One size: the study that has it, and how much of its sampling is run; the rest is extrapolated, and marked."""

    overlays: tuple[Path, ...] = Field(
        description="configuration files overlaid on config/config.yaml, in their order; none is the paper's study"
    )
    samples: Count = Field(description="samples taken together; free places of the batches are filled up")
    levels: Count | None = Field(description="annealing levels that are run; null for all")
    steps: Count | None = Field(
        description="steps of the Markov chain that are run per level, and as large a share of the PF-ODE's; null for "
        "all"
    )
    frames: dict[Name, Count] = Field(
        description="for each task, frames of the video, from the first on, that are sampled; all for a task that is "
        "not named"
    )
    repeats: Count = Field(
        description="runs of everything that is timed, in turn; the fastest counts, of a ratio the median"
    )
    scaling: Scaling


class Benchmark(Section):
    """What the sampler costs, in time and memory: `snakemake benchmark`. Networks are untrained, the video is noise."""

    tasks: tuple[Name, ...] = Field(description="tasks whose sampling is measured")
    method: Name = Field(description="the method, whose noise needs no optical flow")
    sizes: dict[Name, BenchmarkSize] = Field(description="the sizes; each is a study of its own, whatever is run else")
