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
    gaussian_from,
)
from step.config.tasks import Annealing, Mcmc, Networks, Ode, PixelSpace, Sampler
from step.contracts import LeastSquaresModel
from step.errors import InputError
from step.sampling.daps import sample_posterior
from step.sampling.noise.independent import IndependentNoise
from step.sampling.pixel_space import conjugate_gradients, draw_in_pixel_space, uses_pixel_space
from step.sampling.posterior import LatentLikelihood

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


def generators(n: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(1000 + number) for number in range(n)]


def likelihood(prior, model, measurement: dict, n: int) -> LatentLikelihood:
    repeated = {name: array.expand(n, *array.shape[1:]) for name, array in measurement.items()}
    return LatentLikelihood(prior, model, repeated, 2, 1, None, NOISE_LEVEL)


def one_measurement(model: LinearGaussianModel) -> dict[str, torch.Tensor]:
    truth = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5))
    one_row = LinearGaussianModel(NOISE_LEVEL).measure(truth, torch.Generator().manual_seed(6))["y"][:, :, :1]
    return {"y": one_row.repeat(1, 1, ROWS, 1)}


@pytest.mark.parametrize(
    ("prior", "model", "scale"),
    [(GaussianPrior(), LinearGaussianModel(NOISE_LEVEL), 1.0), (LossyPrior(), WideModel(NOISE_LEVEL), 2.0)],
    ids=["without loss", "with loss"],
)
def test_one_draw_is_exact_for_a_linear_measurement(prior, model, scale):
    """The latents' prior is N(start, (spread of the video / scale)^2), where the decoder multiplies by `scale`."""
    measurement = one_measurement(model)
    one_row = torch.randn(1, 2, 1, 1, 3, generator=torch.Generator().manual_seed(7))
    start = one_row.repeat(1, 1, 1, ROWS, 1)
    samples, videos = draw_in_pixel_space(
        likelihood(prior, model, measurement, N_VIDEOS),
        start.expand(N_VIDEOS, *SHAPE),
        SIGMA,
        settings(),
        generators(N_VIDEOS),
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


def test_a_draw_is_the_same_whatever_is_drawn_with_it():
    model, prior = LinearGaussianModel(NOISE_LEVEL), GaussianPrior()
    measurement = one_measurement(model)
    start = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(7))
    together, _ = draw_in_pixel_space(likelihood(prior, model, measurement, 4), start, SIGMA, settings(), generators(4))
    alone, _ = draw_in_pixel_space(
        likelihood(prior, model, measurement, 2), start[2:], SIGMA, settings(), generators(4)[2:]
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


def test_levels_above_the_limit_are_drawn_in_pixel_space_and_the_rest_by_the_chain():
    assert uses_pixel_space(1.1, settings())
    assert not uses_pixel_space(1.0, settings())
    assert not uses_pixel_space(1.1, settings(above_sigma=None))


def test_samples_that_begin_in_pixel_space_have_the_exact_posterior_mean_and_covariance():
    """The chain of the levels below forgets how the ones above were drawn."""
    prior, model = GaussianPrior(), LinearGaussianModel(NOISE_LEVEL)
    assert isinstance(model, LeastSquaresModel)
    measurement = one_measurement(model)
    mcmc = Mcmc(
        algorithm="damped",
        steps=60,
        damping=0.7,
        acceptance=0.65,
        step_size_squared=8e-3,
        step_decay=1.0,
        noise_level=NOISE_LEVEL,
        prior_score="exact",
        prior_score_every=1,
        prior_score_sigma=0.01,
        gaussian_width=1.0,
        gradient_clip=None,
        limit_step_to_sigma=True,
    )
    sampler = Sampler(
        annealing=Annealing(levels=12, sigma_max=10.0, sigma_min=0.02, rho=3),
        ode=Ode(steps=5, sigma_min=1e-3, rho=7),
        pixel_space=settings(above_sigma=2.0),
        mcmc=mcmc,
        networks=Networks(precision="float32", channels_last=False, compile=False, frames_per_chunk=1),
        videos_per_batch=2,
        frames_per_chunk=1,
    )
    samples, trace = sample_posterior(
        prior,
        likelihood(prior, model, measurement, N_VIDEOS),
        [IndependentNoise()] * N_VIDEOS,
        generators(N_VIDEOS),
        sampler,
        torch.device("cpu"),
    )
    prior_precision = torch.linalg.inv(prior.covariance)
    mean, covariance = gaussian_from(
        model.precision() + prior_precision, model.information(measurement) + prior_precision @ prior.mean
    )
    assert_distributed_as(samples, mean, covariance, bias=0.08)
    assert len(trace["misfit"]) == 12


def test_a_measurement_without_residuals_is_one_clear_line():
    class OtherModel:
        """No least-squares problem."""

    measured = likelihood(GaussianPrior(), OtherModel(), {"y": torch.zeros(1, 2, ROWS, 2)}, 2)
    with pytest.raises(InputError, match=r"OtherModel has none; set above_sigma to null"):
        draw_in_pixel_space(measured, torch.zeros(2, *SHAPE), SIGMA, settings(), generators(2))
