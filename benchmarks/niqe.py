"""Fit the statistics of photographs that the metric `niqe` compares pictures with, and see what it makes of damage.

    python benchmarks/niqe.py --data photos/ --out niqe.safetensors
    python benchmarks/niqe.py --data photos/ --try-on DIR/denoise/CBSD68

The statistics that come with the plugin `restoration-perceptual` are of 40 photographs in the public domain, reduced to
a longer side of 1100 pixels where they were larger. With `--try-on` prints the mean of the metric for other pictures as
they are, blurred by a Gaussian of one and two pixels, with noise of sigma 5, 10 and 25, and as JPEG of quality 10.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from restoration_perceptual.naturalness import SIDE, Niqe, fit
from safetensors.torch import save_file
from torch import Tensor

from restoration import read
from restoration.console import prepare
from restoration.images import pictures_in
from restoration.operators import Convolution
from restoration.picture import round_to_levels
from restoration.tasks import make_task


def blurred(x: Tensor, sigma: float) -> Tensor:
    row = torch.exp(-((torch.arange(17) - 8) ** 2) / (2 * sigma**2))
    kernel = row[:, None] * row
    return Convolution((kernel / kernel.sum())[None, None])(x)


def damaged(x: Tensor, seed: int) -> dict[str, Tensor]:
    """Return a picture and what is made of it, by name."""
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(x.shape, generator=rng)
    made = {"as it is": x, **{f"blur {sigma}": blurred(x, sigma) for sigma in (1, 2)}}
    made |= {f"noise {sigma}": x + sigma / 255 * noise for sigma in (5, 10, 25)}
    made["JPEG 10"] = make_task("jpeg", {"quality": 10})(x, rng)
    return {name: round_to_levels(one.clamp(0, 1)) for name, one in made.items()}


def main() -> None:
    """Fit, write; or try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--out", type=Path, help="file for the statistics")
    parser.add_argument("--try-on", type=Path, help="folder of other pictures")
    parser.add_argument("--every", type=int, default=1, help="only every Nth of these")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    prepare(chosen.threads)
    photos = (read(path).pixels for path in pictures_in(chosen.data))
    mean, covariance = fit(one for one in photos if min(one.shape[-2:]) >= 2 * SIDE)
    if chosen.out:
        save_file({"mean": mean.float(), "covariance": covariance.float()}, chosen.out)
    if chosen.try_on:
        metric, sums = Niqe(), {}
        metric.mean, metric.covariance = mean, covariance
        paths = pictures_in(chosen.try_on)[:: chosen.every]
        for seed, path in enumerate(paths):
            for name, one in damaged(read(path).pixels, seed).items():
                sums[name] = sums.get(name, 0.0) + metric(one, one)
        print(", ".join(f"{name} {total / len(paths):.2f}" for name, total in sums.items()))


if __name__ == "__main__":
    main()
