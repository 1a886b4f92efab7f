"""Files that the configuration names for modules of any kind: jobs that use such a module depend on them.

A section of the library says itself which of its values are paths. That of a module from elsewhere is open, its values
are text until the module's own `Settings` have checked them.
"""

from pathlib import Path

from step.config.sampling import settings_of_sampler
from step.config.sections import OpenSection, paths_in
from step.config.study import Config


def files_of_measurement(config: Config, task: str) -> list[Path]:
    """Return the files that the measurement of `task` is described in, such as the table of an array's stations."""
    measurement = config.tasks[task].measurement
    if isinstance(measurement, OpenSection):
        from step.physics.forward_models import open_measurement

        _, opened = open_measurement(config.measurement_of(task))
        return paths_in(opened)
    return paths_in(measurement)


def files_of_sampling(config: Config, task: str, method: str) -> list[Path]:
    """Return the files that the samples of `task` by `method` depend on: of the measurement, the noise, the sampler."""
    return files_of_measurement(config, task) + files_of_method(config, task, method)


def files_of_method(config: Config, task: str, method: str) -> list[Path]:
    """Return the files that the noise and the sampler of `method` in `task` are described in."""
    noise = config.methods[method].noise
    if isinstance(noise, OpenSection):
        from step.sampling.noise.sources import open_noise

        _, opened = open_noise(noise)
        return paths_in(opened) + _files_of_sampler(config, task, method)
    return paths_in(noise) + _files_of_sampler(config, task, method)


def _files_of_sampler(config: Config, task: str, method: str) -> list[Path]:
    own = settings_of_sampler(config, task, method)
    if own is None:
        return []
    from step.sampling.samplers import open_sampler

    _, settings = open_sampler(config.methods[method].sampler, own)
    return paths_in(settings)
