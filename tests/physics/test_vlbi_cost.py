"""What the separable transform costs at the paper's size, against the matrix of the same transform."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from eht_observations import PROJECT, crescent, forward_model
from step.contracts import Measurement
from step.physics.vlbi import ClosureImaging, brightness

N_FRAMES, N_PIXELS = 64, 256


def gradient(model: ClosureImaging, video: torch.Tensor, measured: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the gradient of the likelihood at `video`."""
    video = video.detach().requires_grad_()
    return torch.autograd.grad(model.negative_log_likelihood(video, measured).sum(), video)[0]


def dense_matrix(model: ClosureImaging, uv: torch.Tensor) -> torch.Tensor:
    """Return the transform as a matrix (time, baseline, pixel), complex64."""
    position = model.pixel_rad * ((N_PIXELS - 1) / 2 - torch.arange(N_PIXELS, dtype=torch.float64))
    pulse = torch.special.sinc(uv * model.pixel_rad).square().prod(-1)[..., None]
    u, v = (torch.exp(2j * torch.pi * uv[..., axis, None] * position) for axis in (0, 1))
    return ((pulse * v)[..., :, None] * u[..., None, :]).flatten(-2).to(torch.complex64)


class DenseImaging(ClosureImaging):
    """The same measurement by the matrix."""

    def __init__(self, model: ClosureImaging, matrix: torch.Tensor):
        super().__init__(model.settings, model.n_frames, model.n_pixels, model.noise_level)
        self.matrix = matrix

    def _visibilities(self, image: torch.Tensor, prepared: Measurement) -> torch.Tensor:
        pixels = image.flatten(-2)[0, ..., None].to(torch.complex64)
        return (self.matrix @ pixels)[None, ..., 0]


def seconds(work: Callable[[], object]) -> float:
    """Return the shortest of several times, after one call that warms up."""
    work()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.long
def test_the_gradient_is_at_least_five_times_faster_than_by_the_matrix_and_the_same(record_property):
    model = forward_model(N_FRAMES, N_PIXELS)
    measured = model.measure(crescent(N_FRAMES, N_PIXELS), torch.Generator().manual_seed(0))
    video = crescent(N_FRAMES, N_PIXELS, seed=1)
    dense = DenseImaging(model, dense_matrix(model, measured["uv"][0]))
    precise = gradient(model, video.double(), measured)
    # In float32; the matrix sums 65,536 products in a row.
    for one, error in ((model, 1e-4), (dense, 2e-3)):
        found = gradient(one, video, measured).double()
        torch.testing.assert_close(found, precise, rtol=0, atol=error * precise.abs().max().item())
    ours, theirs = (seconds(lambda one=one: gradient(one, video, measured)) for one in (model, dense))
    for name, value in (("separable_s", ours), ("dense_s", theirs)):
        record_property(name, value)
        print(f"{name} {value:.4f}")
    assert theirs > 5 * ours


MEMORY = """
import torch, test_vlbi_cost as t
from eht_observations import crescent, forward_model
model = forward_model(64, 256)
measured = model.measure(crescent(64, 256), torch.Generator().manual_seed(0))
video = crescent(64, 256, seed=1)
t.gradient(model, video[:, :2], {name: array[:, :2] for name, array in measured.items()})
before = t.forget_peak_mb()
t.gradient(model, video, measured)
print(t.memory_mb("VmHWM") - before)
"""


def forget_peak_mb() -> float:
    """Return the memory of this process, which from now on is its peak so far."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_mb("VmRSS")


def memory_mb(name: str) -> float:
    return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets a peak of memory")
def test_the_gradient_needs_less_than_100_mb_beside_the_video():
    path = os.pathsep.join([str(PROJECT / "tests/physics"), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    job = subprocess.run([sys.executable, "-c", MEMORY], env=environment, capture_output=True, text=True, check=True)
    used_mb, video_mb = float(job.stdout), N_FRAMES * N_PIXELS**2 * 4 / 2**20
    print(f"{used_mb:.0f} MB, of which the gradient itself is {video_mb:.0f}")
    assert video_mb < used_mb < 100


@pytest.mark.slow
def test_the_matrix_of_the_comparison_is_the_transform():
    model = forward_model(2, N_PIXELS)
    video = crescent(2, N_PIXELS)
    uv = model.measure(video, torch.Generator().manual_seed(0))["uv"]
    expected = model.ideal_visibilities(video, uv)
    found = dense_matrix(model, uv[0]) @ brightness(video)[0].flatten(-2)[..., None].to(torch.complex64)
    torch.testing.assert_close(found[None, ..., 0], expected, rtol=1e-3, atol=1e-5 * expected.abs().max().item())
