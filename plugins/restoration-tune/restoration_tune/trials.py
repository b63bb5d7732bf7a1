"""One trial of a search: a training with chosen values, in a folder of its own, and what came of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration_tune.space import Space, applied

if TYPE_CHECKING:
    from restoration import Recipe, Training

DONE, PRUNED, FAILED, RUNNING = "done", "pruned", "failed", "running"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A trial: its number, the values chosen, how it ended, PSNR in dB and loss of validation and training, seconds.

    `error` is what a failed trial failed by.
    """

    number: int
    chosen: dict[str, Any]
    state: str = RUNNING
    psnr: float | None = None
    loss: float | None = None
    seconds: float = 0.0
    error: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return asdict(self)


class Pruned(Exception):
    """A trial is given up: others were better at the same step."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What all trials have in common.

    * `recipe`, `settings`: those of every trial, but for what is searched.
    * `space`: what is searched.
    * `data`, `validation`: pictures to train and to validate with; without the latter some are held out.
    * `out`: the folder of the search.
    * `device`, `threads`: what each trial computes on.
    """

    recipe: Recipe
    settings: Training
    space: Space
    data: Path
    out: Path
    validation: Path | None = None
    device: str = "cpu"
    threads: int | None = None

    def folder(self, chosen: Mapping[str, Any]) -> Path:
        """Return the folder of a trial: the same values have the same, so that an interrupted trial goes on."""
        name = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:10]
        return self.out / "trials" / name

    def run(
        self, chosen: Mapping[str, Any], report: Callable[[int, float, float], None]
    ) -> tuple[float, float | None, float]:
        """Train with chosen values; return the best PSNR in dB, the last loss if it is known, and seconds.

        Raises `RestorationError`.

        `report` is called with step, PSNR and loss of every validation; what it raises, as `Pruned`, ends the trial.
        """
        from restoration import train
        from restoration.console import prepare

        prepare(self.threads)
        recipe, settings = applied(self.recipe, self.settings, chosen)
        loss, start, seen = None, time.perf_counter(), 0.0

        def observe(progress: Any) -> None:
            nonlocal loss, seen
            seen = progress.seconds
            if "validate" in settings.due(progress.step) and progress.psnr is not None:
                loss = float(progress.running_loss)
                report(progress.step, progress.psnr, loss)

        folder = train(
            recipe,
            self.data,
            self.folder(chosen),
            settings,
            validation=self.validation,
            device=self.device,
            observe=observe,
        )
        record = folder.recipe().training
        best = max(logged(folder.path), default=record["validation"]["psnr_rgb"])
        return best, loss, record["seconds"] if loss is None else max(seen, time.perf_counter() - start)


def logged(folder: Path) -> list[float]:
    """Return the PSNR of every validation of a training, those before it was interrupted too; none without a log."""
    try:
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []
    return [line["psnr_rgb"] for line in lines if line.get("psnr_rgb") is not None]
