"""From the `measurement` section of a task to the forward model that it names."""

import importlib
from collections.abc import Mapping
from types import ModuleType

import numpy as np
import torch

from step.config.sections import Section
from step.config.study import check_section
from step.config.tasks import MeasurementOfDomain
from step.contracts import ForwardModel, OutsideModel, SeveralLayouts
from step.errors import InputError
from step.plugins import forward_model_name
from step.progress import track


def build_forward_model(
    measurement: MeasurementOfDomain, shape: tuple[int, int, int, int], noise_level: float | None = None
) -> ForwardModel:
    """Return the forward model that `measurement` describes, for videos of `shape` (time, channel, y, x).

    `noise_level` is what the likelihood assumes, if not the measurement's own. The module that
    ``measurement.model`` names offers `Settings`, a pydantic model of the section, and
    ``build(settings, shape, noise_level)``.
    """
    module, settings = open_measurement(measurement)
    return module.build(settings, shape, noise_level)


def open_measurement(measurement: MeasurementOfDomain) -> tuple[ModuleType, Section]:
    """Return the module that `measurement` names, and the values of its `Settings`, checked.

    Those of the domain's facts that `Settings` has a field for, such as `field_of_view_uas`, are among them. Raises
    `InputError` where there is no such module, or a value is not one that it takes.
    """
    module = importlib.import_module(forward_model_name(measurement.model))
    values = measurement.model_dump()
    facts = values.pop("geometry")
    values |= {name: value for name, value in facts.items() if name in module.Settings.model_fields}
    return module, check_section(module.Settings, values, f"measurement of model {measurement.model}")


def check_measurement(
    measurement: Mapping[str, torch.Tensor],
    forward_model: ForwardModel,
    shape: tuple[int, int, int, int],
    source: object,
) -> None:
    """Raise `InputError`, naming `source`, unless `measurement` is laid out as `forward_model` measures.

    Videos have the given `shape` (time, channel, y, x); the measurement is a batch.
    """
    found = {name: tuple(tensor.shape[1:]) for name, tensor in sorted(measurement.items())}
    layouts = forward_model.layouts if isinstance(forward_model, SeveralLayouts) else [forward_model.layout]
    wanted = [{name: (shape[0], *axes) for name, axes in sorted(layout.items())} for layout in layouts]
    if not any(_all_fit(found, layout) for layout in wanted):
        # The layout that has the same arrays tells more of what is wrong; that of simulated measurements is the first.
        nearest = next((layout for layout in wanted if layout.keys() == found.keys()), wanted[0])
        raise InputError(f"{source} holds {_in_words(found)}, the task measures {_in_words(nearest)}; measure it again")


def fit_to_data(
    videos: np.ndarray, arrays: dict[str, np.ndarray], measurement: MeasurementOfDomain, source: object
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the data misfit (video,), as the paper reports it, and the chi-squares (video,) by kind of data.

    `videos` are (video, time, channel, y, x), `arrays` what one of them is measured as, with leading axis time; the
    errors are those that the measurement itself states. Raises `InputError`, naming `source`, as `check_measurement`.
    """
    shape = videos.shape[1:]
    forward_model = build_forward_model(measurement, shape)
    measured = to_tensors(arrays)
    check_measurement(measured, forward_model, shape, source)
    one_by_one = [torch.from_numpy(video)[None] for video in videos]
    misfits, found = np.empty(len(videos)), []
    for number, video in enumerate(track(one_by_one, "fit to the data", "video", is_item=False)):
        misfits[number] = forward_model.misfit(video, measured).item()
        found.append(forward_model.chi_squares(video, measured))
    return misfits, {name: np.array([each[name].item() for each in found]) for name in found[0]}


def energy_outside(
    videos: np.ndarray, arrays: dict[str, np.ndarray], measurement: MeasurementOfDomain
) -> np.ndarray | None:
    """Return the share (video,) of the data's energy that comes from outside the frame, given each of `videos`.

    Arguments are those of `fit_to_data`. It is None where nothing is outside.
    """
    forward_model = build_forward_model(measurement, videos.shape[1:])
    if not isinstance(forward_model, OutsideModel):
        return None
    measured = to_tensors(arrays)
    shares = [forward_model.outside_energy(torch.from_numpy(video)[None], measured).item() for video in videos]
    return np.array(shares) if any(shares) else None


def to_tensors(measurement: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return one video's measurement (arrays with leading axis time) as tensors with a batch axis of one."""
    return {name: torch.from_numpy(array)[None] for name, array in measurement.items()}


def _all_fit(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int | None, ...]]) -> bool:
    return found.keys() == wanted.keys() and all(_fits(found[name], wanted[name]) for name in found)


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(b in (None, a) for a, b in zip(found, wanted, strict=True))


def _in_words(shapes: Mapping[str, tuple[int | None, ...]]) -> str:
    axes = {name: " x ".join("any" if n is None else str(n) for n in shape) for name, shape in shapes.items()}
    return ", ".join(f"{name} ({shape})" for name, shape in axes.items()) or "nothing"
