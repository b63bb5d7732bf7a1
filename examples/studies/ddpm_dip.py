"""Does Deep Image Prior help denoising diffusion, or make it faster: on small pictures, with weights of `ddpm`.

    python examples/studies/ddpm_dip.py --data t10k-images-idx3-ubyte.gz
    python examples/studies/ddpm_dip.py --data pictures/ --weights weights/ --sigmas 50 --limit 16 --out rows.png
    python examples/studies/ddpm_dip.py --data examples/derain/clean --size 64 --weights denoising-ode/denoise

Pictures get Gaussian noise, unclipped, with their numbers as seeds, and are denoised by

* `ddpm`: the noisy picture is a state of the path, and sampling starts there, with one evaluation or with `--steps`;
* `dip`: Deep Image Prior alone, `--quality fast`, or at most `--dip-steps`;
* `naive`: the network sees what Deep Image Prior makes of each state in place of the state, as published;
* `start`: sampling starts from the result of Deep Image Prior plus new noise, as much as the picture had or half.

Weights of other methods serve as the prior if they are of noise alone, as those of `denoising-ode` are, for
photographs. Where they know colours, pictures have three equal channels, and each its own noise: such networks know no
other. All know the noise. The numbers are the mean PSNR in dB of results rounded to 8 bits, border 0, and the seconds
that a picture takes. `--out` shows the pictures of the first level: clean, noisy, and a row for each method.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import torch
from restoration_ddpm.generation import make_sheet
from restoration_ddpm.untrained import UntrainedPrior
from restoration_dip.fast.padding import crop_middle
from torch import Generator, Tensor

from restoration import Observation, Picture, Restoration, psnr, read, write
from restoration.console import prepare
from restoration.images.folders import pairs_in
from restoration.picture import round_to_levels, with_channels
from restoration.weights import CONFIG, recipe_with_prior, resolve


class Kept:
    """Keeps what Deep Image Prior has made of each picture, and the seconds, for the methods that begin alike."""

    fits: ClassVar[dict[tuple[bytes, float | None], tuple[Tensor, float]]] = {}

    def __init__(self, untrained: UntrainedPrior) -> None:
        self.untrained, self.saved = untrained, 0.0

    def __call__(self, y: Tensor, sigma: float | None, rng: Generator) -> Tensor:
        """Return `b c h w` without noise, as `UntrainedPrior` does; what that would have taken is added to `saved`."""
        key = (y.float().numpy().tobytes(), sigma)
        if key in self.fits:
            torch.randint(2**31, (len(y),), generator=rng)  # the seed of the fit, which is the same
            found, seconds = self.fits[key]
            self.saved += seconds
            return found
        begin = time.perf_counter()
        found = self.untrained(y, sigma, rng)
        self.fits[key] = found, time.perf_counter() - begin
        return found


def methods(options: argparse.Namespace) -> dict[str, Restoration]:
    """Return the methods by the names that the table gives them."""
    fit = {} if options.dip_steps is None else {"dip_steps": options.dip_steps}
    alone = {"quality": "fast"} | ({} if options.dip_steps is None else {"steps": options.dip_steps})

    def diffusion(name: str, steps: int, **more: Any) -> Restoration:
        how = {"weights": options.weights, "steps": steps, "device": "cpu"}
        made = Restoration(name, "denoise", options=more, **how)
        if name == "ddpm-dip" and more.get("prior") != "naive":
            made.restorer.untrained = Kept(made.restorer.untrained)  # type: ignore[attr-defined]
        return made

    several = f"{options.steps} evaluations"
    return {
        "ddpm, 1 evaluation": diffusion("ddpm", 1),
        f"ddpm, {several}": diffusion("ddpm", options.steps),
        "dip": Restoration("dip", "denoise", options=alone, device="cpu"),
        f"naive, {options.naive_steps} evaluation{'s' * (options.naive_steps > 1)}": diffusion(
            "ddpm-dip", options.naive_steps, prior="naive", **fit
        ),
        "start, 1 evaluation": diffusion("ddpm-dip", 1, **fit),
        f"start, {several}": diffusion("ddpm-dip", options.steps, **fit),
        f"start, half the noise, {several}": diffusion("ddpm-dip", options.steps, renoise=0.5, **fit),
    }


def clean_pictures(data: Path, limit: int, size: int | None, channels: int) -> list[Tensor]:
    """Return grey pictures, `1 channels h w`, or their middle, spread evenly over a folder or an IDX file."""
    pairs = pairs_in(data)
    chosen = pairs[:: max(1, len(pairs) // limit)][:limit]
    grey = [with_channels(read(pair.clean).pixels, 1) for pair in chosen]  # type: ignore[arg-type]
    return [with_channels(x if size is None else crop_middle(x, size, size), channels) for x in grey]


def weights_for_ddpm(name: str, place: Path) -> tuple[str, int]:
    """Return weights that `ddpm` takes, and their channels: a copy, for those of another method."""
    folder = resolve(name, "", "")
    assert folder is not None, "these weights are named"
    recipe = folder.recipe()
    if recipe.method.name == "ddpm":
        return name, len(recipe.channels)
    shutil.copytree(folder.path, place, dirs_exist_ok=True)
    (place / CONFIG).write_text(recipe_with_prior(folder, "ddpm", "denoise").to_json(), encoding="utf-8")
    return str(place), len(recipe.channels)


def seconds_of(method: Restoration, seconds: list[float]) -> float:
    """Return the mean seconds of a method, with those of fits that were kept from another."""
    kept = getattr(method.restorer, "untrained", None)
    saved = kept.saved if isinstance(kept, Kept) else 0.0
    if isinstance(kept, Kept):
        kept.saved = 0.0
    return (sum(seconds) + saved) / len(seconds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="Folder of pictures, or an IDX file.")
    parser.add_argument("--weights", default="ddpm/fashion-mnist", help="Weights of ddpm, or others of noise alone.")
    parser.add_argument("--sigmas", type=float, nargs="+", default=[25, 50, 100], help="Noise in levels of 255.")
    parser.add_argument("--limit", type=int, default=4, help="Number of pictures.")
    parser.add_argument("--size", type=int, help="Side of the middle of each picture in pixels, instead of all of it.")
    parser.add_argument("--steps", type=int, default=20, help="Evaluations of the network, where there are several.")
    parser.add_argument("--naive-steps", type=int, default=5, help="The same for naive, with a fit for each.")
    parser.add_argument("--dip-steps", type=int, help="Most steps of a fit of Deep Image Prior.")
    parser.add_argument("--threads", type=int, help="Number of CPU threads.")
    parser.add_argument("--out", type=Path, help="File for a sheet of pictures.")
    return parser.parse_args()


def main() -> None:
    options = parse()
    prepare(options.threads)
    with tempfile.TemporaryDirectory() as place:
        options.weights, channels = weights_for_ddpm(options.weights, Path(place))
        chosen = methods(options)
    pictures = clean_pictures(options.data, options.limit, options.size, channels)
    columns = [f"sigma {sigma:g} | s" for sigma in options.sigmas]
    of = f"{'grey' if channels == 1 else 'RGB'}, border 0"
    print(f"PSNR ({of}) in dB, mean of {len(pictures)} pictures, and seconds a picture; seed 0\n")
    print("| method |", " | ".join(columns), "|\n|---" + "|---" * 2 * len(columns) + "|")
    noisy = {
        sigma: [
            x + sigma / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(number))
            for number, x in enumerate(pictures)
        ]
        for sigma in options.sigmas
    }
    before = [sum(psnr(round_to_levels(y), x) for y, x in zip(ys, pictures, strict=True)) for ys in noisy.values()]
    print("| noisy |", " | ".join(f"{total / len(pictures):.2f} | " for total in before), "|", flush=True)
    shown = [*pictures, *(y.clamp(0, 1) for y in noisy[options.sigmas[0]])]
    for name, method in chosen.items():
        cells = []
        for sigma, ys in noisy.items():
            results = [method(Observation(y=y, sigma=sigma / 255), seed=0) for y in ys]
            images = [round_to_levels(result.picture.pixels) for result in results]
            quality = sum(psnr(image, x) for image, x in zip(images, pictures, strict=True)) / len(pictures)
            cells.append(f"{quality:.2f} | {seconds_of(method, [one.seconds for one in results]):.2f}")
            shown += images if sigma == options.sigmas[0] else []
        print("|", name, "|", " | ".join(cells), "|", flush=True)
    if options.out:
        write(Picture(pixels=make_sheet(torch.cat(shown), len(pictures), 2)), options.out)


if __name__ == "__main__":
    main()
