"""The exceptions that a user is meant to read."""


class InputError(Exception):
    """Something that the user gave cannot be used; the message says the fact, the value and the remedy.

    The command line prints the message as a single line and exits with status 1.

    Examples:
        >>> try:
        ...     step.load_prior("nowhere")
        ... except step.InputError as error:
        ...     print(error)
        nowhere is not the folder of a prior: it has no prior.json; `snakemake priors` makes such folders
    """


class Interrupted(Exception):
    """The job was asked to stop; its state is written, and the same command goes on from there (exit status 75)."""
