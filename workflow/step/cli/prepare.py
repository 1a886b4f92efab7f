"""Cut, crop and scale the sequences of a raw store into videos of the study's size."""

import argparse
import logging
from pathlib import Path

from step.config.study import Config
from step.prepare.settings import CineFormat

logger = logging.getLogger(__name__)


class Settings(CineFormat):
    """What preparation uses."""


def select(config: Config, domain: str) -> Settings:
    """Return the settings of the preparation of `domain`."""
    data = config.video_format(domain)
    return Settings(**{name: getattr(data, name) for name in Settings.model_fields})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of the stage."""
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="raw store (.h5)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="prepared videos to write (.h5)")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the prepared videos of one raw store."""
    from tqdm import tqdm

    from step.io.sequences import read_lengths, read_sequences
    from step.io.videos import write_videos
    from step.prepare.cine import prepare_sequence, window_starts

    lengths = read_lengths(arguments.input).values()
    n_videos = sum(len(window_starts(n, settings.frames, settings.window_stride)) for n in lengths)
    shape = (n_videos, settings.frames, 2, settings.resolution, settings.resolution)
    sequences = tqdm(read_sequences(arguments.input), "prepare", len(lengths), unit="sequence", disable=None)
    videos = (video for sequence in sequences for video in prepare_sequence(sequence, settings))
    write_videos(arguments.output, shape, videos)
    logger.info("wrote %s with %d videos", arguments.output, n_videos)
