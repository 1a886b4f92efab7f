"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Something that the user gave cannot be used; the message says the fact, the value and the remedy.

    The command line prints the message as a single line and exits with status 1.
    """
