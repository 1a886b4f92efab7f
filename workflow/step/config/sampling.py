"""What decides the posterior samples of a task's videos by one method: cut from several sections."""

from step.config.methods import OURS, Method
from step.config.sections import AnySettings, ModuleName, Name, Section
from step.config.study import Config
from step.config.tasks import MeasurementOfDomain, Sampler
from step.errors import InputError
from step.plugins import architecture_name, noise_source_name, sampler_name


class SampleSettings(Section):
    """What decides the samples."""

    seed: int
    task: Name
    domain: Name
    architecture: ModuleName  # of the prior's denoiser
    method: Method
    measurement: MeasurementOfDomain
    sampler: Sampler
    own: AnySettings | None  # of a sampler that is not ours

    @property
    def modules(self) -> list[str]:
        """The modules that sampling imports by name: of forward model, denoiser, noise and sampler."""
        return [
            *self.measurement.modules,
            architecture_name(self.architecture),
            noise_source_name(self.method.noise.source),
            sampler_name(self.method.sampler),
        ]


def sample_settings(config: Config, task: str, method: str) -> SampleSettings:
    """Return the settings of one task's samples by one method; raises `InputError` where its sampler has none."""
    section = config.tasks[task]
    return SampleSettings(
        seed=config.seed,
        task=task,
        domain=section.domain,
        architecture=config.priors[section.domain].architecture,
        method=config.methods[method],
        measurement=config.measurement_of(task),
        sampler=section.sampler,
        own=settings_of_sampler(config, task, method),
    )


def settings_of_sampler(config: Config, task: str, method: str) -> AnySettings | None:
    """Return what `task` says of the sampler of `method`, None for ours; raises `InputError` where it says nothing."""
    name, samplers = config.methods[method].sampler, config.tasks[task].samplers
    if name == OURS:
        return None
    if name not in samplers:
        raise InputError(
            f"tasks.{task}.samplers has no settings of {name!r}, the sampler of methods.{method}; add them, or {{}} if "
            "there are none"
        )
    return samplers[name]
