"""Simulate the measurements of a task's held-out videos."""

import argparse
import logging
from pathlib import Path

from step.config.sections import Name, Section
from step.config.settings import modules_of_measurement
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain
from step.errors import InputError

log = logging.getLogger(__name__)


class MeasurementSettings(Section):
    """What decides the simulated measurements."""

    seed: int
    task: Name
    measurement: MeasurementOfDomain


Settings = MeasurementSettings


def select(config: Config, task: str) -> MeasurementSettings:
    """Return the settings of a task's measurements."""
    return MeasurementSettings(seed=config.seed, task=task, measurement=config.measurement_of(task))


modules = modules_of_measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's files to `parser`."""
    parser.add_argument("--index", type=Path, required=True, help="index.csv of the domain's videos")
    parser.add_argument("--videos", nargs="+", required=True, help="names of held-out videos, e.g. video000")
    parser.add_argument("--output", type=Path, required=True, help="folder of the measurements, VIDEO.h5 each")
    parser.add_argument("--truths", type=Path, required=True, help="folder of the true videos, VIDEO.h5 each")


def run(arguments: argparse.Namespace, settings: MeasurementSettings) -> None:
    """Write two files per video: its measurement, and apart from it the truth."""
    import numpy as np
    import torch

    from step.io.reconstructions import write_measurement
    from step.io.truths import write_truth
    from step.io.videos import VideoStore
    from step.physics.forward_models import build_forward_model
    from step.progress import track
    from step.seeds import derive_seed

    store = VideoStore(arguments.index)
    for name in track(arguments.videos, "measuring", "video"):
        truth = np.array(store.named(name))
        forward_model = build_forward_model(settings.measurement, truth.shape)
        generator = torch.Generator().manual_seed(derive_seed(settings.seed, settings.task, name, "measurement"))
        measurement = forward_model.measure(torch.from_numpy(truth)[None], generator)
        arrays = {key: tensor[0].numpy() for key, tensor in measurement.items()}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise InputError(f"the measurement of {name} is not finite; check its video in {arguments.index}")
        attributes = {
            "task": settings.task,
            "video": name,
            "measurement": settings.measurement.model_dump_json(),
        }
        write_measurement(arguments.output / f"{name}.h5", arrays, attributes)
        write_truth(arguments.truths / f"{name}.h5", truth, {"video": name})
    log.info("wrote %d measurements to %s", len(arguments.videos), arguments.output)
