"""What a reader wants of a study: the files that each target of the workflow makes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from step.config.files import StudyFiles
from step.config.study import Config
from step.config.tasks import CartesianMriSettings, NonCartesianMriSettings

# What there is to see of a measurement itself, by its model.
PICTURES_OF_MODEL = {"vlbi": ["figures/coverage.png", "figures/dirty.png"]}
PICTURES_OF_TASKS = {"mri": ["masks.png"]}  # of all tasks of a domain together
PICTURES_OF_OBSERVED_MODEL = {"vlbi": ["coverage.png", "fit.png"]}

WEIGHTED = "weighted"
"""The sampler whose weights have a picture of how they came."""

FIGURES_OF_PAPER = {
    "figure1": ["modes"],
    "figure5": ["methods"],
    "figure7": ["deltas", "priors"],
    "figure8": ["dirty"],
    "figure9": ["masks"],
    "figure10": ["autoencoder"],
    "figure11": ["generated"],
    "figure12": ["samples"],
}
"""The names of the pictures that are a figure of the paper, by its number."""


@dataclass(frozen=True)
class Targets:
    """The results of the study whose files are `files`."""

    files: StudyFiles
    own_figures: Callable[[str], list[Path]] = lambda task: []
    """Returns the files of a task's figures that are not the library's."""

    @property
    def config(self) -> Config:
        """The study."""
        return self.files.config

    @property
    def results(self) -> Path:
        """The folder of all results."""
        return self.files.results

    def tour_results(self) -> list[Path]:
        """Return what the tour shows of its tasks: table, pictures, videos."""
        chosen = self.config.targets.tour
        names = ["tour/animation.webp", "tour/metrics.csv", "tour/comparison.png", "tour/comparison.mp4"]
        names += [f"videos/{method}.mp4" for method in chosen.methods]
        return [
            self.results / task / name
            for task in chosen.tasks
            for name in [*names, *self._pictures_of_measurement(task)]
        ]

    def front_page(self, target: str) -> dict[str, list[tuple[str, Path]]]:
        """Return what the report of the `target`, tour or study, opens with: tasks and their files, by option."""
        tour = target == "tour"
        tasks = self.config.targets.tasks_of(target)
        names = {
            "--animation": "tour/animation.webp",
            "--table": "tour/metrics.csv" if tour else "metrics.csv",
            "--comparison": "tour/comparison.png" if tour else "figures/comparison.png",
        }
        return {option: [(task, self.results / task / name) for task in tasks] for option, name in names.items()}

    def task_results(self, tasks: Iterable[str]) -> list[Path]:
        """Return what a reader wants of some tasks: table, pictures, videos, of all methods."""
        tasks, methods = list(tasks), self.config.methods
        names = [
            "tour/animation.webp",
            "metrics.csv",
            "figures/comparison.png",
            "figures/methods.png",
            "figures/deltas.png",
        ]
        names += [f"videos/{name}.mp4" for name in ["comparison", *methods]]
        if self.files.video_methods:
            names.append("figures/priors.png")
        if any(method.uses_optical_flow for method in methods.values()):
            names.append("figures/optical_flow.png")
        files = [
            self.results / task / name for task in tasks for name in [*names, *self._pictures_of_measurement(task)]
        ]
        encoded = [task for task in tasks if "vae" in self.config.tasks[task].references]
        files += [self.results / task / "figures/autoencoder.png" for task in encoded]
        files += [file for task in tasks for file in self.own_figures(task)]
        calibrated = [task for task in tasks if task in self.config.calibration.tasks]
        of_calibrated = ["figures/calibration.png", "figures/quantities.png"]
        return files + [self.results / task / name for task in calibrated for name in of_calibrated]

    def study_results(self) -> list[Path]:
        """Return what a reader wants of the whole study."""
        tasks = self.config.targets.all
        results = [*self.task_results(tasks), *self.study_tables(), *self.domain_results(tasks)]
        results += self.posterior_results(name for name, one in self.config.posteriors.items() if one.task in tasks)
        results += self.ablation_results(self.config.targets.ablations)
        return [*results, *self.observation_results(self.config.observations)]

    def study_tables(self) -> list[Path]:
        """Return the tables of the whole study."""
        return [self.results / "tables" / f"{name}.md" for name in ["table2", "table3", *self.config.tables]]

    def posterior_results(self, posteriors: Iterable[str]) -> list[Path]:
        """Return what a reader wants of many samples of one measurement: modes, spread, samples, quantities."""
        names = ["chi_squares.csv", "table5.md", "modes.png", "samples.png", "uncertainty.png", "quantities.png"]
        return [
            self.results / "posteriors" / posterior / name
            for posterior in posteriors
            for name in [*names, *self._pictures_of_weights(self.config.posteriors[posterior].method)]
        ]

    def ablation_results(self, ablations: Iterable[str]) -> list[Path]:
        """Return the curve of each of some ablations."""
        return [self.results / "ablations" / ablation / "curve.png" for ablation in ablations]

    def possible_ablations(self) -> list[str]:
        """Return the ablations that can be made: where a domain's prior is pretrained, those that need no training."""
        return [
            name
            for name, axis in self.config.ablations.items()
            if axis.key.startswith("tasks.") or self.config.priors[self.files.domain_of(axis.task)].pretrained is None
        ]

    def tuning_results(self, tasks: Iterable[str]) -> list[Path]:
        """Return the tuned settings of some tasks, of sampler and classical rows, and what was tried."""
        folders = [
            self.results / task / "tuning" / row
            for task in tasks
            for row in ["", *(row for row in self.config.tasks[task].references if row in self.config.tuning.classical)]
        ]
        representation = [self.results / task / "tuning/representation.yaml" for task in tasks]
        return [*(folder / name for folder in folders for name in ["tuned.yaml", "trials.png"]), *representation]

    def domain_results(self, tasks: Iterable[str]) -> list[Path]:
        """Return the pictures of the domains that some tasks belong to: losses of their priors, masks."""
        networks = ["autoencoder", *self.files.priors]
        pictures = [*(f"losses-{network}.png" for network in networks), "generated.png"]
        domains = sorted(set(map(self.files.domain_of, tasks)))
        names = {domain: [*self._pictures_of_tasks(domain), *pictures] for domain in domains}
        return [self.results / domain / "figures" / name for domain in domains for name in names[domain]]

    def observation_results(self, observations: Iterable[str]) -> list[Path]:
        """Return what a reader wants of measured data: chi-squares, picture, video, files of the field's formats."""
        names = [
            "chi_squares.csv",
            "posterior.png",
            "posterior.mp4",
            "modes.csv",
            "modes.png",
            "quantities.png",
            "export",
        ]
        return [
            self.results / "observations" / observation / name
            for observation in observations
            for name in [
                *names,
                *PICTURES_OF_OBSERVED_MODEL.get(self._observed_model(observation), []),
                *self._pictures_of_weights(self.config.observations[observation].method),
            ]
        ]

    def paper_figures(self) -> dict[str, list[Path]]:
        """Return the pictures of the study by the number of the paper's figure."""
        tasks = self.config.targets.all
        results = [*self.task_results(tasks), *self.domain_results(tasks)]
        results += self.posterior_results(self.config.posteriors)
        figures = {
            figure: [file for file in results if file.stem in names] for figure, names in FIGURES_OF_PAPER.items()
        }
        curves = self.ablation_results(self.config.targets.ablations)
        return figures | {"figure7": [*figures["figure7"], *curves]}

    def _pictures_of_measurement(self, task: str) -> list[str]:
        measurement = self.config.tasks[task].measurement
        pictures = PICTURES_OF_MODEL.get(measurement.model, [])
        off_the_grid = isinstance(measurement, NonCartesianMriSettings)
        if off_the_grid or (
            isinstance(measurement, CartesianMriSettings)
            and (measurement.coils is not None or measurement.pattern.kind != "equispaced")
        ):
            return [*pictures, "figures/sampling.png"]
        return pictures

    def _pictures_of_tasks(self, domain: str) -> list[str]:
        tasks = [task for task in self.config.tasks.values() if task.domain == domain]
        models = dict.fromkeys(task.measurement.model for task in tasks)
        return [name for model in models for name in PICTURES_OF_TASKS.get(model, [])]

    def _pictures_of_weights(self, method: str) -> list[str]:
        return ["weighting.png"] if self.config.methods[method].sampler == WEIGHTED else []

    def _observed_model(self, observation: str) -> str:
        return self.config.tasks[self.config.observations[observation].task].measurement.model
