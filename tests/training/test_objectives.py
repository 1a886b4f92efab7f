import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from step.cli.train import select
from step.config.data import Augmentation
from step.config.priors import Autoencoder
from step.config.study import load_config
from step.diffusion.schedule import LinearBetaSchedule
from step.io.videos import PreparedVideo, VideoRecord, VideoStore, write_videos
from step.physics.display import DARK, to_unit_range
from step.training.batches import ImageSet, ShuffledBatches, VideoSet, prefetch, sample_transforms, transform
from step.training.objectives import autoencoder_loss, denoising_loss, mean_in_parts

NO_CHANGE = Augmentation(flips=False, zoom=(1.0, 1.0), probability=0.0)


def autoencoder(patch_size: int = 1):
    from step.models.autoencoder import build_autoencoder

    torch.manual_seed(0)
    settings = Autoencoder(
        latent_channels=2,
        patch_size=patch_size,
        block_channels=(4, 4),
        layers_per_block=1,
        norm_groups=2,
        attention=False,
    )
    return build_autoencoder(settings, channels=2)


@pytest.fixture
def store(tmp_path) -> VideoStore:
    """Six videos of three frames, whose pixels say which video and frame they belong to."""
    frames = np.zeros((6, 3, 2, 8, 8), np.float32)
    frames[:] = np.arange(6)[:, None, None, None, None] + 0.1 * np.arange(3)[None, :, None, None, None]
    videos = [PreparedVideo(f"v{n}", f"P{n}", f"s{n}", 1.0, 0.0, frames[n]) for n in range(6)]
    write_videos(tmp_path / "prepared.h5", frames.shape, videos)
    records = [VideoRecord(f"v{n}", f"P{n}", f"s{n}", "prepared.h5", n, "video", "train", "video") for n in range(6)]
    return VideoStore(tmp_path / "index.csv", records)


def test_autoencoder_loss_is_equation_16_over_the_number_of_pixels():
    from step.models.autoencoder import PosteriorSample

    network = PosteriorSample(autoencoder(), 1)
    images, noise = torch.randn(3, 2, 8, 8), torch.randn(3, 2, 4, 4)
    with torch.no_grad():
        loss = autoencoder_loss(network, images, noise, kl_weight=0.03)
        posterior = network.network.encode(images).latent_dist
        restored = network.network.decode(posterior.mean + posterior.std * noise).sample
        mean, variance = posterior.mean, posterior.var
        kl = 0.5 * (mean**2 + variance - 1 - variance.log()).sum(dim=(1, 2, 3))
        summed = (restored - images).abs().sum(dim=(1, 2, 3)) + 0.03 * kl
    assert loss.item() == pytest.approx((summed.mean() / (2 * 8 * 8)).item(), rel=1e-5)


def test_denoising_loss_of_a_perfect_network_is_zero_and_of_a_silent_one_the_variance():
    schedule = LinearBetaSchedule(1000, 1e-4, 0.02)
    latent, noise = torch.randn(4, 3, 1, 8, 8), torch.randn(4, 3, 1, 8, 8)
    t = torch.tensor([0, 10, 500, 999])
    assert denoising_loss(lambda z, t, temporal: noise, schedule, latent, noise, t, True) == 0
    silent = denoising_loss(lambda z, t, temporal: torch.zeros_like(z), schedule, latent, noise, t, True)
    assert silent.item() == pytest.approx(noise.square().mean().item())


def test_joint_training_keeps_the_ratio_of_video_steps():
    from step.training.denoiser import is_video_step

    n_steps, p_joint = 4000, 0.8
    share = np.mean([is_video_step(0, step, p_joint) for step in range(n_steps)])
    assert abs(share - p_joint) < 4 * math.sqrt(p_joint * (1 - p_joint) / n_steps)
    assert all(is_video_step(0, step, 1.0) for step in range(200))
    assert not any(is_video_step(0, step, 0.0) for step in range(200))


def test_an_epoch_sees_every_example_once_and_another_seed_another_order():
    order = ShuffledBatches(10, 5, seed=1, name="images")
    first = order.batch(0) + order.batch(1)
    assert sorted(first) == list(range(10))
    assert sorted(order.batch(2) + order.batch(3)) == list(range(10))
    assert first != order.batch(2) + order.batch(3)
    assert first == [
        *ShuffledBatches(10, 5, seed=1, name="images").batch(0),
        *ShuffledBatches(10, 5, seed=1, name="images").batch(1),
    ]
    assert first != [
        *ShuffledBatches(10, 5, seed=2, name="images").batch(0),
        *ShuffledBatches(10, 5, seed=2, name="images").batch(1),
    ]


def test_a_batch_larger_than_the_set_goes_round(store):
    order = ShuffledBatches(6, 8, seed=0, name="videos")
    assert order.steps_per_epoch == 1
    assert len(order.batch(0)) == 8


def test_images_are_frames_of_the_training_videos_up_to_their_limit(store):
    everything = ImageSet(store, frames=3, limit=100, seed=0)
    assert len(everything) == 18
    values = everything.read(list(range(18)))[:, 0, 0, 0]
    assert sorted(values.round(decimals=1).tolist()) == pytest.approx([v + 0.1 * t for v in range(6) for t in range(3)])
    assert len(ImageSet(store, frames=3, limit=7, seed=0)) == 7


def test_videos_come_as_they_were_written(store):
    videos = VideoSet(store).read([4, 1])
    assert videos.shape == (2, 3, 2, 8, 8)
    assert videos[:, 2, 0, 0, 0].tolist() == pytest.approx([4.2, 1.2])


def test_flips_mirror_all_frames_of_a_video_alike():
    video = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(1, 2, 3, 4, 4)
    flip_x = torch.tensor([[[-1.0, 0, 0], [0, 1.0, 0]]])
    assert torch.allclose(transform(video, flip_x, 0.0), video.flip(-1), atol=1e-4)
    settings = Augmentation(flips=True, zoom=(1.0, 1.0), probability=1.0)
    transforms = sample_transforms(400, settings, torch.Generator().manual_seed(0))
    assert transforms[:, 0, 0].mean().abs() < 0.2
    assert transforms[:, 1, 1].mean().abs() < 0.2
    assert (transforms[:, :, :2].abs().sum(dim=(1, 2)) == 2).all()


def test_flips_and_zooms_have_the_distribution_that_the_configuration_describes():
    settings = Augmentation(flips=True, zoom=(0.8, 1.25), probability=0.3)
    transforms = sample_transforms(20_000, settings, torch.Generator().manual_seed(1))
    scale_x, scale_y = transforms[:, 0, 0], transforms[:, 1, 1]
    quarters = [((scale_x.sign() == x) & (scale_y.sign() == y)).float().mean() for x in (-1, 1) for y in (-1, 1)]
    assert torch.stack(quarters).numpy() == pytest.approx([0.25] * 4, abs=0.015)
    assert torch.equal(scale_x.abs(), scale_y.abs())
    zoomed = scale_x.abs() != 1
    assert zoomed.float().mean() == pytest.approx(0.3, abs=0.015)
    # Uniform in its logarithm, whatever the flips.
    level = -(scale_x.abs()[zoomed].log()) / math.log(1.25)
    assert kstest(level.numpy(), "uniform", args=(-1, 2)).pvalue > 0.01
    assert torch.corrcoef(torch.stack([level, scale_x[zoomed].sign()]))[0, 1].abs() < 0.05


def test_an_example_of_a_batch_is_transformed_as_it_is_alone():
    videos = torch.randn(6, 3, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    transforms = sample_transforms(6, Augmentation(flips=True, zoom=(0.8, 1.25), probability=0.5), torch.Generator())
    together = transform(videos, transforms, -1.0)
    alone = [transform(videos[n : n + 1], transforms[n : n + 1], -1.0) for n in range(6)]
    assert torch.equal(together, torch.cat(alone))


def test_zoom_is_within_its_bounds_and_none_changes_nothing():
    settings = Augmentation(flips=False, zoom=(0.8, 1.25), probability=1.0)
    zoom = 1 / sample_transforms(500, settings, torch.Generator().manual_seed(0))[:, 0, 0]
    assert zoom.min() >= 0.8
    assert zoom.max() <= 1.25
    assert zoom.log().mean().abs() < 0.03
    video = torch.randn(2, 3, 1, 6, 6)
    same = transform(video, sample_transforms(2, NO_CHANGE, torch.Generator().manual_seed(0)), 0.0)
    assert torch.allclose(same, video, atol=1e-5)


@pytest.mark.parametrize("display", ["magnitude", "unit_range"])
def test_what_a_zoom_brings_in_from_outside_has_no_signal_and_smears_no_edge(display):
    dark = DARK[display]
    video = torch.full((1, 2, 1, 16, 16), 0.75)
    video[..., ::2] = 0.25  # stripes that meet the border: repeated, they would be streaks
    halved = torch.tensor([[[2.0, 0, 0], [0, 2.0, 0]]])
    zoomed = transform(video, halved, dark)
    inside = torch.zeros(16, 16, dtype=bool)
    inside[4:12, 4:12] = True
    assert (zoomed[..., ~inside] == dark).all()
    assert torch.allclose(zoomed[..., 4:12, 4:12], torch.tensor(0.5), atol=1e-6)


def test_the_edge_of_a_zoomed_frame_lies_between_its_value_and_the_dark():
    video = torch.full((1, 1, 1, 8, 8), 1.0)
    row = transform(video, torch.tensor([[[1.25, 0, 0], [0, 1.25, 0]]]), DARK["unit_range"])[0, 0, 0, 4]
    # Pixel 0, at -3.5 pixels of the middle, shows what lies at -3.5 * 1.25: 0.875 of a pixel before the first centre.
    assert row[0].item() == pytest.approx(1 - 2 * 0.875, abs=1e-5)
    assert torch.allclose(row[1:7], torch.tensor(1.0), atol=1e-6)


@pytest.mark.parametrize("display", ["magnitude", "unit_range"])
def test_the_value_of_no_signal_is_seen_as_brightness_0(display):
    assert to_unit_range(np.full((1, 4, 4), DARK[display]), np.ones((1, 4, 4)), display).max() == 0


def test_latents_are_of_examples_that_are_dark_outside():
    from step.training.denoiser import LatentBatches

    class Process:
        device, process_index, num_processes = torch.device("cpu"), 0, 1

    class Frames:
        def to(self, device):
            return self

        def encode(self, video: torch.Tensor) -> torch.Tensor:
            return video

    class Training:
        augmentation = Augmentation(flips=True, zoom=(0.5, 0.5), probability=1.0)

    batches = LatentBatches(Frames(), LinearBetaSchedule(1000, 1e-4, 0.02), DARK["unit_range"], 4, 0, Process())
    latent, _, _ = batches.batch(torch.ones(2, 3, 1, 8, 8), torch.Generator().manual_seed(0), Training())
    assert (latent[..., :2, :] == -1).all()
    assert torch.allclose(latent[..., 2:6, 2:6], torch.ones(()), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("domain", "dark"), [("mri", 0.0), ("blackhole", -1.0)])
def test_a_training_knows_its_domain_s_value_of_no_signal(domain, dark):
    settings = select(load_config(), domain=domain, prior="autoencoder")
    assert DARK[settings.display] == dark


def test_processes_share_out_the_batch_and_its_random_numbers():
    from step.models.autoencoder import FrameAutoencoder
    from step.training.denoiser import LatentBatches

    class Process:
        device = torch.device("cpu")

        def __init__(self, rank: int, world: int):
            self.process_index, self.num_processes = rank, world

    class Training:
        augmentation = Augmentation(flips=True, zoom=(0.8, 1.25), probability=0.5)

    schedule = LinearBetaSchedule(1000, 1e-4, 0.02)
    frames = FrameAutoencoder(autoencoder(), [0.0, 0.0], [1.0, 1.0], 1)
    examples = torch.randn(4, 3, 2, 8, 8)

    def prepare(rank: int, world: int):
        batches = LatentBatches(frames, schedule, 0.0, 3, 0, Process(rank, world))
        mine = batches.mine(list(range(4)))
        return batches.batch(examples[mine], batches.generator("video", 5), Training())

    alone = prepare(0, 1)
    shared = [prepare(rank, 2) for rank in range(2)]
    for whole, *parts in zip(alone, *shared, strict=True):
        for rank, part in enumerate(parts):
            assert torch.allclose(whole[rank::2].float(), part.float(), atol=1e-5)


@pytest.mark.parametrize("temporal", [False, True])
def test_a_trained_autoencoder_encodes_as_many_frames_at_once_as_it_may_and_the_validation_loss_is_the_same(temporal):
    from step.training.denoiser import LatentBatches

    class Process:
        device, process_index, num_processes = torch.device("cpu"), 0, 1

    class Training:
        augmentation = NO_CHANGE

    class Frames:
        most = 0

        def to(self, device):
            return self

        def encode(self, video: torch.Tensor) -> torch.Tensor:
            self.most = max(self.most, video.shape[0] * video.shape[1])
            return video[..., ::2, ::2]

    class Network:
        most = 0

        def __call__(self, noisy: torch.Tensor, t: torch.Tensor, temporal: bool) -> torch.Tensor:
            self.most = max(self.most, noisy.shape[0] if temporal else noisy.shape[0] * noisy.shape[1])
            return noisy * (t.float() / 1000).reshape(-1, 1, 1, 1, 1)

    videos, schedule = torch.randn(5, 3, 2, 8, 8), LinearBetaSchedule(1000, 1e-4, 0.02)

    def validate(frames_at_once: int, batch_size: int) -> tuple[float, int, int]:
        frames, network = Frames(), Network()
        latents = LatentBatches(frames, schedule, 0.0, frames_at_once, 0, Process())
        latents.batch(videos, latents.generator("video", 0), Training())
        loss = latents.objective(None, videos, temporal, batch_size).validation_loss(network)
        return loss, frames.most, network.most

    whole, *_ = validate(100, 100)
    loss, encoded, denoised = validate(4, 2)
    assert loss == pytest.approx(whole, rel=1e-6)
    assert (encoded, denoised) == (4, 2)


def test_the_mean_loss_in_parts_is_that_of_all():
    examples = torch.arange(7.0), torch.ones(7)
    assert mean_in_parts(lambda x, y: (x * y).mean(), examples, 3) == pytest.approx(3.0)


def test_prefetched_batches_come_in_order_and_errors_come_through():
    assert list(prefetch(lambda step: step**2, 2, 6)) == [4, 9, 16, 25]
    assert list(prefetch(lambda step: step, 3, 3)) == []
    with pytest.raises(ZeroDivisionError):
        list(prefetch(lambda step: 1 // step, 0, 2))


def test_standardised_latents_decode_to_what_plain_ones_do():
    from step.models.autoencoder import FrameAutoencoder

    network = autoencoder().eval()
    plain = FrameAutoencoder(network, [0.0, 0.0], [1.0, 1.0], 1)
    shifted = FrameAutoencoder(network, [0.5, -1.0], [2.0, 0.1], 1)
    video = torch.randn(1, 3, 2, 8, 8)
    with torch.no_grad():
        latent = shifted.encode(video)
        expected = (plain.encode(video) - torch.tensor([0.5, -1.0]).reshape(2, 1, 1)) / torch.tensor(
            [2.0, 0.1]
        ).reshape(2, 1, 1)
        assert torch.allclose(latent, expected, atol=1e-5)
        assert torch.allclose(shifted.decode(latent), plain.decode(plain.encode(video)), atol=1e-5)


def test_patches_are_pixels_of_more_channels_and_lose_nothing():
    """The network sees a 2 x 2 patch as one pixel; frames keep their shape and every pixel its place."""
    from step.models.autoencoder import FrameAutoencoder, PosteriorSample

    network = autoencoder(patch_size=2).eval()
    video = torch.randn(1, 3, 2, 8, 8)
    patched = FrameAutoencoder(network, [0.0, 0.0], [1.0, 1.0], 2)
    patches = torch.stack([video[0, :, :, y::2, x::2] for y in range(2) for x in range(2)], dim=2).flatten(1, 2)
    with torch.no_grad():
        latent = patched.encode(video)
        assert latent.shape == (1, 3, 2, 2, 2)
        assert torch.equal(latent[0], network.encode(patches).latent_dist.mean)
        decoded, of_network = patched.decode(latent)[0], network.decode(latent[0]).sample
        assert decoded.shape == (3, 2, 8, 8)
        for channel in range(2):
            for y in range(2):
                for x in range(2):
                    assert torch.equal(decoded[:, channel, y::2, x::2], of_network[:, 4 * channel + 2 * y + x])
        restored, _ = PosteriorSample(network, 2)(video[0], torch.zeros(3, 2, 2, 2))
        assert torch.allclose(restored, decoded, atol=1e-6)
