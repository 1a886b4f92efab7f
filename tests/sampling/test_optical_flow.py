import pytest
import torch
from step.errors import InputError
from step.sampling.optical_flow import OpticalFlow, optical_flow_of_latents, resized


def centres(size: int) -> torch.Tensor:
    """Return where the centres of `size` pixels are, in widths of the frame."""
    return (torch.arange(size) + 0.5) / size


def magnifying(height: int, width: int, x: float, y: float, n_optical_flows: int = 1) -> torch.Tensor:
    """Return the displacements of a motion that moves x by `x` times its distance from the left edge, and y alike."""
    along_x = (x * width * centres(width)).expand(height, width)
    along_y = (y * height * centres(height))[:, None].expand(height, width)
    return torch.stack([along_x, along_y]).expand(n_optical_flows, 2, height, width)


def test_eight_pixels_of_48_are_two_latent_pixels_of_12():
    eight = torch.full((3, 2, 48, 48), 8.0)
    small = resized(OpticalFlow(eight, -eight), 12, 12)
    assert torch.equal(small.forward, torch.full((3, 2, 12, 12), 2.0))
    assert torch.equal(small.backward, -small.forward)


def test_each_axis_scales_with_its_own_ratio():
    flow = torch.ones(1, 2, 32, 24)
    small = resized(OpticalFlow(flow, flow), 4, 12).forward
    assert torch.equal(small[:, 0], torch.full((1, 4, 12), 1 / 2))
    assert torch.equal(small[:, 1], torch.full((1, 4, 12), 1 / 8))


@pytest.mark.parametrize(("height", "width"), [(12, 6), (48, 24), (6, 12)])
def test_a_magnification_is_the_same_motion_on_every_grid(height, width):
    """Which holds for pixel centres at integers and the edge at -1/2: the centres' convention of the resized grid."""
    flow = magnifying(48, 24, x=0.25, y=-0.5)
    small = resized(OpticalFlow(flow, flow), height, width)
    assert torch.allclose(small.forward, magnifying(height, width, x=0.25, y=-0.5), atol=1e-5)


def test_a_latent_pixel_moves_as_the_pixels_that_it_covers_do_on_average():
    flow = torch.zeros(1, 2, 8, 8)
    flow[0, 0, 4:6, 2:4] = torch.tensor([[4.0, 8.0], [12.0, 16.0]])
    small = resized(OpticalFlow(flow, flow), 4, 4).forward
    assert small[0, 0, 2, 1] == 5.0
    assert small.count_nonzero() == 1


def test_an_optical_flow_of_another_number_of_frames_is_refused():
    flow = OpticalFlow(torch.zeros(4, 2, 8, 8), torch.zeros(4, 2, 8, 8))
    assert optical_flow_of_latents(flow, (5, 1, 2, 2)).forward.shape == (4, 2, 2, 2)
    with pytest.raises(
        InputError, match=r"the forward optical flow joins 5 frames, the prior's latents have 6; estimate it"
    ):
        optical_flow_of_latents(flow, (6, 1, 2, 2))
    with pytest.raises(InputError, match="the backward optical flow joins 4 frames"):
        optical_flow_of_latents(OpticalFlow(flow.forward, flow.backward[1:]), (5, 1, 2, 2))


def test_a_missing_optical_flow_is_refused():
    with pytest.raises(InputError, match="needs the optical flow of the video and got none; give it one"):
        optical_flow_of_latents(None, (5, 1, 2, 2))


def test_an_optical_flow_that_is_not_finite_is_refused():
    broken = torch.zeros(4, 2, 8, 8)
    broken[2, 1, 3, 3] = torch.nan
    with pytest.raises(InputError, match="the backward optical flow holds values that are not finite"):
        optical_flow_of_latents(OpticalFlow(torch.zeros(4, 2, 8, 8), broken), (5, 1, 2, 2))
