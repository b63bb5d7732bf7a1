"""The experiments of Deep Image Prior's published notebooks, by `dip` with its own settings and stopping.

    python benchmarks/dip_figures.py --data DATA/dip --out figures/
    python benchmarks/dip_figures.py --data DATA/dip --only zebra f16 --quality paper

DATA/dip holds the pictures of the published repository, in its folders; some are for research only and not in this one.
Prints PSNR (RGB, or grey where the picture is; border 0, in float) against what is published, and how the fit ended;
writes what was given to `dip` and what it made of it, to look at where no clean picture exists.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dip import noisy
from PIL import Image
from torch import Tensor

import restoration
from restoration.console import prepare


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One experiment: what `dip` is given, the options of the task and of the method, and what it should become."""

    task: str
    given: Tensor
    clean: Tensor | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    before: str = ""
    published: str = "a picture to look at"


def tensor(image: Image.Image) -> Tensor:
    """Return a picture in RGB as `1 3 h w`."""
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def f16(data: Path, out: Path) -> Figure:
    """Gaussian noise of sigma 25, clipped."""
    x, y = noisy(data / "denoising" / "F16_GT.png", 512)
    before = f"noisy {restoration.psnr(y, x):.2f}"
    return Figure(task="denoise", given=y, clean=x, before=before, published="30.50 after 1800 steps")


def zebra(data: Path, out: Path) -> Figure:
    """Four times smaller by Pillow's Lanczos filter."""
    image = Image.open(data / "sr" / "zebra_GT.png").convert("RGB")
    width, height = (side - side % 32 for side in image.size)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    image = image.crop((left, top, left + width, top + height))
    small, x = image.resize((width // 4, height // 4), Image.Resampling.LANCZOS), tensor(image)
    larger = {name: tensor(small.resize(image.size, Image.Resampling[name.upper()])) for name in ("bicubic", "nearest")}
    before = ", ".join(f"{name} {restoration.psnr(one, x):.4f}" for name, one in larger.items())
    return Figure(
        task="sr",
        given=tensor(small),
        clean=x,
        asked={"scale": 4},
        options={"downsampling": "lanczos3"},
        before=before,
        published="23.13; bicubic 23.1048, nearest 20.8212",
    )


def holes(name: str) -> Callable[[Path, Path], Figure]:
    """A picture with a mask; nobody knows what was there."""

    def figure(data: Path, out: Path) -> Figure:
        folder = data / "inpainting"
        x = restoration.read(folder / f"{name}.png").pixels
        known = (restoration.read(folder / f"{name}_mask.png").pixels[:, :1] > 0.5).float()
        return Figure(
            task="inpaint",
            given=x * known,
            asked={"mask": str(folder / f"{name}_mask.png")},
            before=f"{1 - float(known.mean()):.0%} missing",
        )

    return figure


def barbara(data: Path, out: Path) -> Figure:
    """Half of the pixels, at random."""
    x = restoration.read(data / "restoration" / "barbara.png").pixels
    known = (torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    restoration.write(restoration.Picture(pixels=known), out / "barbara_mask.png")
    before = f"zeros {restoration.psnr(x * known, x):.2f}"
    asked = {"mask": str(out / "barbara_mask.png")}
    return Figure(task="inpaint", given=x * known, clean=x, asked=asked, before=before, published="no number")


def snail(data: Path, out: Path) -> Figure:
    """A JPEG with blocks."""
    return Figure(task="jpeg", given=restoration.read(data / "denoising" / "snail.jpg").pixels)


def flash(data: Path, out: Path) -> Figure:
    """A dark, noisy picture and the same scene with flash."""
    folder = data / "flash_no_flash"
    x = restoration.read(folder / "cave01_01_noflash.jpg").pixels
    return Figure(task="denoise", given=x, options={"flash": str(folder / "cave01_00_flash.jpg")})


FIGURES: dict[str, Callable[[Path, Path], Figure]] = {
    "f16": f16,
    "zebra": zebra,
    "kate": holes("kate"),
    "vase": holes("vase"),
    "library": holes("library"),
    "barbara": barbara,
    "snail": snail,
    "flash": flash,
}


def main() -> None:
    """Make each figure, print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("figures"))
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--quality", choices=("fast", "balanced", "paper"), default="balanced")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    prepare(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.only:
        figure = FIGURES[name](chosen.data, chosen.out)
        options = {"quality": chosen.quality, **figure.options}
        limit = {} if chosen.steps is None else {"steps": chosen.steps}
        made = restoration.Restoration("dip", figure.task, options=options, task_options=figure.asked, **limit)
        begin = time.perf_counter()
        result = made(restoration.Picture(pixels=figure.given), seed=0)
        seconds = time.perf_counter() - begin
        for word, picture in (("given", restoration.Picture(pixels=figure.given)), ("restored", result.picture)):
            restoration.write(picture, chosen.out / f"{name}.{word}.png")
        psnr = "" if figure.clean is None else f"{restoration.psnr(result.picture.pixels, figure.clean):.2f} dB"
        height, width = result.picture.pixels.shape[-2:]
        told = result.told
        print(
            f"{name:8} {width}x{height} {figure.before:32} -> {psnr:9} (published: {figure.published}) "
            f"step {told['iteration']} of {told['of']}, {told.get('stopped by', 'cut short')}, {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
