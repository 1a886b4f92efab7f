"""The points of an ablation: what of the study each shares, and what is made for it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from step.cli.stages import open_stage
from step.config.points import Point, label_of, point_arguments, points_of, study_arguments
from step.config.sections import Section
from step.config.study import BASE_CONFIG, load_config
from step.errors import InputError

MINIATURE = Path(__file__).parents[1] / "workflow/miniature.yaml"
RESULTS = Path("results/miniature")
AXES = {
    "epochs": {"key": "epoch", "values": [0, 1]},
    "steps": {"key": "tasks.blackhole.sampler.mcmc.steps", "values": [1, 2]},
    "videos": {"key": "data.blackhole.videos", "values": [3, 4]},
    "p_joint": {"key": "priors.blackhole.joint.p_joint", "values": [0.2, 0.8]},
    "seeds": {"key": "priors.blackhole.joint.seed", "values": [0, 1]},
    "scores": {"key": "tasks.blackhole.sampler.mcmc.prior_score", "values": ["exact", "frozen"]},
}
OWN = RESULTS / "blackhole"


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> dict[str, dict[str, Point]]:
    """The points of each axis, of which the last is the study's own where there is one."""
    file = tmp_path_factory.mktemp("axes") / "axes.yaml"
    axis = {"task": "blackhole", "method": "step_joint", "videos": 2}
    file.write_text(yaml.safe_dump({"ablations": {name: axis | chosen for name, chosen in AXES.items()}}))
    study = load_config(BASE_CONFIG, MINIATURE, file)
    return {name: points_of(study, name, select_of) for name in AXES}


def select_of(stage: str) -> Callable[..., Section]:
    return open_stage(stage).module.select


def made_for(point: Point) -> list[Path]:
    """Return the files of a point that are its own, and not the study's."""
    files = [point.index, point.prior, *point.samples]
    return [file for file in files if not file.is_relative_to(OWN)]


def test_a_setting_of_the_sampler_changes_the_samples_alone(points):
    assert made_for(points["steps"]["00"]) == [RESULTS / "ablations/steps/00/samples/000.h5"]


def test_a_setting_of_the_training_trains_a_prior_on_the_study_s_own_split(points):
    folder = RESULTS / "ablations/p_joint/00"
    assert made_for(points["p_joint"]["00"]) == [folder / "prior", folder / "samples/000.h5"]


def test_a_number_of_training_videos_splits_trains_and_samples(points):
    folder = RESULTS / "ablations/videos/00"
    assert made_for(points["videos"]["00"]) == [folder / "index.csv", folder / "prior", folder / "samples/000.h5"]


def test_an_earlier_epoch_is_kept_by_the_study_s_own_training(points):
    first, last = points["epochs"].values()
    assert made_for(first) == [RESULTS / "ablations/epochs/00/samples/000.h5"]
    assert (first.epoch, last.epoch) == ("epochs/0", "")


@pytest.mark.parametrize(("axis", "name"), [("epochs", "01"), ("steps", "01"), ("videos", "01"), ("p_joint", "01")])
def test_the_study_s_own_value_makes_nothing_again(points, axis, name):
    assert points[axis][name].is_study
    assert made_for(points[axis][name]) == []
    assert study_arguments(points[axis].values()) == ["--study", label_of(AXES[axis]["values"][1])]


def test_an_axis_without_the_study_s_own_value_says_nothing_of_it(points):
    assert study_arguments([points["steps"]["00"]]) == []


def test_numbers_are_places_on_an_axis_and_words_and_seeds_are_names(points):
    files = [Path("a.csv"), Path("b.csv")]
    assert point_arguments(points["steps"].values(), files) == [("1", 1, files[0]), ("2", 2, files[1])]
    assert point_arguments(points["seeds"].values(), files) == [("0", "-", files[0]), ("1", "-", files[1])]
    assert point_arguments(points["scores"].values(), files) == [("exact", "-", files[0]), ("frozen", "-", files[1])]
    assert [label_of(value) for value in (0.50, True, "exact")] == ["0.5", "True", "exact"]


def test_a_value_that_the_key_cannot_have_is_an_error_of_the_point(points):
    point = replace(points["steps"]["00"], name="02", value=-1)
    with pytest.raises(InputError, match=r"steps"):
        _ = point.index


def pretrained(point: Point) -> Point:
    """Return the same point of a study whose prior is pretrained."""
    own = point.study.priors["blackhole"].model_copy(update={"pretrained": "priors/holes"})
    study = point.study.model_copy(update={"priors": point.study.priors | {"blackhole": own}})
    return replace(point, study=study)


@pytest.mark.parametrize("axis", ["epochs", "videos", "p_joint", "seeds"])
def test_what_a_pretrained_prior_would_have_to_be_trained_for_is_refused_in_one_line(points, axis):
    point = pretrained(points[axis]["00" if axis != "seeds" else "01"])
    says = f"ablations.{axis} needs a training, and priors.blackhole.pretrained is 'priors/holes'; leave it out of tar"
    with pytest.raises(InputError, match=says):
        point.prior  # noqa: B018


def test_a_pretrained_prior_serves_every_setting_of_the_sampler(points):
    assert pretrained(points["steps"]["00"]).prior == OWN / "priors/joint"
