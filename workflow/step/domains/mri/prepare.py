"""The heart: raw cine sequences -> videos."""

from pathlib import Path

from step.domains.mri.data import MriData
from step.domains.mri.video_format import CineFormat as Settings


def settings_of(data: MriData, seed: int) -> Settings:
    """Return what the preparation of `data` uses, of which the study's `seed` is no part."""
    return Settings(**{name: getattr(data, name) for name in Settings.model_fields})


def prepare(settings: Settings, store: Path, output: Path) -> None:
    """Write the videos of the raw store `store` to `output`, one sequence in memory at a time."""
    from step.domains.mri.cine import prepare_sequence, window_starts
    from step.io.sequences import read_lengths, read_sequences
    from step.io.videos import write_videos
    from step.progress import track

    lengths = read_lengths(store).values()
    n_videos = sum(len(window_starts(n, settings.frames, settings.window_stride)) for n in lengths)
    shape = (n_videos, settings.frames, 2, settings.resolution, settings.resolution)
    sequences = track(read_sequences(store), "prepare", "sequence", len(lengths))
    write_videos(output, shape, (video for sequence in sequences for video in prepare_sequence(sequence, settings)))
