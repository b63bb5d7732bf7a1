"""What a training leaves beside its weights: a log, a picture of pictures, curves, and what TensorBoard shows.

None of it belongs to the weights; `restoration.weights.FILES` does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from restoration.errors import RestorationError
from restoration.images import write, write_bytes
from restoration.images.parts import clear_parts
from restoration.picture import Picture
from restoration.training.plot import line_plot, stack
from restoration.weights import FILES

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.tensorboard import SummaryWriter

CHECKPOINT, LOG, PREVIEW, CURVES, BOARD = "checkpoint.pt", "log.jsonl", "preview.png", "curves.svg", "tensorboard"
GAP = 4
"""White pixels between the pictures of a grid."""


class Records:
    """The records of a training in the folder `out`, which goes on after `step`: later lines were lost with it.

    A line of the log holds `step`, `loss` (a mean over the last steps), `lr`, `steps_per_second`, `seconds` of training
    and, where there was a validation, `psnr_rgb` in dB.
    """

    def __init__(self, out: Path, step: int, seconds: float = 0.0) -> None:
        self.out, self.step, self.seconds = out, step, seconds
        self.start = step
        self._board: SummaryWriter | None = None
        clear_parts(out)
        for name in (CHECKPOINT, LOG, PREVIEW, CURVES, *FILES):
            for part in out.glob(f".{name}.*.part"):  # the same, of a version before 0.6
                part.unlink(missing_ok=True)
        kept = "".join(json.dumps(line) + "\n" for line in read_log(out) if line["step"] <= step)
        path = out / LOG
        if path.exists() and path.read_bytes() != kept.encode():
            write_bytes(kept.encode(), path)

    def add(self, *, step: int, loss: float, lr: float, seconds: float, psnr: float | None = None) -> None:
        """Write a line of the log, and the same to TensorBoard. Raises `RestorationError`."""
        speed = (step - self.step) / max(seconds - self.seconds, 1e-9)
        self.step, self.seconds = step, seconds
        line = {"step": step, "loss": loss, "lr": lr, "steps_per_second": round(speed, 3), "seconds": round(seconds, 1)}
        if psnr is not None:
            line["psnr_rgb"] = psnr
        try:
            with open(self.out / LOG, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise RestorationError(f"cannot write {self.out / LOG}: {error.strerror}") from error
        board = self.board()
        if board is not None:
            for name in {"loss", "psnr_rgb", "lr", "steps_per_second"} & line.keys():
                board.add_scalar(name, line[name], step)

    def draw(self, step: int, rows: Sequence[Sequence[Tensor]]) -> None:
        """Write the curves and, of rows of pictures `1 c h w`, the preview. Raises `RestorationError`."""
        write_bytes(curves(read_log(self.out)).encode(), self.out / CURVES)
        if rows:
            pixels = grid(rows)
            write(Picture(pixels=pixels), self.out / PREVIEW)
        board = self.board()
        if board is not None:
            if rows:
                board.add_image("degraded, restored, clean", pixels[0].expand(3, -1, -1), step)
            board.flush()

    def close(self) -> None:
        """Let TensorBoard's files go."""
        if self._board is not None:
            self._board.close()

    def board(self) -> SummaryWriter | None:
        """Return what writes for TensorBoard, made on first use; None where that is not installed."""
        if self._board is None and find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(self.out / BOARD, purge_step=self.start + 1)
        return self._board


def read_log(out: Path) -> list[dict[str, Any]]:
    """Return the lines of a log, without one that was torn; none if there is no log."""
    try:
        text = (out / LOG).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    lines = []
    for words in text.splitlines():
        with suppress(ValueError, KeyError, TypeError):
            line = json.loads(words)
            lines.append({**line, "step": int(line["step"])})
    return lines


def curves(lines: Sequence[dict[str, Any]]) -> str:
    """Return loss and PSNR against steps, from the lines of a log, as one SVG."""
    loss = [(line["step"], line["loss"]) for line in lines]
    quality = [(line["step"], line["psnr_rgb"]) for line in lines if line.get("psnr_rgb") is not None]
    steps = (0, max((step for step, _ in loss), default=1))
    title = "Loss, a mean over the last steps"
    above = line_plot({"loss": loss}, title=title, y_label="loss", log_y=True, span=steps)
    title = "PSNR in validation, averaged weights"
    below = line_plot({"psnr": quality}, title=title, x_label="step", y_label="dB, RGB", span=steps, place=320)
    return stack([above, below])


def grid(rows: Sequence[Sequence[Tensor]]) -> Tensor:
    """Put rows of pictures `1 c h w` into one `1 c h w`, white between them and around smaller ones."""
    channels = rows[0][0].shape[1]
    height, width = (max(picture.shape[side] for row in rows for picture in row) + GAP for side in (2, 3))
    canvas = torch.ones(1, channels, height * len(rows) - GAP, width * max(map(len, rows)) - GAP)
    for top, row in enumerate(rows):
        for left, picture in enumerate(row):
            y, x = top * height, left * width
            canvas[..., y : y + picture.shape[2], x : x + picture.shape[3]] = picture.clamp(0, 1)
    return canvas
