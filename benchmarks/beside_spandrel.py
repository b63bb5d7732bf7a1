"""A file of a published network through the toolbox, beside spandrel alone: the same picture, seconds and memory.

    python benchmarks/beside_spandrel.py                      # x4 of 256x256 by a SAFMN of random weights
    python benchmarks/beside_spandrel.py --file 4x_net.pth --side 256

Each runs in a process of its own, on one thread, in float32: seconds are those of the processor for a picture, the
median of five; the memory is the peak of the process, with Python and PyTorch. The last line is the largest difference
between the two pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from speed import machine

TIMES = 5
"""The pictures whose seconds are taken."""


def timed(enlarge: Callable[[torch.Tensor], torch.Tensor], side: int, out: Path) -> dict[str, float]:
    """Enlarge the same picture some times, keep the last, and return seconds and memory."""
    torch.set_num_threads(1)
    small, used = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)), []
    for _ in range(TIMES):
        begin = time.process_time()
        large = enlarge(small.clone())
        used.append(time.process_time() - begin)
    torch.save(large, out)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"seconds": statistics.median(used), "memory": memory}


def by_spandrel(file: str) -> Callable[[torch.Tensor], torch.Tensor]:
    from spandrel import ImageModelDescriptor, ModelLoader

    found = ModelLoader().load_from_file(file)
    assert isinstance(found, ImageModelDescriptor)
    return found


def by_the_toolbox(file: str, tile: int) -> Callable[[torch.Tensor], torch.Tensor]:
    from restoration import Picture, Restoration
    from restoration.console import prepare

    prepare(threads=1)
    made = Restoration("regression", "sr", weights=file, precision="fp32", tile=tile)
    return lambda small: made(Picture(pixels=small)).picture.pixels


def some_network(folder: Path) -> str:
    """Write the file of a SAFMN that enlarges four times, of random weights: time and memory do not depend on them."""
    from spandrel.architectures.SAFMN import SAFMN

    torch.manual_seed(0)
    torch.save({"params": SAFMN(dim=36, n_blocks=8, ffn_scale=2.0, upscaling_factor=4).state_dict()}, folder / "x.pth")
    return str(folder / "x.pth")


def main() -> None:
    """Print a line for each way, and the difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", help="a file that spandrel knows too")
    parser.add_argument("--side", type=int, default=256, help="pixels of a side of the small picture")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        way, tile, out = chosen.one
        enlarge = by_spandrel(chosen.file) if way == "spandrel" else by_the_toolbox(chosen.file, int(tile))
        print(json.dumps(timed(enlarge, chosen.side, Path(out))))
        return
    print(f"{machine()}; one thread, float32")
    with tempfile.TemporaryDirectory() as folder:
        file, answers = chosen.file or some_network(Path(folder)), []
        for way, tile in (("spandrel", 0), ("toolbox", 0), ("toolbox", 256)):
            out = Path(folder) / f"{way}{tile}.pt"
            command = [sys.executable, __file__, "--file", file, "--side", str(chosen.side)]
            run = subprocess.run(
                [*command, "--one", way, str(tile), str(out)],
                stdout=subprocess.PIPE,
                check=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            found = json.loads(run.stdout.splitlines()[-1])
            name = way + f", tiles of {tile}" * bool(tile)
            print(f"{name:24} {found['seconds']:7.3f} s {found['memory']:7.0f} MB")
            answers.append(torch.load(out, weights_only=True))
    print(f"largest difference, whole picture: {float((answers[0] - answers[1]).abs().max()):.2g}")


if __name__ == "__main__":
    main()
