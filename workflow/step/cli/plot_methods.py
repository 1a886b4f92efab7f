"""Draw one video by all methods and how each moves: frames, a slice through time, and the flow averaged over time."""

import argparse

from step.cli.motion import MotionSettings, add_motion, motion_of_task, read_motion

Settings = MotionSettings
select = motion_of_task
add_arguments = add_motion


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Write the picture and its numbers; raises `InputError` where truth or reconstruction lacks."""
    from step.figures.methods import draw_methods, see_methods, write_methods_data
    from step.figures.style import save_figure

    picture = see_methods(*read_motion(arguments, settings))
    save_figure(draw_methods(picture, settings.display), arguments.output)
    write_methods_data(picture, arguments.data)
