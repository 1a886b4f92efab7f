"""What is benchmarked of a study: its own tasks, at other lengths and sides too."""

from pathlib import Path

import pytest
from step.benchmark.task_costs import BenchmarkSettings, benchmark_settings, build_workload
from step.config.study import Config, load_config
from step.errors import InputError

PROJECT = Path(__file__).parents[2]
MINIATURE = PROJECT / "tests/workflow/miniature.yaml"


def settings(**changed) -> BenchmarkSettings:
    """Return the settings of the paper's benchmark at the size of the miniature, with changes."""
    values = load_config().model_dump(mode="json")
    sizes = values["benchmark"]["sizes"]
    values["benchmark"]["sizes"] = {"tiny": sizes["paper"] | {"overlays": [str(MINIATURE)]} | changed}
    return benchmark_settings(Config.model_validate(values), "tiny", "mri8")


@pytest.mark.slow
def test_a_longer_video_repeats_the_measurement():
    from step.models.untrained import untrained_prior

    workload = build_workload(settings(), 6, 16, untrained_prior)
    kspace = workload.measurement["kspace"]
    assert kspace.shape[1] == 6
    assert (kspace[:, 4:] == kspace[:, :2]).all()


@pytest.mark.slow
def test_the_size_is_a_study_of_its_own_whatever_is_laid_over_the_paper():
    chosen = benchmark_settings(load_config(MINIATURE), "paper", "mri8")
    assert (chosen.frames, chosen.resolution, chosen.sampler.annealing.levels) == (12, 192, 20)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"overlays": ["config/nothing.yaml"]}, ["benchmark.sizes.tiny.overlays", "config/nothing.yaml", "existing"]),
        ({"overlays": [str(PROJECT / "README.md")]}, ["benchmark.sizes.tiny.overlays", "README.md"]),
    ],
    ids=["missing", "no configuration"],
)
def test_an_overlay_that_cannot_be_used_is_one_line(changed, words):
    with pytest.raises(InputError) as error:
        settings(**changed)
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words)


@pytest.mark.slow
def test_a_side_that_the_networks_cannot_halve_is_refused():
    from step.models.untrained import untrained_prior

    with pytest.raises(InputError, match=r"scaling\.sides has 20; give multiples of 8"):
        build_workload(settings(), 2, 20, untrained_prior)
