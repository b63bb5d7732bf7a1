"""Which of its input channels a residual network mends, when it is shown more than one picture."""

from __future__ import annotations


def part_to_mend(in_channels: int, channels: int) -> slice:
    """Return the channels of the picture that a residual network adds to, out of all that it is shown.

    A network that takes only `x` is shown the picture, or on a noise path the state, then the degraded picture if the
    path has one, then a map of the time. So with more than two pictures' channels there is a degraded picture, and that
    is what is mended: it has no noise that the network would have to take out again. Otherwise it is the first picture.
    Raises `ValueError` if there are fewer channels than one picture has.
    """
    if in_channels < channels:
        raise ValueError(
            f"in_channels is {in_channels}: without a picture of {channels} channels to mend, set residual to false"
        )
    start = channels if in_channels > 2 * channels else 0
    return slice(start, start + channels)
