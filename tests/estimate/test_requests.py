"""What sampling jobs ask a cluster for."""

import pytest
from step.config.study import BASE_CONFIG, Config, load_config
from step.estimate.requests import SLOWER, START_MIN, UNMEASURED_MIN, sampling_minutes
from step.estimate.unit_costs import read_unit_costs

BLACK_HOLE_S = 389.0
"""One sample on the GPU that was measured."""


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(BASE_CONFIG)


def with_samples(config: Config, **values: int) -> Config:
    """Return `config` with other numbers of samples of the black hole and of the calibration."""
    study = config.model_dump(mode="json")
    study["tasks"]["blackhole"] |= {key: value for key, value in values.items() if key != "calibration"}
    study["calibration"]["samples"] = values.get("calibration", study["calibration"]["samples"])
    return Config.model_validate(study)


SHARD = {"task": "blackhole", "method": "step_joint", "shard": "000"}


@pytest.mark.parametrize(
    ("wildcards", "values", "n_samples"),
    [
        (SHARD, {}, 1),
        (SHARD, {"videos_per_job": 5}, 5),
        (SHARD, {"calibration": 9}, 8),
        ({"posterior": "ring", "shard": "000"}, {}, 10),
        ({"ablation": "epochs", "point": "00", "shard": "000"}, {}, 1),
    ],
    ids=["a sample", "of five videos", "eight more for the calibration", "ten of a posterior", "of an ablation"],
)
def test_the_time_grows_with_the_samples_of_the_job(config, wildcards, values, n_samples):
    minutes = sampling_minutes(with_samples(config, **values), wildcards, read_unit_costs())
    assert minutes == pytest.approx(START_MIN + n_samples * SLOWER * BLACK_HOLE_S / 60, rel=0.02)


def test_without_a_measured_gpu_it_is_one_time_for_all(config):
    costs = [cost for cost in read_unit_costs() if cost.machine == "cpu"]
    studies = (config, with_samples(config, videos_per_job=5))
    assert {sampling_minutes(study, SHARD, costs) for study in studies} == {UNMEASURED_MIN}
