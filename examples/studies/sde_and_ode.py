"""Denoising by the SDE and by the ODE, beside the CNN baseline (table 4 of IR-SDE).

    python examples/studies/sde_and_ode.py --data CBSD68/

Prints a table and writes `sde_and_ode.svg`. Noise is not clipped, as the literature has it; its seed
is the place of the picture.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from reverse_process import PAIRS

import restoration
from restoration.console import prepare
from restoration.images.folders import pictures_in
from restoration.tasks import make_task, observe
from restoration.training.plot import line_plot

COLUMNS = {
    "regression": ("regression", None),
    "ODE, 1": ("denoising-ode", 1),
    "ODE, 5": ("denoising-ode", 5),
    "ODE, all": ("denoising-ode", 100),
    "SDE, all": ("denoising-sde", 100),
}


def main() -> None:
    """Restore at three levels of noise, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=PAIRS / "clean", help="clean pictures")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[15, 25, 50])
    parser.add_argument("--limit", type=int, default=0, help="pictures; 0 is all")
    parser.add_argument("--out", type=Path, default=Path("sde_and_ode.svg"))
    chosen = parser.parse_args()
    prepare()
    paths = pictures_in(chosen.data)[: chosen.limit or None]
    print(f"PSNR (RGB, border 0) / SSIM (RGB) of {len(paths)} pictures")
    lines: dict[str, list[tuple[float, float]]] = {name: [] for name in COLUMNS}
    for sigma in chosen.sigmas:
        task = make_task("denoise", {"sigma": sigma})
        for name, (method, steps) in COLUMNS.items():
            made = restoration.Restoration(method, "denoise", steps=steps)
            begin, scores = time.perf_counter(), torch.zeros(2)
            for place, path in enumerate(paths):
                x = restoration.read(path).pixels
                result = made(observe(task, x, torch.Generator().manual_seed(place))).picture.pixels
                scores += torch.tensor([restoration.psnr(result, x), restoration.ssim(result, x)])
            psnr, ssim = (scores / len(paths)).tolist()
            lines[name].append((sigma, psnr))
            seconds = (time.perf_counter() - begin) / len(paths)
            print(f"sigma {sigma:g}  {name:12} {psnr:6.2f} dB  {ssim:.4f}  {seconds:6.2f} s a picture", flush=True)
    chosen.out.write_text(
        line_plot(lines, title="Denoising", x_label="sigma, levels of 255", y_label="PSNR, dB"), encoding="utf-8"
    )
    print(chosen.out)


if __name__ == "__main__":
    main()
