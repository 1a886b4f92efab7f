"""The names of the metrics of a reconstructed video."""

OURS = ("psnr", "ssim", "lpips", "d_psnr", "d_ssim", "difference_correlation", "data_misfit")
"""Those of brightness in [0, 1], and of the data."""

AUTHORS = ("psnr_authors", "ssim_authors")
"""PSNR and SSIM in the convention of the paper's authors, where it is another one: see `step.metrics.authors`."""

METRICS = OURS + AUTHORS
"""The columns of every table of metrics, in this order."""

OF_SOME_MEASUREMENTS = ("chi2_closure_phase_full", "chi2_log_closure_amplitude_full")
"""Columns beside these, of measurements that have such data: chi-squares that no choice of closure set changes."""

MAY_BE_MISSING = frozenset({"lpips", *AUTHORS})
"""Those that need learned weights, or complex images: else they are None where a video is scored, empty in tables."""
