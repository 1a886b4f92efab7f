"""The operations counted from widths, against those that PyTorch counts as it runs the networks."""

import pytest
import torch
from step.config.study import BASE_CONFIG, load_config
from step.estimate.operations import decoding, denoising, encoding
from torch.utils.flop_counter import FlopCounterMode

CONFIGS = {"paper": BASE_CONFIG, "demo": BASE_CONFIG.with_name("demo.yaml")}


def counted(function) -> float:
    """Return the Gflop that PyTorch counts in `function`."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 1e9


@pytest.fixture(scope="module", params=CONFIGS)
def study(request):
    return load_config(CONFIGS[request.param])


@pytest.mark.slow
@pytest.mark.parametrize("domain", ["mri", "blackhole"])
def test_a_frame_is_decoded_and_encoded_by_as_many_operations_as_pytorch_counts(study, domain):
    from step.models.autoencoder import build_autoencoder

    video, settings = study.video_format(domain), study.priors[domain].autoencoder
    inner, side = settings.patch_size**2 * video.channels, video.resolution // settings.patch_size
    latent = video.resolution // settings.downsampling
    with torch.device("meta"):
        network = build_autoencoder(settings, video.channels)
        decoded = counted(lambda: network.decode(torch.empty(1, settings.latent_channels, latent, latent)))
        encoded = counted(lambda: network.encode(torch.empty(1, inner, side, side)))
    assert decoding(settings, video.channels, video.resolution) == pytest.approx(decoded, rel=0.01)
    assert encoding(settings, video.channels, video.resolution) == pytest.approx(encoded, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("temporal", [False, True])
@pytest.mark.parametrize("domain", ["mri", "blackhole"])
def test_a_latent_video_is_denoised_by_as_many_operations_as_pytorch_counts(study, domain, temporal):
    from step.models.architectures import build_denoiser

    priors, shape = study.priors[domain], study.latent_shape(domain)
    with torch.device("meta"):
        network = build_denoiser(priors.chosen_denoiser, shape[1], temporal)
        found = counted(lambda: network(torch.empty(1, *shape), torch.zeros(()), temporal=temporal))
    assert denoising(priors.denoiser, shape, temporal) == pytest.approx(found, rel=0.01)
