"""The exceptions that a user is meant to read."""


class InputError(Exception):
    """Something that the user gave cannot be used; the message says the fact, the value and the remedy.

    The command line prints the message as a single line and exits with status 1.
    """


class Interrupted(Exception):
    """The job was asked to stop; its state is written, and the same command goes on from there (exit status 75)."""
