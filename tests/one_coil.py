"""What the paper's measurement of MRI says of lines and coils: the same lines in all frames, and one coil."""

PAPERS_LINES = {"pattern": {"kind": "equispaced", "seed": 0, "decay": 0.0}, "coils": None}
