import math

import pytest
import torch
from step.diffusion.denoiser import denoise_from_noise_prediction, score
from step.diffusion.grids import rho_grid
from step.diffusion.ode import solve_probability_flow
from step.diffusion.schedule import LinearBetaSchedule

SCHEDULE = LinearBetaSchedule(1000, 1e-4, 0.02)


def test_noise_level_of_the_first_and_last_timestep_are_those_of_ddpm():
    assert SCHEDULE.sigma(0) == pytest.approx(math.sqrt(1 / (1 - 1e-4) - 1))
    assert SCHEDULE.sigma(999) == pytest.approx(157.4, rel=1e-3)


def test_timestep_inverts_sigma_and_is_continuous_between_integers():
    for t in (0, 1, 17, 500, 998, 999):
        assert SCHEDULE.timestep(SCHEDULE.sigma(t)) == pytest.approx(t, abs=1e-9)
    between = math.sqrt(SCHEDULE.sigma(300) * SCHEDULE.sigma(301))
    assert SCHEDULE.timestep(between) == pytest.approx(300.5)
    assert SCHEDULE.timestep(1e-9) == 0
    assert SCHEDULE.timestep(1e9) == 999


def test_rho_grid_ends_where_it_should_and_follows_the_formula():
    grid = rho_grid(100, 0.01, 20, 7)
    assert len(grid) == 21
    assert grid[0] == pytest.approx(100)
    assert grid[-1] == pytest.approx(0.01)
    assert grid[5] == pytest.approx((100 ** (1 / 7) + 5 / 20 * (0.01 ** (1 / 7) - 100 ** (1 / 7))) ** 7)


def test_added_noise_is_the_variance_exploding_one_after_rescaling():
    clean, noise = torch.randn(2, 3, 1, 4, 4), torch.randn(2, 3, 1, 4, 4)
    t = torch.tensor([10, 900])
    noisy = SCHEDULE.add_noise(clean, noise, t)
    for item in range(2):
        alpha_bar = SCHEDULE.alpha_bar[t[item]].float()
        expected = clean[item] + SCHEDULE.sigma(int(t[item])) * noise[item]
        assert torch.allclose(noisy[item] / alpha_bar.sqrt(), expected, rtol=1e-4, atol=1e-4)


def gaussian_noise_predictor(variance: float):
    """The exact eps(z_t, t) of data distributed as N(0, variance)."""

    def predict(scaled: torch.Tensor, t: float) -> torch.Tensor:
        low = int(t)
        fraction = t - low
        log_sigma = (1 - fraction) * math.log(SCHEDULE.sigma(low))
        if fraction:
            log_sigma += fraction * math.log(SCHEDULE.sigma(low + 1))
        sigma = math.exp(log_sigma)
        return sigma * scaled * math.sqrt(1 + sigma**2) / (variance + sigma**2)

    return predict


@pytest.mark.parametrize("sigma", [0.05, 0.7, 30.0])
def test_denoiser_and_score_of_gaussian_data_are_the_closed_forms(sigma):
    noisy = torch.linspace(-3, 3, 7, dtype=torch.float64)

    def denoise(z: torch.Tensor, level: float) -> torch.Tensor:
        return denoise_from_noise_prediction(gaussian_noise_predictor(2.0), SCHEDULE, z, level)

    assert torch.allclose(denoise(noisy, sigma), noisy * 2.0 / (2.0 + sigma**2))
    assert torch.allclose(score(denoise, noisy, sigma), -noisy / (2.0 + sigma**2))


def test_probability_flow_of_gaussian_data_ends_at_the_closed_form_solution():
    noisy = torch.linspace(-30, 30, 7, dtype=torch.float64)

    def denoise(z: torch.Tensor, level: float) -> torch.Tensor:
        return z * 2.0 / (2.0 + level**2)

    solution = solve_probability_flow(denoise, noisy, 10.0, steps=4000, sigma_min=1e-5, rho=7)
    expected = noisy * math.sqrt(2.0 / (2.0 + 10.0**2))
    assert torch.allclose(solution, expected, rtol=2e-3)


def error_of(solver: str, steps: int) -> float:
    """Return the relative error of the ODE's solution for Gaussian data of deviation 0.35, from sigma 20 on."""
    variance, sigma, sigma_min = 0.35**2, 20.0, 0.01

    def denoise(z: torch.Tensor, level: float) -> torch.Tensor:
        return z * variance / (variance + level**2)

    noisy = torch.ones(1, dtype=torch.float64)
    solution = solve_probability_flow(denoise, noisy, sigma, steps, sigma_min, 7, solver)
    return solution.item() / math.sqrt((variance + sigma_min**2) / (variance + sigma**2)) - 1


def test_the_multistep_solver_is_of_second_order_and_eulers_of_first():
    assert error_of("euler", 400) / error_of("euler", 800) == pytest.approx(2, rel=0.05)
    assert error_of("multistep", 400) / error_of("multistep", 800) == pytest.approx(4, rel=0.05)


def test_a_mode_keeps_its_width_in_few_multistep_steps_where_eulers_narrow_it():
    assert error_of("euler", 24) < -0.05
    assert abs(error_of("multistep", 24)) < 0.02


@pytest.mark.parametrize("solver", ["euler", "multistep"])
def test_one_step_is_the_same_for_both_solvers_and_exact_where_nothing_else_can_be_denoised(solver):
    clean = torch.tensor([0.3, -2.0], dtype=torch.float64)
    noisy = clean + 5.0 * torch.tensor([1.0, 0.5], dtype=torch.float64)
    for steps in (1, 3):
        solution = solve_probability_flow(lambda z, level: clean, noisy, 5.0, steps, 0.01, 7, solver)
        assert torch.allclose(solution, clean + 0.01 / 5.0 * (noisy - clean))


def test_probability_flow_costs_one_denoiser_evaluation_a_step_and_none_below_its_end():
    calls = []

    def denoise(z: torch.Tensor, level: float) -> torch.Tensor:
        calls.append(level)
        return z

    noisy = torch.ones(3)
    solve_probability_flow(denoise, noisy, 5.0, steps=6, sigma_min=0.01, rho=7)
    assert len(calls) == 6
    assert solve_probability_flow(denoise, noisy, 0.005, steps=6, sigma_min=0.01, rho=7) is noisy
    assert len(calls) == 6
