"""Which jobs a study has: names of held-out videos, and who does what. Known before there is any data."""

from functools import cache
from math import ceil

from step.config.study import Config


def held_out_videos(config: Config, domain: str) -> list[str]:
    """Return the names of a domain's test videos, ``video000`` on."""
    return list(_video_names(config.video_format(domain).test_videos))


def compared_method(config: Config) -> str:
    """Return the method that the tables compare all others with: ``step_joint``, or the last where there is none."""
    return "step_joint" if "step_joint" in config.methods else list(config.methods)[-1]


def sample_ranges(samples: range, per_job: int) -> dict[str, tuple[int, int]]:
    """Return the first number of the samples of each job and the one after its last, by the job's name."""
    jobs = shards([str(number) for number in samples], per_job)
    return {shard: (int(numbers[0]), int(numbers[-1]) + 1) for shard, numbers in jobs.items()}


def shards(names: list[str], per_job: int) -> dict[str, list[str]]:
    """Return `names` distributed in order over jobs of `per_job`, by the jobs' names ``000`` on."""
    return {
        f"{number:03d}": names[number * per_job : (number + 1) * per_job]
        for number in range(ceil(len(names) / per_job))
    }


def sampling_shards(config: Config, task: str) -> dict[str, list[str]]:
    """Return the test videos of each sampling job of one method."""
    settings = config.tasks[task]
    return dict(_shards_of_videos(config.video_format(settings.domain).test_videos, settings.videos_per_job))


# Every job asks for them: made anew for each, planning would take the square of their number.
@cache
def _video_names(n_videos: int) -> tuple[str, ...]:
    return tuple(f"video{number:03d}" for number in range(n_videos))


@cache
def _shards_of_videos(n_videos: int, per_job: int) -> dict[str, list[str]]:
    return shards(list(_video_names(n_videos)), per_job)
