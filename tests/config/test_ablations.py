import pytest
from step.cli import split, train
from step.config.ablations import with_value
from step.config.plan import sample_ranges
from step.config.study import load_config, varied
from step.errors import InputError

AXIS = {"task": "blackhole", "method": "step_joint", "videos": 2}


def study(tmp_path, **axis):
    import yaml

    file = tmp_path / "axis.yaml"
    file.write_text(yaml.safe_dump({"ablations": {"axis": AXIS | axis}}))
    return load_config("config/demo.yaml", file)


def test_a_value_takes_its_place_under_a_dotted_key_and_nothing_else_changes():
    before = {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
    assert with_value(before, "a.b.c", 9) == {"a": {"b": {"c": 9, "d": 2}}, "e": 3}
    assert before["a"]["b"]["c"] == 1
    with pytest.raises(KeyError, match="x"):
        with_value(before, "a.x.c", 9)


@pytest.mark.slow
def test_a_varied_study_differs_in_the_one_value(tmp_path):
    own = load_config("config/demo.yaml").tasks["blackhole"].sampler.mcmc.steps
    config = study(tmp_path, key="tasks.blackhole.sampler.mcmc.steps", values=[3, own])
    changed = varied(config, "axis", 3)
    assert changed.tasks["blackhole"].sampler.mcmc.steps == 3
    assert changed.tasks["mri8"] == config.tasks["mri8"]
    assert changed.priors == config.priors
    assert varied(config, "axis", own).tasks == config.tasks


@pytest.mark.slow
@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ({"key": "tasks.mri8.sampler.mcmc.steps", "values": [3]}, "it may be epoch or begin with"),
        ({"key": "priors.blackhole.autoencoder.latent_channels", "values": [3]}, "it may be epoch or begin with"),
        ({"key": "epoch", "values": [5], "method": "magic"}, "magic"),
    ],
)
def test_an_axis_that_cannot_be_is_refused_before_anything_runs(tmp_path, axis, words):
    with pytest.raises(InputError, match=words):
        study(tmp_path, **axis)


def test_a_value_out_of_range_is_one_line_that_names_the_axis(tmp_path):
    config = study(tmp_path, key="tasks.blackhole.sampler.mcmc.damping", values=[1.5])
    with pytest.raises(InputError, match=r"damping.*ablations\.axis, value 1\.5"):
        varied(config, "axis", 1.5)


def test_an_epoch_that_is_not_kept_is_one_line_that_says_which_are(tmp_path):
    config = study(tmp_path, key="epoch", values=[7])
    joint = config.priors["blackhole"].joint
    last = joint.optimisation.epochs
    kept = ", ".join(f"{epoch:g}" for epoch in (*joint.kept_epochs, last))
    with pytest.raises(InputError, match=rf"has epoch 7; of priors\.blackhole\.joint there are {kept}: add it"):
        varied(config, "axis", 7)
    assert varied(config, "axis", last) == config


def test_a_key_that_is_not_there_is_one_line(tmp_path):
    config = study(tmp_path, key="tasks.blackhole.sampler.mcmc.stepps", values=[1])
    with pytest.raises(InputError, match="no 'stepps' there"):
        varied(config, "axis", 1)


def test_samples_are_dealt_out_in_order_without_gaps():
    assert sample_ranges(range(5), 2) == {"000": (0, 2), "001": (2, 4), "002": (4, 5)}
    assert sample_ranges(range(1, 7), 10) == {"000": (1, 7)}


@pytest.mark.slow
def test_a_training_has_the_studys_seed_unless_it_has_its_own_and_data_keep_the_studys(tmp_path):
    config = study(tmp_path, key="priors.blackhole.joint.seed", values=[0, 1])
    own, same, other = (
        train.select(c, "blackhole", "joint") for c in (config, *(varied(config, "axis", n) for n in (0, 1)))
    )
    assert own == same
    assert (own.training_seed, other.training_seed) == (0, 1)
    assert (own.seed, other.seed) == (0, 0)
    image = [train.select(c, "blackhole", "image") for c in (config, varied(config, "axis", 1))]
    assert image[0] == image[1]
    assert image[0].training_seed == 0
    assert split.select(varied(config, "axis", 1), "blackhole") == split.select(config, "blackhole")


@pytest.mark.slow
def test_an_axis_of_seeds_is_one_of_replicates(tmp_path):
    assert study(tmp_path, key="priors.blackhole.joint.seed", values=[0, 1]).ablations["axis"].of_seeds
    assert not study(tmp_path, key="priors.blackhole.joint.p_joint", values=[0.5]).ablations["axis"].of_seeds
