import time

import numpy as np
import pytest
import torch
from step.io.videos import PreparedVideo, VideoRecord, VideoStore, write_videos
from step.training.batches import ImageSet, VideoSet

N_VIDEOS = 24
SHAPE = (12, 2, 192, 192)
"""One video of the paper's MRI study."""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> VideoStore:
    folder = tmp_path_factory.mktemp("prepared")
    frames = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    videos = (PreparedVideo(f"v{n}", f"P{n}", f"s{n}", 1.0, 0.0, frames + n) for n in range(N_VIDEOS))
    write_videos(folder / "000.h5", (N_VIDEOS, *SHAPE), videos)
    records = [VideoRecord(f"v{n}", f"P{n}", f"s{n}", "000.h5", n, "video", "train", "video") for n in range(N_VIDEOS)]
    return VideoStore(folder / "index.csv", records)


class MemoryStore:
    """The same videos, loaded."""

    def __init__(self, store: VideoStore):
        self.records = store.records
        self._videos = [np.array(store.video(n)) for n in range(len(store))]

    def __len__(self) -> int:
        return len(self._videos)

    def video(self, number: int) -> np.ndarray:
        return self._videos[number]


def seconds(work, repetitions: int) -> float:
    """Return the shortest time of one call, after one that warms up."""
    work()
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.slow
def test_reading_a_batch_from_the_store_costs_less_than_a_tenth_of_a_step_more_than_from_memory(store):
    from step.models.unet import DenoisingUNet

    memory = MemoryStore(store)
    numbers = [n * 7 % N_VIDEOS for n in range(4)]
    extra_videos = seconds(lambda: VideoSet(store).read(numbers), 5) - seconds(
        lambda: VideoSet(memory).read(numbers), 5
    )
    image_numbers = [n * 17 % (N_VIDEOS * 12) for n in range(16)]
    stored_images, loaded_images = (ImageSet(source, 12, 10**6, 0) for source in (store, memory))
    extra_images = seconds(lambda: stored_images.read(image_numbers), 5)
    extra_images -= seconds(lambda: loaded_images.read(image_numbers), 5)
    # The demo's network on the paper's latents, far below what a step of the paper's networks costs.
    network = DenoisingUNet(
        latent_channels=2,
        block_channels=(32, 64),
        layers_per_block=1,
        norm_groups=8,
        attention_heads=4,
        context_width=8,
        condition_width=8,
        temporal=True,
    )
    latent = torch.randn(4, 12, 2, 24, 24)
    step = seconds(lambda: network(latent, 5.0, temporal=True).square().mean().backward(), 2)
    assert extra_videos < 0.1 * step
    assert extra_images < 0.1 * step


@pytest.mark.slow
def test_asking_for_a_video_reads_nothing_but_its_bytes(store):
    video = store.video(3)
    assert isinstance(video, np.memmap)
    assert video.base is not None
    assert video.shape == SHAPE
