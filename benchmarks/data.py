"""How fast are batches drawn, are they the same whoever draws them, and what do very many pictures cost.

    python benchmarks/data.py --data photos/                       # two minutes on two cores
    python benchmarks/data.py --data photos/ --workers 0 4 16 --batch 32 --small 100000

The pictures, 60 of them, are in the cache when the clock starts, but for the last line; the first batch, which waits
for workers to start, is not counted. `CPU` is what a patch costs a processor where this process draws itself. Then a
training takes its first steps with many small pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from speed import machine

from restoration.images import encode, read
from restoration.images.folders import pairs_in
from restoration.picture import Picture
from restoration.tasks import make_task
from restoration.training.batches import Batches
from restoration.training.cache import usual_limit
from restoration.training.patches import Patches

PHOTOS = Path(__file__).parent.parent / "examples" / "derain" / "clean"
TASKS: tuple[tuple[str, str, dict[str, Any], bool], ...] = (
    ("derain", "derain", {}, True),
    ("denoise, mixed", "denoise", {"kind": "mixed"}, True),
    ("sr", "sr", {}, True),
    ("deblur", "deblur", {}, True),
    ("sr, each decoded", "sr", {}, False),
)
PICTURES = 60
"""Pictures that are in the cache."""
SIDE = 96
"""Pixels of a side of the small pictures."""
TRAINING = """
import json, resource, sys, time
begin = time.time()
from pathlib import Path
from restoration import Part, Training, train
from restoration.recipe import default_recipe
from msgspec.structs import replace

def memory(who):
    return resource.getrusage(who).ru_maxrss * 1024 / 1e6

def seen(progress):
    global first
    first = first or (time.time() - begin, time.process_time())

first = None
if __name__ == "__main__":
    small = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}
    recipe = replace(default_recipe("regression", "denoise"), network=Part("nafnet-compact", small))
    settings = Training(steps=100, batch=8, patch=64, held_out=4, workers=int(sys.argv[3]), cache=int(sys.argv[4]))
    train(recipe, Path(sys.argv[1]), Path(sys.argv[2]), settings, observe=seen)
    print(json.dumps([*first, memory(resource.RUSAGE_SELF)]))
"""


def draw(patches: Patches, batch: int, steps: int, workers: int) -> tuple[float, float, str]:
    """Return patches a second, seconds of a processor for a patch, and a digest of all that was drawn."""
    digest = blake2b(digest_size=6)
    begin = used = 0.0
    with closing(iter(Batches(patches, batch=batch, seed=0, steps=steps + 1, workers=workers))) as drawn:
        for step, (x, y, rng) in enumerate(drawn):
            if step == 0:
                begin, used = time.perf_counter(), time.process_time()
            for tensor in (x, y, rng.normal(4)):
                digest.update(tensor.numpy().tobytes())
        seconds, used = time.perf_counter() - begin, time.process_time() - used
    return batch * steps / seconds, used / (batch * steps), digest.hexdigest()


def many_small(folder: Path, number: int) -> Iterator[str]:
    """Write small pictures, cut out of one, and train with them; yield lines of a table."""
    pixels = read(sorted(PHOTOS.iterdir())[0]).pixels
    choose = random.Random(0)
    height, width = pixels.shape[-2:]
    (folder / "pictures").mkdir()
    for place in range(number):
        top, left = choose.randrange(height - SIDE), choose.randrange(width - SIDE)
        window = pixels[..., top : top + SIDE, left : left + SIDE]
        (folder / "pictures" / f"{place:06}.jpg").write_bytes(encode(Picture(pixels=window), ".jpg"))
    begin = time.perf_counter()
    found = len(pairs_in(folder / "pictures"))
    yield f"{found} pictures found in {time.perf_counter() - begin:.2f} s"
    for workers, cache in ((0, usual_limit()), (0, 0), (2, usual_limit())):
        out = folder / f"out-{workers}-{cache}"
        command = [sys.executable, "-c", TRAINING, str(folder / "pictures"), str(out), str(workers), str(cache)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        first, used, memory = json.loads(done.stdout.splitlines()[-1])
        how = f"{workers} workers, {'a' if cache else 'no'} cache"
        yield f"{how:20} first step after {first:.1f} s ({used:.1f} s of a processor), {memory:.0f} MB in 100 steps"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=PHOTOS, help="photographs, default: those of the examples")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--small", type=int, default=20_000, help="small pictures; 0 for none")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    print(
        f"{'patches a second':20}" + "".join(f"{number:>8} w." for number in chosen.workers) + "   CPU, ms   the same"
    )
    for title, name, options, cached in TASKS:
        pairs = pairs_in(chosen.data)
        pairs = pairs[:: max(1, len(pairs) // PICTURES)] if cached else pairs
        patches = Patches(pairs, make_task(name, options), size=chosen.patch, cache=cached * usual_limit())
        for number in range(len(pairs) if cached else 0):
            patches.pictures.window(number, slice(0, 1), slice(0, 1))
        runs = [draw(patches, chosen.batch, chosen.steps, workers) for workers in chosen.workers]
        speeds = "".join(f"{speed:11.0f}" for speed, _, _ in runs)
        same = "yes" if len({digest for _, _, digest in runs}) == 1 else "NO"
        print(f"{title:20}{speeds}{1000 * runs[0][1]:10.2f}{same:>11}", flush=True)
    if chosen.small:
        with tempfile.TemporaryDirectory() as temporary:
            for line in many_small(Path(temporary), chosen.small):
                print(line, flush=True)


if __name__ == "__main__":
    main()
