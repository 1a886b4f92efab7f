"""The names of the metrics of a reconstructed video."""

METRICS = ("psnr", "ssim", "lpips", "d_psnr", "d_ssim", "difference_correlation", "data_misfit")
"""The columns of every table of metrics, in this order."""

OF_SOME_MEASUREMENTS = ("chi2_closure_phase_full", "chi2_log_closure_amplitude_full")
"""Columns beside these, of measurements that have such data: chi-squares that no choice of closure set changes."""

MAY_BE_MISSING = frozenset({"lpips"})
"""Those that need learned weights: without them they are None where a video is scored, and empty in tables."""
