"""SENSE is the regularised least-squares solution, and unfolds what one coil cannot."""

import pytest
import torch
from step.classical.sense import reconstruct
from step.config.classical import Sense
from step.contracts import CurvatureModel
from step.errors import InputError
from step.physics.least_squares import LeastSquares
from step.physics.masks import equispaced_mask
from step.physics.mri import CartesianMri
from test_coil_encoding import maps_of, normal_numbers


def test_it_solves_the_normal_equations_of_every_frame():
    forward = CartesianMri(equispaced_mask(16, 3, 2), 1.0, coil_maps=maps_of(4))
    measurement = forward.measure(normal_numbers(1, 2, 2, 2, 16, 12), seed=0)
    found = reconstruct(forward, measurement, Sense(weight=0.1, iterations=60))
    product = forward.curvature(found, measurement)(found) + 0.1 * found
    assert torch.allclose(product, forward.backprojection(measurement), atol=1e-8)


@pytest.mark.slow
def test_of_one_coil_it_is_the_zero_filled_video_divided_by_one_and_the_weight():
    forward = CartesianMri(equispaced_mask(16, 3, 2), 1.0)
    measurement = forward.measure(normal_numbers(1, 1, 2, 2, 16, 12), seed=0)
    found = reconstruct(forward, measurement, Sense(weight=0.25, iterations=5))
    assert torch.allclose(found, forward.backprojection(measurement) / 1.25)


def test_coils_unfold_twofold_undersampling_without_noise():
    forward = CartesianMri(equispaced_mask(16, 2, 0), 0.0, coil_maps=maps_of(8))
    truth = normal_numbers(1, 1, 2, 2, 16, 12)
    measurement = forward.measure(truth, seed=0)
    unit = forward.with_noise_level(1.0)
    found = reconstruct(unit, measurement, Sense(weight=0.0, iterations=200))
    assert torch.allclose(found, truth, atol=1e-4)
    assert (unit.backprojection(measurement) - truth).norm() > 0.3 * truth.norm()


class Halved(LeastSquares):
    """Half of the video."""

    def forward(self, video, measurement):
        return video / 2

    def adjoint(self, data, measurement):
        return data / 2


class OnlyResiduals:
    """What `Halved` offers of a least-squares model, without its curvature."""

    def __init__(self, model):
        self.residuals, self.backprojection = model.residuals, model.backprojection
        self.negative_log_likelihood = model.negative_log_likelihood


@pytest.mark.slow
def test_any_linear_measurement_is_taken_and_others_are_refused():
    halved = Halved((1, 4, 4), 1.0)
    measurement = halved.measure(normal_numbers(1, 1, 2, 1, 4, 4), seed=0)
    plain = OnlyResiduals(halved)
    assert not isinstance(plain, CurvatureModel)
    for model in (halved, plain):
        found = reconstruct(model, measurement, Sense(weight=0.5, iterations=5))
        assert torch.allclose(found, measurement["data"] / 2 / (0.25 + 0.5))
    del plain.residuals
    with pytest.raises(InputError, match="sense needs a measurement with residuals, OnlyResiduals has none"):
        reconstruct(plain, measurement, Sense(weight=0.5, iterations=5))
