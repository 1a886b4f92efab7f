"""The module of a classical reconstruction that the project does not know."""

MODULE = '''
"""The backprojection, as bright as the settings and a file say."""

from pathlib import Path

from step.config.sections import Positive, Section


class Settings(Section):
    brightness: Positive
    unit: Path


def reconstruct(forward_model, measurement, settings):
    return settings.brightness * float(settings.unit.read_text()) * forward_model.backprojection(measurement)
'''
