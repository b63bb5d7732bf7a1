"""Why a network learns nothing that sees what Deep Image Prior makes of a state in place of the state: its loss.

    python benchmarks/naive_prior.py --data DIR          # DIR holds train-images-idx3-ubyte.gz of Fashion-MNIST
    python benchmarks/naive_prior.py --data DIR --pictures 60000 --epochs 20 --width 32

Each picture gets one time and one noise, and an untrained network is fitted to that state once, before the training.
It is not the hourglass network of Deep Image Prior but a deep decoder (Heckel and Hand 2019, arXiv:1810.03982): 1x1
convolutions and enlargements alone, so that the fits of all pictures are one batch of matrix products. Two networks of
the same beginning are then trained to predict the noise, one from the states, as `restore train ddpm` does, and one
from what the fits made of them. The mean squared error of each epoch is printed beside the published one: 1 is that of
a network that predicts no noise at all.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from einops import rearrange
from fashion import PUBLISHED, read_idx
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn import functional

from restoration.console import prepare
from restoration.recipe import build_parts, default_recipe, with_options

NAIVE = {1: 0.998, 20: 0.878, 100: 0.833}
"""The published loss after some epochs where the network sees the output of Deep Image Prior."""
SIZES = (7, 14, 28)
"""The sides of the decoder's features, the last that of the pictures."""


def decoded(y: Tensor, width: int, steps: int, rng: torch.Generator) -> Tensor:
    """Return what a deep decoder of its own makes of each picture, `n 1 28 28`, in `steps` steps of Adam."""
    shapes = [(width, width)] * len(SIZES) + [(width, 1)]
    weights = [torch.randn(len(y), *shape, generator=rng) / shape[0] ** 0.5 for shape in shapes]
    for weight in weights:
        weight.requires_grad_(True)
    start = torch.rand(1, width, SIZES[0], SIZES[0], generator=rng).expand(len(y), -1, -1, -1)
    optimiser = torch.optim.Adam(weights, lr=0.01)

    def answer() -> Tensor:
        state = start
        for weight, side in zip(weights, SIZES, strict=False):
            mixed = weight.mT @ rearrange(state, "n c h w -> n c (h w)")
            state = rearrange(mixed, "n c (h w) -> n c h w", h=state.shape[-2])
            if side != state.shape[-1]:
                state = functional.interpolate(state, (side, side), mode="bilinear", align_corners=False)
            state = functional.instance_norm(state.relu())
        flat = weights[-1].mT @ rearrange(state, "n c h w -> n c (h w)")
        return rearrange(flat, "n c (h w) -> n c h w", h=SIZES[-1])

    for _ in range(steps):
        loss = (answer() - y).square().mean((1, 2, 3)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return answer().detach()


def losses(
    network: nn.Module, seen: Tensor, t: Tensor, noise: Tensor, epochs: int, batch: int, lr: float
) -> list[float]:
    """Train a network to predict the noise from what it sees; return the mean loss of each epoch."""
    optimiser, rng, found = torch.optim.AdamW(network.parameters(), lr=lr), torch.Generator().manual_seed(1), []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(seen), generator=rng).split(batch):
            loss = (network(seen[rows], seen[rows], t[rows]) - noise[rows]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            total += float(loss.detach()) * len(rows) / len(seen)
        found.append(total)
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="Folder with the pictures of Fashion-MNIST.")
    parser.add_argument("--pictures", type=int, default=2000, help="Number of pictures.")
    parser.add_argument("--epochs", type=int, default=5, help="Number of epochs.")
    parser.add_argument("--batch", type=int, default=32, help="Pictures of a step.")
    parser.add_argument("--width", type=int, default=16, help="Width of the network, unet-small.")
    parser.add_argument("--lr", type=float, default=1e-3, help="Learning rate.")
    parser.add_argument("--fit-width", type=int, default=12, help="Channels of the decoders.")
    parser.add_argument("--fit-steps", type=int, default=60, help="Steps of each fit.")
    parser.add_argument("--threads", type=int, help="Number of CPU threads.")
    return parser.parse_args()


def main() -> None:
    options = parse()
    prepare(options.threads)
    file = next(options.data.rglob("train-images-idx3-ubyte.gz"), None)
    if file is None:
        raise SystemExit(f"{options.data} holds no train-images-idx3-ubyte.gz")
    x, rng = read_idx(file)[: options.pictures], torch.Generator().manual_seed(0)
    recipe = with_options(default_recipe("ddpm", "denoise"), {"network.width": options.width})
    recipe = replace(recipe, channels="y")
    schedule = build_parts(recipe).schedule
    assert schedule is not None
    t = torch.rand(len(x), generator=rng)
    a, _, c = (rearrange(one.float(), "n -> n 1 1 1") for one in schedule.at(t))
    noise = torch.randn(x.shape, generator=rng)
    states, begin = a * x + c * noise, time.perf_counter()
    parts = [decoded(part, options.fit_width, options.fit_steps, rng) for part in states.split(500)]
    print(f"{len(x)} pictures, fitted in {time.perf_counter() - begin:.0f} s; noise 0.5, seed 0")
    columns = []
    for seen in (states, torch.cat(parts)):
        torch.manual_seed(0)
        network = build_parts(recipe).network
        assert network is not None
        columns.append(losses(network, seen, t, noise, options.epochs, options.batch, options.lr))
    print("\n| epoch | the state is seen | published | the fit is seen | published |\n|---|---|---|---|---|")
    for epoch, (right, naive) in enumerate(zip(*columns, strict=True), 1):
        published = f"{PUBLISHED[epoch - 1]:.3f}" if epoch <= len(PUBLISHED) else ""
        print(f"| {epoch} | {right:.3f} | {published} | {naive:.3f} | {NAIVE.get(epoch, '')} |")


if __name__ == "__main__":
    main()
