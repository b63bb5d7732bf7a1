"""One prior for any known operator: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandOption, RestorerCard, hookimpl

TASKS = ("denoise", "inpaint", "sr", "deblur")
"""The tasks of which the damage is a known operator, or noise."""
PRIOR = "denoising-ode/denoise"
"""The weights that are the prior by default."""
