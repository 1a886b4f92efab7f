"""What documents show of forward models: programs and examples run, and the instrument is the blur that it says."""

import doctest
import sys

import pytest
import torch
import yaml
from documented_code import FORWARD_MODELS, blocks, module
from step.config.tasks import MeasurementOfDomain
from step.contracts import ForwardModel, LeastSquaresModel
from step.physics import deepinv_operator
from step.physics.deepinv_operator import DeepinvOperator
from step.physics.forward_models import build_forward_model

SHAPE = (3, 2, 16, 12)


@pytest.fixture
def deblurring(tmp_path, monkeypatch):
    """Return the document's instrument, as its entry of the configuration builds it."""
    (tmp_path / "deblurring.py").write_text(module(FORWARD_MODELS, "deblurring.py"))
    (tmp_path / "lens.py").write_text(module(FORWARD_MODELS, "lens.py"))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("deblurring", "lens"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return build_forward_model(entry(0)["tasks"]["deblurring"], SHAPE)


def entry(number: int) -> dict:
    """Return the document's configuration, measurements as stages are given them."""

    def of_stage(values: object) -> object:
        if not isinstance(values, dict):
            return values
        if "measurement" in values:
            return MeasurementOfDomain(**values["measurement"], geometry={})
        return {name: of_stage(value) for name, value in values.items()}

    return of_stage(yaml.safe_load(blocks(FORWARD_MODELS, "yaml")[number]))


@pytest.mark.slow
def test_every_program_runs(monkeypatch):
    monkeypatch.chdir(FORWARD_MODELS.parents[1])
    programs = blocks(FORWARD_MODELS, "python")
    assert len(programs) == 4
    for program in programs:
        exec(compile(program, FORWARD_MODELS.name, "exec"), {"__name__": "document"})


def test_the_example_of_an_operator_of_deepinv_holds():
    """Those of the forward models in `step.__all__` are run by tests/test_documentation.py."""
    result = doctest.testmod(deepinv_operator)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_the_instrument_is_complete_in_ten_lines_of_code():
    program = module(FORWARD_MODELS, "deblurring.py")
    body = program[program.index("class Deblurring") : program.index("class Settings")]
    assert len([line for line in body.splitlines() if line.strip() and '"""' not in line]) <= 10


def test_the_instrument_blurs_a_point_to_the_gaussian_that_it_says(deblurring):
    point = torch.zeros(1, *SHAPE)
    point[..., 8, 6] = 1
    image = deblurring.with_noise_level(0.0).measure(point, seed=0)["data"][0, 0, 0]
    width = 1 / (2 * torch.pi * 0.2)  # of the Fourier transform of a Gaussian, pixels
    y, x = torch.arange(16)[:, None] - 8, torch.arange(12) - 6
    expected = torch.exp(-(y**2 + x**2) / (2 * width**2)) / (2 * torch.pi * width**2)
    torch.testing.assert_close(image, expected, atol=0.01, rtol=0)


def test_the_instrument_satisfies_the_contracts_and_its_adjoint_is_the_transpose(deblurring):
    assert isinstance(deblurring, ForwardModel)
    assert isinstance(deblurring, LeastSquaresModel)
    generator = torch.Generator().manual_seed(0)
    video, other = (torch.randn(2, *SHAPE, generator=generator, dtype=torch.float64) for _ in range(2))
    left, right = deblurring.forward(video, {}) * other, video * deblurring.adjoint(other, {})
    torch.testing.assert_close(left.sum(), right.sum())


@pytest.mark.usefixtures("deblurring")
def test_the_entry_with_an_operator_of_deepinv_builds_it():
    model = build_forward_model(entry(1), (3, 2, 64, 64))
    assert isinstance(model, DeepinvOperator)
    assert model.layout == {"data": (2, 32, 32)}
    assert model.noise_level == 0.02
