"""Draw one video by spatiotemporal priors: frames, their errors, and the flow averaged over time."""

import argparse

from step.cli.motion import MotionSettings, add_motion, motion_of_task, read_motion

Settings = MotionSettings
select = motion_of_task
add_arguments = add_motion


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers; raises `InputError` where truth or reconstruction lacks."""
    from step.figures.priors import draw_priors, see_priors, write_priors_data
    from step.figures.style import save_figure

    picture = see_priors(*read_motion(arguments, settings))
    save_figure(draw_priors(picture, settings.display), arguments.output)
    write_priors_data(picture, arguments.data)
