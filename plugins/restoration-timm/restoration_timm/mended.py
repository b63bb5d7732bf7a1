"""Which of its input channels a residual network mends, when it is shown more than one picture."""

from __future__ import annotations


def part_to_mend(in_channels: int, channels: int) -> slice:
    """Return the channels of the picture that is mended, as all plain networks have it.

    What is shown is the picture; or on a noise path the state, then the degraded picture if the path has one, then a
    map of the time. The degraded picture is mended where there is one, else the first. Raises `ValueError` if fewer
    channels come in than a picture has.
    """
    if in_channels < channels:
        raise ValueError(f"in_channels is {in_channels}, less than the {channels} of a picture: set residual to false")
    first = channels if in_channels > 2 * channels else 0
    return slice(first, first + channels)
