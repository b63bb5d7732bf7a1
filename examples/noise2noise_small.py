"""Noise2Noise in small: 6,250 noisy pairs of 32x32 pixels, and a network that never sees a clean picture.

    python examples/noise2noise_small.py --photos photos/                      # 63 epochs: an hour or two on a CPU
    python examples/noise2noise_small.py --photos photos/ --epochs 5 --sigma 25
    python examples/noise2noise_small.py --photos photos/ --steps 200 --width 16    # a minute

Cuts the pictures out of photographs, anywhere, at half their size. Each gets two different noises, once for all; 500
others, out of other photographs, serve validation, against the clean ones. Published (6,250 pictures of ImageNet at
32x32, noise of a strength that is not stated, SGD with momentum): an MSE of 0.00375, and 25.51 dB in the end. Prints a
line an epoch, and draws the curves to `noise2noise.svg`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from restoration_noise2noise.networks import StackUNet
from restoration_noise2noise.objectives import PairMatching
from torch import Tensor, nn

from restoration import RowGenerators, keyed_generator, psnr, read
from restoration.engine.hardware import find_device, precision, prepare
from restoration.images import pictures_in
from restoration.picture import with_channels
from restoration.training.plot import line_plot

PHOTOS = Path(__file__).parent / "derain" / "clean"
SIDE = 32
VALIDATED = 500


def cut(photos: list[Path], number: int, seed: int, kind: str) -> Tensor:
    """Cut pictures out of photographs at half their size: `n 3 32 32` in [0, 1]."""
    found: list[Tensor] = []
    for place, path in enumerate(photos):
        x = with_channels(read(path).pixels, 3)
        half = torch.nn.functional.interpolate(x, scale_factor=0.5, mode="bicubic", antialias=True).clamp(0, 1)[0]
        rng = keyed_generator(seed, kind, place)
        for _ in range(number * (place + 1) // len(photos) - len(found)):
            down, right = torch.rand(2, generator=rng).tolist()
            top, left = int(down * (half.shape[1] - SIDE + 1)), int(right * (half.shape[2] - SIDE + 1))
            found.append(half[:, top : top + SIDE, left : left + SIDE])
    return torch.stack(found)


def mirrored(x: Tensor, y: Tensor, rng: RowGenerators) -> tuple[Tensor, Tensor]:
    """Mirror half of the pairs from left to right, and half from top to bottom, both pictures alike."""
    for side in (-1, -2):
        turn = (rng.uniform() < 0.5)[:, None, None, None]
        x, y = (torch.where(turn, one.flip(side), one) for one in (x, y))
    return x, y


@torch.inference_mode()
def validated(network: nn.Module, x: Tensor, y: Tensor, how: str) -> tuple[float, float]:
    """Return the mean squared error, and the mean PSNR of the pictures in dB."""
    with precision(how, x.device):
        guess = torch.cat([network(part) for part in y.split(100)]).float().clamp(0, 1)
    scores = [psnr(one[None].cpu(), clean[None].cpu()) for one, clean in zip(guess, x, strict=True)]
    return float((guess - x).square().mean()), sum(scores) / len(scores)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="a folder of at least two photographs")
    parser.add_argument("--pictures", type=int, default=6250)
    parser.add_argument("--sigma", type=float, default=50.0, help="of the noise, in levels of 255")
    parser.add_argument("--epochs", type=int, default=63)
    parser.add_argument("--steps", type=int, help="ends earlier")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--optimiser", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--lr", type=float, help="0.0552, the best of the published search; for adam 0.001")
    parser.add_argument("--momentum", type=float, default=0.18)
    parser.add_argument("--activation", choices=["leaky_relu", "relu"], default="leaky_relu")
    parser.add_argument("--batch-norm", action="store_true")
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, default=Path("noise2noise.svg"))
    return parser.parse_args()


def drawn(chosen: argparse.Namespace) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return two noisy versions of the pictures for training, then noisy and clean pictures for validation."""
    photos = pictures_in(chosen.photos)
    held = photos[:: max(2, len(photos) // 20)]
    clean = cut([path for path in photos if path not in held], chosen.pictures, chosen.seed, "training")
    x = cut(held, min(VALIDATED, chosen.pictures), chosen.seed, "validation")
    first, second, y = (
        one + chosen.sigma / 255 * torch.randn(one.shape, generator=keyed_generator(chosen.seed, "noise", place))
        for place, one in enumerate([clean, clean, x])
    )
    return first, second, y, x


def optimiser_of(network: nn.Module, kind: str, lr: float, momentum: float) -> torch.optim.Optimizer:
    """Return the optimiser for a network."""
    if kind == "sgd":
        return torch.optim.SGD(network.parameters(), lr=lr, momentum=momentum)
    return torch.optim.Adam(network.parameters(), lr=lr)


def trained(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    first: Tensor,
    second: Tensor,
    chosen: argparse.Namespace,
    epoch: int,
    steps: int,
) -> list[float]:
    """Train for an epoch of at most so many steps; return the loss of each."""
    device, objective = next(network.parameters()).device, PairMatching(norm="l2", clipped=0.0)
    order, losses = torch.randperm(len(first), generator=keyed_generator(chosen.seed, "order", epoch)), []
    network.train()
    for rows in order.split(chosen.batch)[:steps]:
        rng = RowGenerators.keyed(chosen.seed, "row", epoch, rows=rows.tolist())
        one, other = mirrored(first[rows], second[rows], rng)
        with precision(chosen.precision, device):
            loss = objective.loss(lambda x, y, t: network(y), None, one.to(device), other.to(device), rng).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def main() -> None:
    """Cut, train, validate, print, draw."""
    chosen = parsed()
    prepare(chosen.threads)
    device = find_device(chosen.device)
    first, second, y, x = drawn(chosen)
    x, y = x.to(device), y.to(device)
    torch.manual_seed(chosen.seed)
    network = StackUNet(width=chosen.width, activation=chosen.activation, batch_norm=chosen.batch_norm)
    network.to(device).to(memory_format=torch.channels_last)
    lr = chosen.lr or {"sgd": 0.0552, "adam": 0.001}[chosen.optimiser]
    optimiser = optimiser_of(network, chosen.optimiser, lr, chosen.momentum)
    pairs = f"{len(first)} pairs of {SIDE}x{SIDE}, sigma {chosen.sigma:g}"
    print(f"{pairs}, unclipped, seed {chosen.seed}; {chosen.optimiser}, lr {lr:g}")
    noisy = sum(psnr(one[None].cpu(), other[None].cpu()) for one, other in zip(y, x, strict=True)) / len(x)
    print(f"validation, {len(x)} pictures, noisy: PSNR (RGB, border 0) {noisy:.2f} dB")
    print(" epoch   step   loss     MSE      PSNR   seconds", flush=True)

    curves: dict[str, list[tuple[float, float]]] = {"training, noisy targets": [], "validation, clean": []}
    begin, step, total = time.perf_counter(), 0, chosen.steps or chosen.epochs * -(-len(first) // chosen.batch)
    for epoch in range(1, chosen.epochs + 1):
        losses = trained(network, optimiser, first, second, chosen, epoch, total - step)
        step += len(losses)
        error, quality = validated(network.eval(), x, y, chosen.precision)
        mean, seconds = sum(losses) / len(losses), time.perf_counter() - begin
        curves["training, noisy targets"].append((epoch, mean))
        curves["validation, clean"].append((epoch, error))
        print(f"{epoch:6} {step:6}   {mean:.5f}  {error:.5f}  {quality:.2f}  {seconds:8.0f}", flush=True)
        if step >= total:
            break
    plot = line_plot(curves, title=f"Noise2Noise, {pairs}: {quality:.2f} dB", x_label="epoch", y_label="MSE")
    chosen.out.write_text(plot, encoding="utf-8")
    print(chosen.out)


if __name__ == "__main__":
    main()
