"""The priors that are committed: whole, of float16, and small enough to be cloned by everybody."""

import shutil

import pytest
from safetensors import safe_open
from step.errors import InputError
from step.io.model_folders import WEIGHTS
from step.io.prior_folders import networks_of_prior, read_prior_facts, verify_prior
from step.plugins import LIBRARY

PRIORS = sorted(path.parent for path in (LIBRARY.parents[1] / "resources/priors").glob("*/prior.json"))
LARGEST = 25e6  # bytes, of all of them together

of_each = pytest.mark.parametrize("prior", PRIORS, ids=lambda path: path.name)


@of_each
def test_a_shipped_prior_is_whole_and_nothing_else_lies_in_its_folder(prior):
    verify_prior(prior)
    assert read_prior_facts(prior).domain == prior.name
    files = {file.relative_to(prior).as_posix() for file in prior.rglob("*") if file.is_file()}
    networks = networks_of_prior(prior)
    assert {file for file in files if file.split("/")[0] not in networks} == {"prior.json", "README.md"}
    assert not [file for file in files if file.endswith((".pt", ".pth", ".bin", ".pkl", ".py"))]


@of_each
def test_its_weights_are_float16(prior):
    for name in networks_of_prior(prior):
        with safe_open(prior / name / WEIGHTS, "np") as file:
            assert {file.get_slice(key).get_dtype() for key in file.keys()} == {"F16"}  # noqa: SIM118


@pytest.mark.slow
@of_each
def test_each_of_its_denoisers_loads(prior):
    from step.models.prior import load_prior_folder

    autoencoder, *denoisers = networks_of_prior(prior)
    assert autoencoder == "autoencoder"
    for name in denoisers:
        assert load_prior_folder(prior, name, "unet").shape == read_prior_facts(prior).shape


@pytest.mark.slow
@of_each
def test_one_changed_byte_is_refused_in_one_line(prior, tmp_path):
    for name in networks_of_prior(prior):
        copy = shutil.copytree(prior, tmp_path / name)
        content = bytearray((copy / name / WEIGHTS).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name / WEIGHTS).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}/{WEIGHTS} is not the file that prior.json has") as caught:
            verify_prior(copy)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not PRIORS, reason="no prior is shipped")
def test_together_they_are_small():
    sizes = [file.stat().st_size for prior in PRIORS for file in prior.rglob("*") if file.is_file()]
    assert sum(sizes) <= LARGEST
