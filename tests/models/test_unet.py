from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from step.models.unet import DenoisingUNet


def network(temporal: bool) -> "DenoisingUNet":
    from step.models.unet import DenoisingUNet

    torch.manual_seed(0)
    return DenoisingUNet(
        latent_channels=2,
        block_channels=(8, 16),
        layers_per_block=1,
        norm_groups=4,
        attention_heads=2,
        context_width=4,
        condition_width=4,
        temporal=temporal,
    ).eval()


def disturbed(video_network: "DenoisingUNet") -> "DenoisingUNet":
    """Return the network with weights in its temporal branches, as after some training."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in video_network.named_parameters():
            if "temporal" in name or "frame_embedding" in name:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return video_network


LATENT = torch.randn(2, 3, 2, 8, 8, generator=torch.Generator().manual_seed(2))
T = torch.tensor([3.5, 700.0])


@torch.no_grad()
def test_an_inflated_network_equals_the_image_network_frame_by_frame():
    from step.models.unet import inflate

    image = network(temporal=False)
    assert torch.equal(inflate(image)(LATENT, T, temporal=True), image(LATENT, T, temporal=False))


def test_a_temporal_convolution_and_its_gradients_are_those_of_three_dimensions():
    from step.models.unet import TemporalConv

    torch.manual_seed(3)
    convolution = TemporalConv(4)
    video = torch.randn(2, 4, 5, 3, 2, requires_grad=True)
    leaves = (video, *convolution.parameters())
    expected = torch.nn.Conv3d.forward(convolution, video)
    ours = convolution(video)
    torch.testing.assert_close(ours, expected)
    weight = torch.randn_like(expected)
    pairs = [torch.autograd.grad((result * weight).sum(), leaves) for result in (ours, expected)]
    for gradient, reference in zip(*pairs, strict=True):
        torch.testing.assert_close(gradient, reference, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("block", ["spatial", "temporal"])
def test_what_is_left_of_attention_to_a_null_context_is_the_layer_itself(block):
    from diffusers.models.attention_processor import AttnProcessor2_0

    attention = getattr(network(temporal=True).middle[1], block).attn2
    learned = {name for name, parameter in attention.named_parameters() if parameter.requires_grad}
    torch.nn.init.normal_(attention.requires_grad_().to_out[0].bias)
    hidden = torch.randn(3, 5, 16, requires_grad=True)
    expected = AttnProcessor2_0()(attention, hidden, encoder_hidden_states=torch.zeros(3, 1, 4))
    assert torch.equal(attention(hidden), expected)
    weight = torch.randn_like(expected)
    gradients = dict(
        zip(
            ("hidden", *dict(attention.named_parameters())),
            torch.autograd.grad((expected * weight).sum(), (hidden, *attention.parameters())),
            strict=True,
        )
    )
    assert {name for name, gradient in gradients.items() if gradient.any()} == learned == {"to_out.0.bias"}
    [ours] = torch.autograd.grad((attention(hidden) * weight).sum(), attention.to_out[0].bias)
    torch.testing.assert_close(ours, gradients["to_out.0.bias"])


@torch.no_grad()
def test_trained_temporal_modules_change_the_video_but_nothing_when_switched_off():
    from step.models.unet import inflate

    image = network(temporal=False)
    video = disturbed(inflate(image))
    expected = image(LATENT, T, temporal=False)
    assert not torch.allclose(video(LATENT, T, temporal=True), expected, atol=1e-3)
    assert torch.equal(video(LATENT, T, temporal=False), expected)


@pytest.mark.slow
@torch.no_grad()
def test_with_the_switch_off_frames_are_independent_and_with_it_on_they_are_not():
    from step.models.unet import inflate

    video = disturbed(inflate(network(temporal=False)))
    other = LATENT.clone()
    other[:, 1:] += 1
    off = [video(latent, T, temporal=False)[:, 0] for latent in (LATENT, other)]
    on = [video(latent, T, temporal=True)[:, 0] for latent in (LATENT, other)]
    assert torch.equal(*off)
    assert not torch.allclose(*on, atol=1e-3)


@torch.no_grad()
def test_one_video_does_not_depend_on_the_others_of_its_batch():
    from step.models.unet import inflate

    video = disturbed(inflate(network(temporal=False)))
    together = video(LATENT, T, temporal=True)
    alone = torch.cat([video(LATENT[i : i + 1], T[i : i + 1], temporal=True) for i in range(2)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_every_temporal_branch_receives_a_gradient_from_the_start():
    from step.models.unet import inflate

    video = inflate(network(temporal=False))
    video(LATENT, T, temporal=True).square().mean().backward()
    for name, parameter in video.named_parameters():
        if name.endswith(("conv2.weight", "ff.net.2.weight", "attn1.to_out.0.weight")) and "temporal" in name:
            assert parameter.grad.abs().sum() > 0, name


def test_an_image_network_refuses_to_be_switched_on():
    with pytest.raises(ValueError, match="inflate it"):
        network(temporal=False)(LATENT, T, temporal=True)


@pytest.mark.slow
def test_a_saved_network_comes_back_the_same(tmp_path):
    from step.models.unet import DenoisingUNet, inflate

    video = disturbed(inflate(network(temporal=False)))
    video.save_pretrained(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        "config.json",
        "diffusion_pytorch_model.safetensors",
    }
    loaded = DenoisingUNet.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded(LATENT, T, temporal=True), video(LATENT, T, temporal=True))
