import pytest
import torch
from gaussians import (
    ROWS,
    SHAPE,
    GaussianPrior,
    LinearGaussianModel,
    N,
    as_rows,
    assert_distributed_as,
    exact_posterior,
    gaussian_from,
)
from step.config.tasks import PixelSpace
from step.contracts import LeastSquaresModel
from step.errors import InputError
from step.sampling.daps import sample_posterior
from step.sampling.levels import uses_pixel_space
from step.sampling.noise.independent import IndependentNoise
from step.sampling.pixel_space import conjugate_gradients, sample_in_pixel_space
from step.sampling.posterior import LatentLikelihood
from test_daps import CPU, generators, one_measurement, sampler

NOISE_LEVEL = 0.4
N_VIDEOS = 40  # of 50 independent rows each
SIGMA = 1.5


class LossyPrior(GaussianPrior):
    """Latents of six numbers a row for videos of eight: the encoder knows nothing of the last one of each frame."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video[..., :3] / 2

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.cat([2 * latent, torch.ones_like(latent[..., :1])], dim=-1)


class WideModel(LinearGaussianModel):
    """The same measurement of videos with a fourth column, of which nothing is measured."""

    def _apply(self, video: torch.Tensor) -> torch.Tensor:
        return super()._apply(video[..., :3])


def settings(**changes) -> PixelSpace:
    return PixelSpace(**({"above_sigma": 1.0, "spread": 0.5, "iterations": 8} | changes))


def likelihood(prior, model, measurement: dict, n: int) -> LatentLikelihood:
    repeated = {name: array.expand(n, *array.shape[1:]) for name, array in measurement.items()}
    return LatentLikelihood(prior, model, repeated, 2, 1, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prior", "model", "scale"),
    [(GaussianPrior(), LinearGaussianModel(NOISE_LEVEL), 1.0), (LossyPrior(), WideModel(NOISE_LEVEL), 2.0)],
    ids=["without loss", "with loss"],
)
def test_one_sample_is_exact_for_a_linear_measurement(prior, model, scale):
    """The latents' prior is N(start, (spread of the video / scale)^2), where the decoder multiplies by `scale`."""
    measurement = one_measurement(LinearGaussianModel(NOISE_LEVEL))
    one_row = torch.randn(1, 2, 1, 1, 3, generator=torch.Generator().manual_seed(7))
    start = one_row.repeat(1, 1, 1, ROWS, 1)
    samples, videos = sample_in_pixel_space(
        likelihood(prior, model, measurement, N_VIDEOS),
        start.expand(N_VIDEOS, *SHAPE),
        SIGMA,
        settings(),
        generators(range(N_VIDEOS)),
    )
    spread = 0.5 * SIGMA / (1 + SIGMA**2) ** 0.5
    precision = scale**2 * (model.precision() + torch.eye(N, dtype=torch.float64) / spread**2)
    information = scale * model.information(measurement)
    information = information + scale**2 * as_rows(start)[0, 0].double() / spread**2
    mean, covariance = gaussian_from(precision, information)
    assert_distributed_as(samples, mean, covariance, bias=0.0)
    with pytest.raises(AssertionError):  # what was measured matters
        assert_distributed_as(samples, as_rows(start)[0, 0].double(), covariance, bias=0.0)
    assert torch.equal(videos, prior.decode(samples))


def test_a_sample_is_the_same_whatever_is_taken_with_it():
    model, prior = LinearGaussianModel(NOISE_LEVEL), GaussianPrior()
    measurement = one_measurement(LinearGaussianModel(NOISE_LEVEL))
    start = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(7))
    together, _ = sample_in_pixel_space(
        likelihood(prior, model, measurement, 4), start, SIGMA, settings(), generators(range(4))
    )
    alone, _ = sample_in_pixel_space(
        likelihood(prior, model, measurement, 2), start[2:], SIGMA, settings(), generators(range(4))[2:]
    )
    assert torch.equal(together[2:], alone)


def test_conjugate_gradients_solve_each_item_and_stay_there():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(2, 5, 5, dtype=torch.float64, generator=generator)
    matrix = root @ root.mT + torch.eye(5, dtype=torch.float64)
    right = torch.randn(2, 5, dtype=torch.float64, generator=generator)
    product = lambda x: (matrix @ x[..., None])[..., 0]  # noqa: E731
    solution = torch.linalg.solve(matrix, right)
    for iterations in (5, 50):
        assert torch.allclose(conjugate_gradients(product, right, iterations), solution, rtol=1e-9)
    assert not torch.allclose(conjugate_gradients(product, right, 2), solution, rtol=1e-2)
    assert torch.equal(conjugate_gradients(product, 0 * right, 3), 0 * right)


def test_levels_above_the_limit_are_sampled_in_pixel_space_and_the_rest_by_the_chain():
    assert uses_pixel_space(1.1, settings())
    assert not uses_pixel_space(1.0, settings())
    assert not uses_pixel_space(1.1, settings(above_sigma=None))


@pytest.mark.long
def test_samples_that_begin_in_pixel_space_have_the_exact_posterior_mean_and_covariance():
    """The chain of the levels below forgets how the ones above were sampled."""
    prior, model = GaussianPrior(), LinearGaussianModel(NOISE_LEVEL)
    assert isinstance(model, LeastSquaresModel)
    measurement = one_measurement(LinearGaussianModel(NOISE_LEVEL))
    own = sampler().model_copy(update={"pixel_space": settings(above_sigma=2.0)})
    samples, trace = sample_posterior(
        prior,
        likelihood(prior, model, measurement, N_VIDEOS),
        [IndependentNoise()] * N_VIDEOS,
        generators(range(N_VIDEOS)),
        own,
        CPU,
    )
    assert_distributed_as(samples, *exact_posterior(model, measurement), bias=0.08)
    assert len(trace["misfit"]) == 12


def test_a_measurement_without_residuals_is_one_clear_line():
    class OtherModel:
        """No least-squares problem."""

    measured = likelihood(GaussianPrior(), OtherModel(), {"y": torch.zeros(1, 2, ROWS, 2)}, 2)
    with pytest.raises(InputError, match=r"OtherModel has none; set above_sigma to null"):
        sample_in_pixel_space(measured, torch.zeros(2, *SHAPE), SIGMA, settings(), generators(range(2)))
