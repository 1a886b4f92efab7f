"""What a reader of a table must know of a row, in the words that all tables use."""

ORACLE_OPTICAL_FLOW = "truth (oracle)"
"""What an optical flow is called that was estimated from the truth."""

ORACLE_MARK = "†"
ORACLE_NOTE = "noise moved with the optical flow of the truth itself, an oracle that no real measurement has"
STILL_NOTE = "undefined: a video stands still, so that its frame differences correlate with nothing"


def is_oracle(optical_flow: str) -> bool:
    """Return whether `optical_flow`, in the words of the stage that estimated it, is that of the truth."""
    return ORACLE_OPTICAL_FLOW in optical_flow


def fvd_bias(videos: int, dimensions: int) -> str:
    """Return the caveat of a Fréchet distance of so few `videos` in so many `dimensions`; '' where there is none."""
    if videos > dimensions:
        return ""
    return f"FVD of {videos} videos in {dimensions} dimensions is biased upwards; compare rows only"
