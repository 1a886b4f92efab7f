"""Settings and folders that the tests of ingestion share."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from step.domains.mri.ingest import Settings as Ingestion
from step.domains.mri.phantom.settings import PatientSimulation


@pytest.fixture
def full_sample(tmp_path: Path) -> Path:
    """The folder of fully sampled single-coil files under a root ``tmp_path / "raw"``."""
    return tmp_path / "raw/ChallengeData/SingleCoil/Cine/TrainingSet/FullSample"


@pytest.fixture
def ingestion() -> Ingestion:
    return Ingestion(layout="cmrxrecon", exclude=(), views=("sax", "lax"), frames=12, phase=None)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What the library logs, also after a command of this process has turned its log to the terminal."""
    monkeypatch.setattr(logging.getLogger("step"), "propagate", True)
    caplog.set_level("INFO", "step")
    return caplog


@pytest.fixture
def simulation() -> Callable[..., PatientSimulation]:
    def make(**changes: object) -> PatientSimulation:
        values = {
            "seed": 0,
            "frames": 12,
            "short_axis_slices": 2,
            "long_axis_slices": 1,
            "matrix_sizes": ((42, 56),),
            "pixel_mm": 4.0,
            "coils": "single",
            "noise": 0.0,
        }
        return PatientSimulation(**{**values, **changes})

    return make
