"""Seeds that depend on what they are for, never on which job uses them, in which order or on how many machines."""

import hashlib


def derive_seed(study_seed: int, *names: object) -> int:
    """Return a 63-bit seed for the sample that `names` identify, e.g. ``("mri8", "video003", "sample0")``.

    The seed is a hash of the text of its arguments, so the same names give the same seed on every machine,
    and names that differ in any part give independent ones.
    """
    text = "\x1f".join(str(part) for part in (study_seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
