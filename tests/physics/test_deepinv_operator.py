"""Operators of deepinv as forward models: of videos, with our noise, from Python and from a configuration."""

import sys
from typing import TYPE_CHECKING

import pytest
import torch
import yaml
from step.config.sampling import sample_settings
from step.config.settings import modules_of_measurement
from step.config.study import load_config
from step.config.tasks import MeasurementOfDomain
from step.contracts import ForwardModel, LeastSquaresModel
from step.errors import InputError
from step.physics.deepinv_operator import DeepinvOperator
from step.physics.forward_models import build_forward_model, check_measurement, open_measurement
from step.sampling.named_files import files_of_measurement
from step.sampling.pixel_space import sample_video
from step.sampling.posterior import LatentLikelihood

if TYPE_CHECKING:
    from deepinv.physics import LinearPhysics

FRAME = (2, 16, 12)
NOISE = 0.2


def hole() -> torch.Tensor:
    mask = torch.ones(FRAME)
    mask[:, 4:9, 3:7] = 0
    return mask


# deepinv takes seconds to import: where its operators are built.
def inpainting() -> "LinearPhysics":
    from deepinv.physics import Inpainting

    return Inpainting(FRAME, mask=hole())


def downsampling() -> "LinearPhysics":
    from deepinv.physics import Downsampling

    return Downsampling(FRAME, filter="gaussian", factor=2, padding="circular")


def blur() -> "LinearPhysics":
    from deepinv.physics import Blur
    from deepinv.physics.functional import gaussian_blur

    return Blur(gaussian_blur(sigma=(1.0, 1.0)), padding="valid")


OPERATORS = {"inpainting": inpainting, "downsampling": downsampling, "blur": blur}


@pytest.fixture(params=OPERATORS)
def operator(request):
    return OPERATORS[request.param]().double()


@pytest.fixture
def model(operator):
    return DeepinvOperator(operator, FRAME, NOISE)


def video_of(seed: int, *leading: int) -> torch.Tensor:
    return torch.randn(*leading, *FRAME, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.slow
def test_each_frame_is_measured_by_the_operator_alone(model, operator):
    video = video_of(1, 2, 3)
    data = model.with_noise_level(0.0).measure(video, seed=0)["data"]
    each = torch.stack([torch.stack([operator.A(frame[None])[0] for frame in one]) for one in video])
    torch.testing.assert_close(data, each)


def test_forward_and_adjoint_are_transposed(model):
    video = video_of(1, 2, 3)
    clean = model.forward(video, {})
    probe = torch.randn(clean.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert (clean * probe).sum().item() == pytest.approx((video * model.adjoint(probe, {})).sum().item())


def test_the_gradient_is_the_operators_adjoint_of_the_residual_over_the_variance(model, operator):
    truth, other = video_of(1, 1, 3), video_of(2, 1, 3).requires_grad_()
    measurement = model.measure(truth, seed=0)
    (gradient,) = torch.autograd.grad(model.negative_log_likelihood(other, measurement).sum(), other)
    residual = operator.A(other[0].detach()) - measurement["data"][0]
    torch.testing.assert_close(gradient[0], operator.A_adjoint(residual) / NOISE**2)


class Pixels:
    """A prior whose latents are the videos."""

    latent_shape = (3, *FRAME)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return latent * 1


def test_the_samplers_gradient_in_chunks_of_videos_and_frames_is_that_of_the_whole(model):
    measurement, latent = model.measure(video_of(1, 2, 3), seed=0), video_of(2, 2, 3)
    chunks, whole = (LatentLikelihood(Pixels(), model, measurement, *sizes, None) for sizes in ((1, 2), (2, 3)))
    torch.testing.assert_close(chunks.gradient(latent)[0], whole.gradient(latent)[0])


def test_the_chi_square_of_the_truth_is_near_1(model):
    truth = video_of(1, 20, 8)
    chi_square = model.chi_squares(truth, model.measure(truth, seed=0))["data"]
    assert chi_square.mean().item() == pytest.approx(1, abs=0.02)


def test_a_hole_is_masked_and_has_neither_noise_nor_weight():
    model = DeepinvOperator(inpainting(), FRAME, NOISE)
    measurement = model.measure(video_of(1, 2, 3).float(), seed=0)
    assert measurement["mask"].equal(hole().bool().expand(2, 3, *FRAME))
    assert (measurement["data"][~measurement["mask"]] == 0).all()
    # Without a mask the hole's data, all zero, would pull the chi-square down to the share that is measured, 0.9.
    chi_square = model.chi_squares(video_of(1, 2, 3).float(), measurement)["data"]
    assert chi_square.mean().item() == pytest.approx(1, abs=0.06)


@pytest.mark.slow
def test_a_sample_in_pixel_space_has_the_mean_and_spread_of_a_gaussian_posterior():
    """Of a video of zero: in the hole the spread before, elsewhere that of two Gaussians."""
    model, centre = DeepinvOperator(inpainting(), FRAME, NOISE), torch.zeros(1, 400, *FRAME)
    measurement = model.with_noise_level(0.0).measure(centre, seed=0)
    sample = sample_video(model, centre, measurement, 0.3, 4, [torch.Generator().manual_seed(1)])[0]
    seen = hole().bool()
    assert sample[:, ~seen].std().item() == pytest.approx(0.3, rel=0.03)
    assert sample[:, seen].std().item() == pytest.approx((1 / 0.3**2 + 1 / NOISE**2) ** -0.5, rel=0.03)


def test_the_adapter_offers_the_contracts_and_the_layout_of_what_it_measures():
    for make, data in ((inpainting, (2, 16, 12)), (downsampling, (2, 8, 6)), (blur, (2, 8, 4))):
        model = DeepinvOperator(make(), FRAME, NOISE)
        assert isinstance(model, ForwardModel)
        assert isinstance(model, LeastSquaresModel)
        assert model.layout == {"data": data} | ({"mask": FRAME} if make is inpainting else {})
        check_measurement(model.measure(video_of(1, 1, 3).float(), seed=0), model, (3, *FRAME), "here")


def test_without_a_level_the_noise_is_the_operators_own():
    from deepinv.physics import Denoising, GaussianNoise, PoissonNoise

    assert DeepinvOperator(Denoising(GaussianNoise(sigma=0.25)), FRAME).noise_level == pytest.approx(0.25)
    assert DeepinvOperator(Denoising(GaussianNoise(sigma=0.25)), FRAME, 0.5).noise_level == 0.5
    with pytest.raises(InputError, match="Inpainting has no Gaussian noise of one level; give noise_level"):
        DeepinvOperator(inpainting(), FRAME)
    with pytest.raises(InputError, match="no Gaussian noise of one level"):
        DeepinvOperator(Denoising(PoissonNoise(0.1)), FRAME)
    with pytest.raises(InputError, match="no A_adjoint"):
        DeepinvOperator(torch.nn.Identity(), FRAME, NOISE)


MODULE = """
import torch
from deepinv.physics import Inpainting


def build(frame_shape, share, weights):
    kept = torch.rand(frame_shape) < share * float(weights.read_text())
    return Inpainting(frame_shape, mask=kept.float())
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Return a study with a task `inpainting`, measured by an operator of a module that lies elsewhere."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "holes", raising=False)
    (tmp_path / "holes.py").write_text(MODULE)
    (tmp_path / "weights.txt").write_text("1.0")
    measurement = {
        "model": "deepinv_operator",
        "operator": "holes:build",
        "options": {"share": 0.5},
        "files": {"weights": str(tmp_path / "weights.txt")},
        "noise_level": 0.2,
    }
    task = load_config().tasks["mri8"].model_dump(mode="json") | {"measurement": measurement}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"tasks": {"inpainting": task}}))
    return load_config(tmp_path / "study.yaml")


@pytest.mark.slow
def test_a_configured_operator_is_built_the_same_every_time_and_leaves_the_generator_of_torch(config):
    measurement = config.measurement_of("inpainting")
    before = torch.get_rng_state()
    one = build_forward_model(measurement, (3, *FRAME), noise_level=0.7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert torch.equal(one.operator.mask, build_forward_model(measurement, (3, *FRAME)).operator.mask)
    assert 0.3 < one.operator.mask.mean() < 0.7
    assert one.noise_level == 0.7
    assert build_forward_model(measurement, (3, *FRAME)).noise_level == 0.2


@pytest.mark.slow
def test_jobs_depend_on_the_operators_module_and_on_the_files_that_it_is_given(config, tmp_path):
    measure = type("Settings", (), {"measurement": config.measurement_of("inpainting")})
    modules = modules_of_measurement(measure)
    assert modules == ["step.physics.deepinv_operator", "holes"]
    assert set(modules) < set(sample_settings(config, "inpainting", "bis").modules)
    assert files_of_measurement(config, "inpainting") == [tmp_path / "weights.txt"]
    measure.measurement = load_config().measurement_of("mri8")
    assert modules_of_measurement(measure) == ["step.physics.mri"]


def changed(measurement: MeasurementOfDomain, **values: object) -> MeasurementOfDomain:
    return MeasurementOfDomain(**measurement.model_dump() | values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"operator": "nowhere_at_all:build"}, "there is no module nowhere_at_all"),
        ({"operator": "holes"}, "operator"),
        ({"operator": "holes:make"}, "holes has no function make"),
        ({"options": {}}, "does not take the frames' shape, weights: missing a required argument: 'share'"),
        ({"noise_level": -1}, "noise_level"),
    ],
)
def test_a_wrong_entry_is_one_line(config, values, says):
    with pytest.raises(InputError, match=says) as error:
        build_forward_model(changed(config.measurement_of("inpainting"), **values), (3, *FRAME))
    assert "\n" not in str(error.value)


def test_a_package_that_is_missing_is_named_with_the_extra(config, tmp_path):
    (tmp_path / "holes.py").write_text("import deepinv_of_tomorrow\n")
    with pytest.raises(InputError, match=r"No module named 'deepinv_of_tomorrow'; .*\[deepinv\]"):
        build_forward_model(config.measurement_of("inpainting"), (3, *FRAME))


@pytest.mark.slow
def test_planning_a_study_with_an_operator_does_not_import_its_module(config, tmp_path):
    (tmp_path / "holes.py").write_text("raise RuntimeError\n")
    _, settings = open_measurement(config.measurement_of("inpainting"))
    assert settings.operator == "holes:build"
