"""All that a forward model offers follows from its operator, the transpose and the noise, of real and complex data."""

import numpy as np
import pytest
import torch
from step.contracts import ForwardModel, LeastSquaresModel
from step.errors import InputError
from step.physics.least_squares import LeastSquares
from step.physics.mri import CartesianMri

NOISE = 0.3


class Mixing(LeastSquares):
    """Each column of a frame times one matrix, real or complex; `lines` says which rows of the product are measured."""

    kind = "product"

    def __init__(self, matrix: torch.Tensor, lines: torch.Tensor | None = None):
        super().__init__((1, matrix.shape[1], 5), NOISE)
        self.matrix, self.lines = matrix, lines

    def forward(self, video, measurement):
        return self.matrix.to(torch.promote_types(video.dtype, self.matrix.dtype)) @ video[:, :, 0].to(
            self.matrix.dtype
        )

    def adjoint(self, data, measurement):
        return (self.matrix.mH @ data).real[:, :, None]

    def sampling(self, video):
        return {} if self.lines is None else {"mask": self.lines.expand(len(video), *self.lines.shape)}


def matrix(dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(6, 4, dtype=dtype, generator=torch.Generator().manual_seed(1))


def lines_of(n_frames: int) -> torch.Tensor:
    """Return which lines are measured (time, line): another one is left out in every frame."""
    return torch.arange(6) != torch.arange(n_frames)[:, None]


def video_of(seed: int, n_frames: int = 3) -> torch.Tensor:
    return torch.randn(2, n_frames, 1, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["real", "complex", "masked"])
def model(request):
    dtype = torch.float64 if request.param == "real" else torch.complex128
    return Mixing(matrix(dtype), lines_of(3) if request.param == "masked" else None)


def parts(values: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(values) if values.is_complex() else values


def test_an_instrument_of_two_methods_offers_the_contracts_of_a_least_squares_problem(model):
    single = Mixing(model.matrix.to(torch.complex64))
    assert isinstance(single, ForwardModel)
    assert isinstance(single, LeastSquaresModel)
    assert single.layout == {"product": (6, 5)}


def test_the_likelihood_is_that_of_independent_gaussian_noise_on_the_measured_numbers(model):
    truth, other = video_of(1), video_of(2)
    measurement = model.measure(truth, seed=0)
    mean, data = parts(model.forward(other, measurement)), parts(measurement["product"])
    density = torch.distributions.Normal(mean, NOISE).log_prob(data) - torch.distributions.Normal(0, NOISE).log_prob(
        torch.zeros(())
    )
    if model.lines is not None:
        density = density * model.lines[:, :, None, None]
    expected = -density.flatten(1).sum(1)
    torch.testing.assert_close(model.negative_log_likelihood(other, measurement), expected)
    torch.testing.assert_close(model.residuals(other, measurement).square().sum(1) / 2, expected)


def test_the_gradient_is_the_adjoint_of_the_residual_over_the_variance(model):
    truth, other = video_of(1), video_of(2).requires_grad_()
    measurement = model.measure(truth, seed=0)
    (gradient,) = torch.autograd.grad(model.negative_log_likelihood(other, measurement).sum(), other)
    residual = model.forward(other.detach(), measurement) - measurement["product"]
    if model.lines is not None:
        residual = residual * model.lines[:, :, None]
    torch.testing.assert_close(gradient, model.adjoint(residual, measurement) / NOISE**2)


def test_the_backprojection_is_the_adjoint_of_the_data(model):
    measurement = model.measure(video_of(1), seed=0)
    expected = (model.matrix.mH @ measurement["product"]).real[:, :, None]
    assert torch.equal(model.backprojection(measurement), expected)


def test_misfit_and_chi_square_of_the_truth_are_those_of_the_noise_and_count_measured_data_alone(model):
    truth = video_of(1, n_frames=3).repeat(60, 1, 1, 1, 1)
    measurement = model.measure(truth, seed=0)
    numbers = 2 if measurement["product"].is_complex() else 1
    chi_squares = model.chi_squares(truth, measurement)
    assert list(chi_squares) == ["product"]
    assert chi_squares["product"].mean().item() == pytest.approx(1, abs=0.02)
    assert model.misfit(truth, measurement).mean().item() == pytest.approx(numbers * NOISE**2, rel=0.02)


def test_what_is_not_measured_is_zero_in_the_data_and_changes_nothing():
    model = Mixing(matrix(torch.float64), lines_of(3))
    measurement = model.measure(video_of(1), seed=0)
    assert (measurement["product"] == 0).any(dim=(0, 3)).equal(~lines_of(3))
    elsewhere = measurement | {"product": torch.where(lines_of(3)[..., None], measurement["product"], 7.0)}
    for quantity in (model.negative_log_likelihood, model.residuals, model.misfit):
        assert torch.equal(quantity(video_of(2), elsewhere), quantity(video_of(2), measurement))


def test_the_noise_of_each_number_has_the_models_level(model):
    truth = torch.zeros(400, 3, 1, 4, 5, dtype=torch.float64)
    data = parts(model.measure(truth, seed=0)["product"])
    measured = data[data != 0]
    assert measured.std().item() == pytest.approx(NOISE, rel=0.01)
    assert measured.mean().item() == pytest.approx(0, abs=0.01)


def test_another_level_that_is_assumed_scales_the_likelihood_and_leaves_the_instrument():
    model = Mixing(matrix(torch.float64))
    measurement = model.measure(video_of(1), seed=0)
    assumed = model.with_noise_level(2 * NOISE)
    one, other = (m.negative_log_likelihood(video_of(2), measurement) for m in (model, assumed))
    torch.testing.assert_close(other, one / 4)
    assert model.noise_level == NOISE
    assert type(assumed) is Mixing


def test_the_likelihood_is_a_sum_over_frames(model):
    measurement, other = model.measure(video_of(1), seed=0), video_of(2)
    whole = model.negative_log_likelihood(other, measurement)
    frames = [{name: array[:, t : t + 1] for name, array in measurement.items()} for t in range(3)]
    each = [model.negative_log_likelihood(other[:, t : t + 1], frame) for t, frame in enumerate(frames)]
    torch.testing.assert_close(sum(each), whole)


def test_a_seed_an_array_and_a_video_without_its_batch_give_the_same_measurement_as_a_generator_and_a_batch():
    physics = CartesianMri.equispaced(rows=16, acceleration=4, acs_lines=4, noise_level=0.1)
    array = np.random.default_rng(0).standard_normal((3, 2, 16, 12))
    video = torch.from_numpy(array).float()
    expected = physics.measure(video[None], torch.Generator().manual_seed(5))
    for given in (array, array[None], video, array[:, :, ::-1][:, :, ::-1]):
        found = physics.measure(given, seed=5)
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not torch.equal(physics.measure(array, seed=6)["kspace"], expected["kspace"])


@pytest.mark.parametrize(
    ("video", "says"),
    [
        (np.zeros((3, 2, 12, 16)), r"channel 2, y 16, x any.*\(3, 2, 12, 16\)"),
        (np.zeros((2, 16, 12)), r"\(2, 16, 12\)"),
        (np.zeros((3, 2, 16, 12), complex), "complex128.*parts are channels"),
        (torch.zeros(3, 2, 16, 12, dtype=torch.int32), "real floating-point numbers.*torch.int32"),
        ([[0.0]], "numpy array or a torch tensor, this is a list"),
    ],
)
def test_what_is_no_video_of_the_instrument_is_one_line(video, says):
    physics = CartesianMri.equispaced(rows=16, acceleration=4, acs_lines=4, noise_level=0.1)
    with pytest.raises(InputError, match=says):
        physics.measure(video, seed=0)


@pytest.mark.parametrize(("sources", "says"), [({}, "neither"), ({"generator": torch.Generator(), "seed": 1}, "both")])
def test_noise_needs_one_source(sources, says):
    physics = CartesianMri.equispaced(rows=16, acceleration=4, acs_lines=4, noise_level=0.1)
    with pytest.raises(InputError, match=f"a generator or a seed, {says} is given"):
        physics.measure(np.zeros((3, 2, 16, 12)), **sources)


def test_the_direct_constructor_is_the_model_of_the_configurations_values():
    physics = CartesianMri.equispaced(rows=192, acceleration=8, acs_lines=12, noise_level=0.1, columns=160)
    assert int(physics.mask.sum()) == 35  # the paper's
    assert physics.layout["kspace"] == (None, 160)


def test_an_instrument_of_frames_of_any_length_is_told_to_say_its_layout():
    anything = Mixing(matrix(torch.float64))
    anything.frame_shape = (1, None, 5)
    with pytest.raises(NotImplementedError, match=r"Mixing measures frames of any length, \(1, None, 5\).*override"):
        anything.layout  # noqa: B018
