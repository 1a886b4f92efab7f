"""The channels of a sample are independent given the optical flow: thousands of them are thousands of samples."""

import math
from itertools import pairwise

import pytest
import torch
from pydantic import TypeAdapter
from step.config.methods import AnyNoise
from step.contracts import NoiseSource
from step.errors import InputError
from step.sampling.noise.sources import build_noise_source
from step.sampling.optical_flow import OpticalFlow

SIDE = 6
N_SAMPLES = 4000
LENGTH = 1.2  # of the Gaussian process' kernel
FEATURES = 1500

GP_TOLERANCE = 5 * math.sqrt(2 / N_SAMPLES) + 5 / math.sqrt(2 * FEATURES)
"""Five standard deviations of the samples, and of the kernel of the features that the samples have in common."""

SECTIONS = {
    "independent": {"source": "independent"},
    "batch_consistent": {"source": "batch_consistent"},
    "bilinear": {"source": "bilinear"},
    "bicubic": {"source": "bicubic"},
    "nearest": {"source": "nearest"},
    "integral": {"source": "integral", "subcells": None},
    "integral_4": {"source": "integral", "subcells": 4},
    "gp_warp": {"source": "gp_warp", "length": LENGTH, "features": FEATURES},
}
INTERPOLATED = ["bilinear", "bicubic", "nearest"]
INTEGRAL = ["integral", "integral_4"]
MOVING = [*INTERPOLATED, *INTEGRAL, "gp_warp"]


def build(name: str, flow: OpticalFlow | None, shape: tuple[int, ...]) -> NoiseSource:
    return build_noise_source(TypeAdapter(AnyNoise).validate_python(SECTIONS[name]), flow, shape)


def sample(name: str, flow: OpticalFlow | None, n_channels: int = N_SAMPLES, seed: int = 0) -> torch.Tensor:
    """Return noise (time, channel, y, x) on the grid of `flow`; without one, three frames of SIDE x SIDE."""
    n_optical_flows, _, height, width = flow.forward.shape if flow else (2, 2, SIDE, SIDE)
    shape = (n_optical_flows + 1, n_channels, height, width)
    return build(name, flow, shape).noise(shape, torch.Generator().manual_seed(seed))


def shift(x: float, y: float, n_frames: int = 3, side: int = SIDE) -> OpticalFlow:
    forward = torch.tensor([float(x), float(y)]).reshape(1, 2, 1, 1).expand(n_frames - 1, 2, side, side)
    return OpticalFlow(forward, -forward)


def scaling(factor: float) -> OpticalFlow:
    """Return the optical flow of a motion that magnifies frames by `factor` about their centre."""
    from_centre = torch.arange(SIDE) - (SIDE - 1) / 2
    y, x = torch.meshgrid(from_centre, from_centre, indexing="ij")
    distance = torch.stack([x, y]).expand(2, 2, SIDE, SIDE)
    return OpticalFlow((factor - 1) * distance, (1 / factor - 1) * distance)


def random_optical_flow(side: int = SIDE) -> OpticalFlow:
    generator = torch.Generator().manual_seed(11)
    return OpticalFlow(*(2 * torch.randn(2, 2, 2, side, side, generator=generator)))


def correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the empirical covariance (pixel, pixel) of two frames (sample, y, x) of mean zero."""
    return first.flatten(1).T.double() @ second.flatten(1).double() / len(first)


def assert_white(frame: torch.Tensor) -> None:
    found = correlation(frame, frame)
    deviation = 5 / math.sqrt(len(frame))
    assert (found.diagonal() - 1).abs().max() < math.sqrt(2) * deviation
    assert (found - found.diagonal().diag()).abs().max() < deviation


def hat_areas(flow: OpticalFlow, t: int) -> torch.Tensor:
    """Return the area (pixel, pixel) of every pixel of frame t that is in every pixel of frame t + 1."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    moved_x, moved_y = x + flow.forward[t, 0].double(), y + flow.forward[t, 1].double()
    overlap_x = (1 - (moved_x.reshape(-1, 1) - x.reshape(1, -1)).abs()).clamp(min=0)
    overlap_y = (1 - (moved_y.reshape(-1, 1) - y.reshape(1, -1)).abs()).clamp(min=0)
    return overlap_x * overlap_y


OPTICAL_FLOWS = {
    "random": random_optical_flow(),
    "contracting": scaling(0.45),
    "diverging": scaling(1.7),
    "shift": shift(0.3, -1.6),
}


@pytest.mark.parametrize("name", ["independent", "batch_consistent"])
def test_noise_without_motion_is_white_in_every_frame(name):
    for frame in sample(name, None):
        assert_white(frame)


def test_independent_noise_has_nothing_in_common_between_frames_and_batch_consistent_noise_everything():
    independent, repeated = sample("independent", None), sample("batch_consistent", None)
    assert correlation(independent[0], independent[1]).abs().max() < 5 / math.sqrt(N_SAMPLES)
    assert torch.equal(repeated, repeated[:1].expand_as(repeated))


@pytest.mark.slow
@pytest.mark.parametrize("flow", OPTICAL_FLOWS.values(), ids=OPTICAL_FLOWS)
@pytest.mark.parametrize("name", INTEGRAL)
def test_integral_noise_is_white_in_every_frame_under_any_optical_flow(name, flow):
    for frame in sample(name, flow):
        assert_white(frame)


@pytest.mark.parametrize("name", INTERPOLATED)
def test_interpolated_noise_is_white_where_an_integer_shift_moves_it(name):
    for frame in sample(name, shift(2, -1)):
        assert_white(frame)


def test_nearest_noise_has_unit_variance_and_repeats_pixels_where_the_optical_flow_diverges():
    noise = sample("nearest", scaling(1.7))
    found = correlation(noise[1], noise[1])
    assert (found.diagonal() - 1).abs().max() < 5 * math.sqrt(2 / N_SAMPLES)
    assert torch.equal(noise[1][..., 1], noise[1][..., 2])
    with pytest.raises(AssertionError):
        assert_white(noise[1])


@pytest.mark.parametrize("name", MOVING)
def test_an_optical_flow_of_zero_keeps_the_noise(name):
    noise = sample(name, shift(0, 0), n_channels=5)
    assert torch.allclose(noise, noise[:1].expand_as(noise), atol=1e-6)
    assert noise.std() > 0.7


@pytest.mark.parametrize("name", MOVING)
def test_an_integer_shift_moves_the_noise_by_as_many_pixels(name):
    noise = sample(name, shift(2, -1), n_channels=5)
    for before, after in pairwise(noise):
        assert torch.allclose(after[:, :-1, 2:], before[:, 1:, :-2], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*INTERPOLATED, *INTEGRAL])
def test_what_enters_from_outside_is_fresh(name):
    noise = sample(name, shift(2, -1))
    entering = torch.zeros(SIDE, SIDE, dtype=bool)
    entering[-1], entering[:, :2] = True, True
    for before, after in pairwise(noise):
        assert correlation(before, after)[:, entering.flatten()].abs().max() < 5 / math.sqrt(N_SAMPLES)
        assert correlation(before, after)[:, ~entering.flatten()].abs().max() > 0.9
        assert_white(after)


@pytest.mark.parametrize("name", INTERPOLATED)
def test_positions_between_the_outermost_centre_and_the_edge_take_the_outermost_pixel(name):
    noise = sample(name, shift(0.49, 0, n_frames=2), n_channels=5)
    if name == "bicubic":  # the outermost pixel repeated, and its neighbour
        x = -0.49 + 1
        weights = keys_weights(x)
        edge = weights[:3].sum() * noise[0, :, :, 0] + weights[3] * noise[0, :, :, 1]
    else:
        edge = noise[0, :, :, 0]
    assert torch.allclose(noise[1, :, :, 0], edge.float(), atol=1e-6)


def keys_weights(x: float, a: float = -0.75) -> torch.Tensor:
    """Return the weights of the pixels at -1, 0, 1, 2 in the cubic convolution at 0 <= x < 1 (Keys 1981)."""

    def kernel(distance: float) -> float:
        if distance <= 1:
            return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        return a * (distance**3 - 5 * distance**2 + 8 * distance - 4)

    return torch.tensor([kernel(abs(x - pixel)) for pixel in (-1, 0, 1, 2)], dtype=torch.float64)


def weights_of(name: str, x: float) -> torch.Tensor:
    return torch.tensor([1 - x, x], dtype=torch.float64) if name == "bilinear" else keys_weights(x)


@pytest.mark.slow
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0.3, 0.1)])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_interpolation_at_a_fractional_shift_leaves_the_variance_that_its_weights_do(name, x, y):
    """In frame 1 the sum of squared weights, in frame 2 that of the weights convolved with themselves."""
    noise = sample(name, shift(-x, -y, side=14))
    once = [weights_of(name, part) for part in (x, y)]
    twice = [torch.nn.functional.conv1d(w[None, None], w.flip(0)[None, None], padding=len(w) - 1)[0, 0] for w in once]
    if name == "bilinear":
        assert (once[0] ** 2).sum() == pytest.approx((1 - x) ** 2 + x**2)
    for frame, (along_x, along_y) in ((1, once), (2, twice)):
        expected = float((along_x**2).sum() * (along_y**2).sum())
        interior = noise[frame, :, 4:10, 4:10]
        assert interior.var() == pytest.approx(expected, rel=5 * math.sqrt(2 / N_SAMPLES))
        assert expected < 0.9


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_interpolated_noise_correlates_with_the_frame_before_by_its_weights(name):
    x, y = 0.3, 0.1
    noise = sample(name, shift(-x, -y, n_frames=2, side=8))
    along_x, along_y = weights_of(name, x), weights_of(name, y)
    first = 0 if name == "bilinear" else 1
    rows = slice(3 - first, 3 - first + len(along_y))
    found = torch.einsum("dyx,d->yx", noise[0, :, rows, rows].double(), noise[1, :, 3, 3].double()) / N_SAMPLES
    assert (found - torch.outer(along_y, along_x)).abs().max() < 5 * math.sqrt(2 / N_SAMPLES)
    assert found.max() > 0.5


@pytest.mark.parametrize("name", INTEGRAL)
def test_integral_noise_correlates_with_the_frame_before_by_the_area_in_common(name):
    """A pixel of value n shares ``a_j / sqrt(sum a)`` with a pixel of which it covers the area a_j."""
    flow = shift(0.25, -0.5, n_frames=2)  # at which 4 x 4 sub-cells have the areas of infinitely many
    noise = sample(name, flow)
    areas = hat_areas(flow, 0)
    assert areas.max() == 0.375
    expected = areas / areas.sum(dim=0).clamp(min=1e-12).sqrt()
    assert (correlation(noise[0], noise[1]) - expected).abs().max() < 5 * math.sqrt(2 / N_SAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("flow", OPTICAL_FLOWS.values(), ids=OPTICAL_FLOWS)
def test_integral_noise_of_infinite_pieces_correlates_by_area_under_any_optical_flow(flow):
    noise = sample("integral", flow)
    for t in range(2):
        areas = hat_areas(flow, t)
        expected = areas / areas.sum(dim=0).clamp(min=1e-12).sqrt()
        assert (correlation(noise[t], noise[t + 1]) - expected).abs().max() < 5 * math.sqrt(2 / N_SAMPLES)
        assert expected.max() > 0.4


def test_subcells_go_where_their_centres_do():
    """Of 4 x 4 sub-cells, a shift of 0.2 takes one column of four across the edge of a pixel, in each direction."""
    noise = sample("integral_4", shift(0.2, -0.2, n_frames=2))
    areas = hat_areas(shift(0.25, -0.25), 0)
    expected = areas / areas.sum(dim=0).sqrt()
    assert (correlation(noise[0], noise[1]) - expected).abs().max() < 5 * math.sqrt(2 / N_SAMPLES)


@pytest.mark.slow
def test_many_subcells_approach_infinite_pieces():
    flow = shift(0.37, -0.81, n_frames=2)
    shape = (2, N_SAMPLES, SIDE, SIDE)
    section = {"source": "integral", "subcells": 9}
    source = build_noise_source(TypeAdapter(AnyNoise).validate_python(section), flow, shape)
    noise = source.noise(shape, torch.Generator().manual_seed(0))
    areas = hat_areas(flow, 0)
    expected = areas / areas.sum(dim=0).clamp(min=1e-12).sqrt()
    rounding = 2 / 9
    assert (correlation(noise[0], noise[1]) - expected).abs().max() < rounding
    assert_white(noise[1])


@pytest.mark.parametrize("name", INTEGRAL)
def test_channels_of_integral_noise_are_independent(name):
    last = sample(name, random_optical_flow(side=60), n_channels=2)[-1].flatten(1)
    assert torch.corrcoef(last)[0, 1].abs() < 5 / 60


@pytest.mark.slow
@pytest.mark.parametrize(("x", "y"), [(0, 0), (2, -1), (0.4, 0.7), (-9, 0)])
def test_gaussian_process_noise_has_its_kernel_of_the_distance_in_the_first_frame(x, y):
    """Which holds for frames that a shift empties, too: the process is defined beyond the frame."""
    noise = sample("gp_warp", shift(x, y))
    step = torch.tensor([x, y], dtype=torch.float64)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    pixels = torch.stack([columns.flatten(), rows.flatten()], dim=1).double()
    for s in range(3):
        for t in range(3):
            apart = torch.cdist(pixels - s * step, pixels - t * step)
            expected = (-(apart**2) / (2 * LENGTH**2)).exp()
            assert (correlation(noise[s], noise[t]) - expected).abs().max() < GP_TOLERANCE


def test_gaussian_process_noise_has_unit_variance_under_any_optical_flow_and_number_of_features():
    section = {"source": "gp_warp", "length": 0.8, "features": 3}
    shape = (3, N_SAMPLES, SIDE, SIDE)
    source = build_noise_source(TypeAdapter(AnyNoise).validate_python(section), random_optical_flow(), shape)
    for frame in source.noise(shape, torch.Generator().manual_seed(0)):
        assert (correlation(frame, frame).diagonal() - 1).abs().max() < 5 * math.sqrt(2 / N_SAMPLES)


@pytest.mark.slow
def test_gaussian_process_noise_follows_optical_flows_composed_over_frames():
    """Magnified twice by 2 about the centre, a pixel holds what the first frame had at a quarter of the distance."""
    noise = sample("gp_warp", scaling(2.0))
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    last = torch.stack([columns.flatten(), rows.flatten()], dim=1).double()
    middle = (SIDE - 1) / 2
    first = middle + (last - middle) / 4
    expected = (-(torch.cdist(last, first) ** 2) / (2 * LENGTH**2)).exp()
    assert (correlation(noise[0], noise[2]) - expected).abs().max() < GP_TOLERANCE


@pytest.mark.parametrize("name", SECTIONS)
def test_a_sample_depends_on_its_generator_alone(name):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    noise = sample(name, random_optical_flow(), n_channels=2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(sample(name, random_optical_flow(), n_channels=2), noise)
    assert not torch.equal(sample(name, random_optical_flow(), n_channels=2, seed=1), noise)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_source_serves_many_samples(name):
    shape = (3, 2, SIDE, SIDE)
    source = build(name, random_optical_flow(), shape)
    generator = torch.Generator().manual_seed(0)
    first, second = source.noise(shape, generator), source.noise(shape, generator)
    assert first.shape == shape
    assert first.dtype == torch.float32
    assert not torch.equal(first, second)
    assert torch.equal(source.noise(shape, torch.Generator().manual_seed(0)), first)
    assert isinstance(source, NoiseSource)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_video_of_one_frame_is_sampled_too(name):
    flow = OpticalFlow(torch.zeros(0, 2, SIDE, SIDE), torch.zeros(0, 2, SIDE, SIDE))
    assert sample(name, flow, n_channels=3).shape == (1, 3, SIDE, SIDE)


@pytest.mark.parametrize("name", MOVING)
def test_noise_of_latents_moves_by_the_optical_flow_of_pixels_in_latent_pixels(name):
    shape = (3, 2, 12, 12)
    noise = build(name, shift(8, -4, side=48), shape).noise(shape, torch.Generator().manual_seed(0))
    assert torch.allclose(noise[1, :, :-1, 2:], noise[0, :, 1:, :-2], atol=1e-6)


@pytest.mark.parametrize("name", MOVING)
def test_an_optical_flow_of_another_number_of_frames_or_none_is_refused(name):
    with pytest.raises(InputError, match="joins 3 frames, the prior's latents have 4"):
        build(name, shift(1, 0), (4, 1, SIDE, SIDE))
    with pytest.raises(InputError, match="got none"):
        build(name, None, (4, 1, SIDE, SIDE))


def test_a_module_elsewhere_is_found_by_its_dotted_name_and_checks_its_own_keys(tmp_path, monkeypatch):
    (tmp_path / "my_noise.py").write_text(
        "import torch\n"
        "from step.config.sections import Positive, Section\n"
        "class Settings(Section):\n"
        "    source: str\n"
        "    level: Positive\n"
        "class Constant:\n"
        "    def __init__(self, level): self.level = level\n"
        "    def noise(self, shape, generator): return torch.full(shape, self.level)\n"
        "def build(settings, optical_flow, latent_shape): return Constant(settings.level)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    shape = (3, 1, 2, 2)

    def source(level: float) -> NoiseSource:
        section = {"source": "my_noise", "uses_optical_flow": False, "level": level}
        return build_noise_source(TypeAdapter(AnyNoise).validate_python(section), None, shape)

    assert torch.equal(source(2.0).noise(shape, torch.Generator()), torch.full(shape, 2.0))
    with pytest.raises(InputError, match=r"noise of source my_noise: level: .*greater than 0, not -1"):
        source(-1.0)


def test_a_source_that_is_nowhere_is_refused():
    section = {"source": "integrall", "uses_optical_flow": True}
    with pytest.raises(InputError, match=r"noise.source is 'integrall'; there is no module step.sampling.noise"):
        build_noise_source(TypeAdapter(AnyNoise).validate_python(section), None, (3, 1, 2, 2))
