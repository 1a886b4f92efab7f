"""What posterior samples are told apart by: how they look and how they move.

A descriptor is a module with ``describe(frames, truth, geometry)`` that returns a `Description`: `frames` are the
samples (sample, time, y, x) and `truth` the true video (time, y, x), None where there is none, both of brightness in
[0, 1]; `geometry` is what the domain says of its videos, such as `field_of_view_uas` and `cadence_s`. Samples are told
apart by its features and vectors; its quantities are what a physicist or a physician asks for.
"""
