"""Deep Image Prior through the noise of a DDPM: 24 runs on one picture, and how it compares with plain DIP.

    python examples/studies/staged_dip.py --data f16.png --features vgg16
    python examples/studies/staged_dip.py --fast
    python examples/studies/staged_dip.py --compare --data Set14/

The runs are every beta_max, schedule, network and loss of a report on staged DIP, whose means are printed beside ours.
The full settings, 24 runs of 1,531 to 2,047 steps at 512x512, are for a GPU; a processor takes days. What is done stays
in `runs.jsonl`, and a second start goes on after it. Each run draws its curve, `run-07.svg`: PSNR after every epoch, of
what the network says to the noisy target of the stage and to the clean picture, and of the running average to the clean
one. `--fast` cuts 64x64 pixels out of the picture and makes 150 steps. `--compare` gives staged DIP as many steps of
the same network as plain DIP made until it stopped by itself, which is the same time.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from restoration_dip.fast.padding import crop_middle
from restoration_dip.fit.average import RunningAverage
from restoration_dip.fit.plans import PYRAMID
from reverse_process import PAIRS

import restoration
from restoration import Part, Restorer
from restoration.engine.hardware import find_device, precision, prepare
from restoration.images.folders import pictures_in
from restoration.recipe import build_parts, build_restorer, default_recipe
from restoration.tasks import make_task, observe
from restoration.training.plot import line_plot

FACTORS = {
    "beta_max": (0.01, 0.005),
    "schedule": ("linear", "scaled-linear"),
    "network": ("dip-unet", "resnet18", "dncnn"),
    "perceptual": (False, True),
}
LAMBDA = {"vgg16": 0.01, "vgg19": 0.01, "vgg16-random": 0.01, "efficientnet-lite0": 0.001, "laplacian": 0.1}
PLAIN = {"start": "noise", "optimiser": "adam", "steps": 3000, "jitter": 1 / 30}
"""Settings of plain DIP that are those of the staged: what is shown, the noise on it, the optimiser; both `PYRAMID`."""
PUBLISHED = {
    ("beta_max", 0.01): (29.84, 25.13),
    ("beta_max", 0.005): (29.61, 24.96),
    ("schedule", "linear"): (29.55, 25.19),
    ("schedule", "scaled-linear"): (29.90, 24.89),
    ("network", "dip-unet"): (28.34, 23.81),
    ("network", "resnet18"): (31.27, 25.66),
    ("network", "dncnn"): (29.57, 25.66),
    ("perceptual", False): (29.82, 24.92),
    ("perceptual", True): (29.63, 25.17),
}
"""PSNR to the noisy and to the clean picture of the report, means of the 8 or 12 runs with that value."""
PUBLISHED_CLEAN = "clean: mean 25.04, deviation 1.33; best 26.815, run 12; worst 21.776, run 13"


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=PAIRS / "clean", help="a clean picture, or a folder; the runs take its first"
    )
    parser.add_argument("--sigma", type=float, default=15, help="of the noise, levels of 255; the report's is unknown")
    parser.add_argument("--size", type=int, default=512, help="of what is cut out of the middle, at most")
    parser.add_argument("--steps", type=int, help="of all stages together; by default the method's own")
    parser.add_argument("--features", choices=LAMBDA, help="by default the first of them whose weights are here")
    parser.add_argument("--runs", type=int, nargs="+", default=range(1, 25), help="which of the 24")
    parser.add_argument("--limit", type=int, default=0, help="pictures to compare on; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fast", action="store_true", help="64x64 pixels, 150 steps")
    parser.add_argument("--compare", action="store_true", help="with plain DIP, over several pictures")
    parser.add_argument("--out", type=Path, default=Path("staged_dip"), help="a folder")
    chosen = parser.parse_args()
    if chosen.fast:
        chosen.size, chosen.steps = min(chosen.size, 64), chosen.steps or 150
    prepare()
    paths = [chosen.data] if chosen.data.is_file() else pictures_in(chosen.data)
    if chosen.compare:
        compare(paths[: chosen.limit or None], chosen)
    else:
        grid(paths[0], chosen)


def grid(path: Path, chosen: argparse.Namespace) -> None:
    """Make the runs that are not there yet, print the table and the means."""
    features = chosen.features or available()
    chosen.out.mkdir(parents=True, exist_ok=True)
    log = chosen.out / "runs.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    done = {(entry["run"], json.dumps(entry["settings"])): entry for entry in map(json.loads, lines)}
    clean, observed = noisy(path, chosen, 0)
    height, width = clean.shape[-2:]
    print(
        f"{path.name}, {width}x{height}, sigma {chosen.sigma:g}: {psnr(observed.y, clean):.2f} dB; seed {chosen.seed}"
    )
    print(f"PSNR (RGB, border 0) after the last epoch; perceptual loss: {LAMBDA[features]:g} times {features}")
    print("run  beta_max schedule      network   perceptual |  noisy  clean | average: clean, best at epoch | seconds")
    table = []
    for number, values in enumerate(itertools.product(*FACTORS.values()), 1):
        if number not in chosen.runs:
            continue
        run = dict(zip(FACTORS, values, strict=True))
        settings = {
            **run,
            "picture": path.name,
            "features": features,
            **{name: getattr(chosen, name) for name in ("size", "sigma", "steps", "seed")},
        }
        entry = done.get((number, json.dumps(settings)))
        if entry is None:
            entry = {"run": number, "settings": settings, **one_run(number, settings, clean, observed, chosen)}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        table.append({**run, **entry})
        print(
            f"{number:3}  {run['beta_max']:<8} {run['schedule']:13} {run['network']:9} "
            f"{'yes' if run['perceptual'] else 'no':10} | {entry['noisy']:6.2f} {entry['clean']:6.2f} | "
            f"{entry['average']:6.2f} {entry['best']:6.2f} at {entry['at']:<13} | {entry['seconds']:.0f}",
            flush=True,
        )
    means(table)


def one_run(
    number: int,
    settings: dict[str, Any],
    clean: torch.Tensor,
    observed: restoration.Observation,
    chosen: argparse.Namespace,
) -> dict[str, float]:
    """Fit, measure after every epoch, draw; return the numbers at the end."""
    features = str(settings["features"])
    options = {"answer": "last", "steps": settings["steps"]}
    if settings["perceptual"]:
        options |= {"perceptual": LAMBDA[features], "features": features}
    schedule = {"kind": settings["schedule"], "beta_min": 0.001, "beta_max": settings["beta_max"], "T": 10}
    restorer = made("dip-staged", str(settings["network"]), options, schedule)
    average = RunningAverage()
    curves: dict[str, list[tuple[int, float]]] = {"target": [], "clean": [], "average, clean": []}

    def look(guess: torch.Tensor) -> None:
        shown = (guess, restorer.target), (guess.clamp(0, 1), clean), (average.update(guess).clamp(0, 1), clean)
        for line, (one, other) in zip(curves.values(), shown, strict=True):
            line.append((len(line) + 1, psnr(one, other)))

    begin = time.perf_counter()
    last = fit(restorer, observed, chosen.seed, look)
    seconds = time.perf_counter() - begin
    loss = features if settings["perceptual"] else "pixels alone"
    title = f"{number}: {settings['beta_max']}, {settings['schedule']}, {settings['network']}, {loss}"
    plot = line_plot(curves, title=title, x_label="epoch", y_label="PSNR, dB")
    (chosen.out / f"run-{number:02}.svg").write_text(plot, encoding="utf-8")
    at, best = max(curves["average, clean"], key=lambda point: point[1])
    return {
        "noisy": psnr(last, observed.y),
        "clean": curves["clean"][-1][1],
        "average": curves["average, clean"][-1][1],
        "best": best,
        "at": at,
        "seconds": round(seconds, 1),
    }


def means(table: list[dict[str, Any]]) -> None:
    """Print the mean of the runs with each value of each factor, ours and the report's."""
    print(f"\n{'mean of runs with':32} |  noisy  clean | the report's")
    for (factor, value), published in PUBLISHED.items():
        rows = [row for row in table if row[factor] == value]
        found = [statistics.fmean(row[name] for row in rows) if rows else float("nan") for name in ("noisy", "clean")]
        print(f"{f'{factor} {value}':32} | {found[0]:6.2f} {found[1]:6.2f} | {published[0]:6.2f} {published[1]:6.2f}")
    clean = {row["run"]: row["clean"] for row in table}
    best, worst = max(clean, key=clean.__getitem__), min(clean, key=clean.__getitem__)
    deviation = statistics.stdev(clean.values()) if len(clean) > 1 else 0.0
    print(
        f"ours, clean: mean {statistics.fmean(clean.values()):.2f}, deviation {deviation:.2f}; "
        f"best {clean[best]:.2f}, run {best}; worst {clean[worst]:.2f}, run {worst}\nthe report's, {PUBLISHED_CLEAN}"
    )


def compare(paths: list[Path], chosen: argparse.Namespace) -> None:
    """Fit each picture by plain DIP, stopped by itself, and by staged DIP with as many steps."""
    print(f"PSNR (RGB, border 0), sigma {chosen.sigma:g}, up to {chosen.size} pixels a side, seed {chosen.seed}")
    print(f"{'picture':20}  noisy | plain DIP  best step   of seconds | staged DIP seconds | gain of stages")
    gains = []
    for place, path in enumerate(paths):
        clean, observed = noisy(path, chosen, place)
        plain = made("dip", "skip", PLAIN | ({} if chosen.steps is None else {"steps": chosen.steps}))
        begin = time.perf_counter()
        first = psnr(fit(plain, observed, chosen.seed).clamp(0, 1), clean)
        between, steps = time.perf_counter(), plain.told["of"]
        second = psnr(fit(made("dip-staged", "skip", {"steps": steps}), observed, chosen.seed).clamp(0, 1), clean)
        end = time.perf_counter()
        gains.append(second - first)
        print(
            f"{path.stem[:20]:20} {psnr(observed.y, clean):6.2f} | {first:9.2f} {plain.told['iteration']:10} {steps:4} "
            f"{between - begin:7.1f} | {second:10.2f} {end - between:7.1f} | {gains[-1]:+.2f}",
            flush=True,
        )
    spread = statistics.stdev(gains) if len(gains) > 1 else 0.0
    print(f"gain of stages over {len(gains)} pictures: mean {statistics.fmean(gains):+.2f} dB, deviation {spread:.2f}")


def made(method: str, network: str, options: dict[str, Any], schedule: dict[str, Any] | None = None) -> Any:
    """Return the method of `restoration-dip` with this network and its options, those that are None left out."""
    recipe = default_recipe(method, "denoise")
    options = {**recipe.method.options, **{name: value for name, value in options.items() if value is not None}}
    assert recipe.network is not None
    own = recipe.network.options | PYRAMID if network == recipe.network.name else {}
    recipe = replace(recipe, method=Part(method, options), network=Part(network, own))
    if schedule is not None:
        recipe = replace(recipe, schedule=Part("ddpm", schedule))
    return build_restorer(recipe, build_parts(recipe))


def fit(
    restorer: Restorer,
    observed: restoration.Observation,
    seed: int,
    look: Callable[[torch.Tensor], None] = lambda guess: None,
) -> torch.Tensor:
    """Return the last guess on the CPU; `look` sees every one."""
    device = find_device("auto")
    observed = dataclasses.replace(observed, y=observed.y.to(device))
    with torch.inference_mode(), precision("auto", device):
        for guess in restorer(observed, torch.Generator().manual_seed(seed)):
            look(guess)
    return guess.cpu()


def noisy(path: Path, chosen: argparse.Namespace, seed: int) -> tuple[torch.Tensor, restoration.Observation]:
    """Return the middle of a picture, and the same with noise that is not clipped."""
    x = restoration.read(path).pixels
    x = crop_middle(x, *(min(side, chosen.size) for side in x.shape[-2:]))
    return x, observe(make_task("denoise", {"sigma": chosen.sigma}), x, torch.Generator().manual_seed(seed))


def psnr(image: torch.Tensor, other: torch.Tensor) -> float:
    return restoration.psnr(image.float().cpu(), other.float().cpu())


def available() -> str:
    """Return the features of the report, or else others that were trained, whose weights are here; or a pyramid."""
    from restoration_dip.perceptual import find_cached, learned

    for features, find in (("vgg16", lambda: find_cached("vgg16")), ("efficientnet-lite0", learned)):
        try:
            find()
            return features
        except restoration.BadOption as error:
            print(error)
    return "laplacian"


if __name__ == "__main__":
    main()
