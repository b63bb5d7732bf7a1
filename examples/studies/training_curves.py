"""What a network learns faster with: maximum likelihood or noise matching, and which θ (figures 10 and 11 of IR-SDE).

    python examples/studies/training_curves.py objectives --photos photos/
    python examples/studies/training_curves.py schedules --photos photos/

Trains small networks from scratch, one for each line, and validates as it goes. With the 2,000 steps that are the
default the lines begin to part; the paper has 700,000. Prints a table and writes `objectives.svg` or `schedules.svg`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import msgspec

from restoration import Part, Training, train
from restoration.console import prepare
from restoration.recipe import default_recipe
from restoration.training.plot import line_plot

CLEAN = Path(__file__).parents[1] / "derain" / "clean"
NOISE = {"name": "noise-matching"}
STUDIES = {
    "objectives": {
        "maximum likelihood": {"objective": {"name": "posterior-mean"}},
        "noise matching": {"objective": NOISE},
        "clean matching (ours)": {"objective": {"name": "clean-matching"}},
    },
    "schedules": {
        theta: {
            "objective": {"name": "posterior-mean"},
            "schedule": {"name": "mean-reverting", "options": {"theta": theta}},
        }
        for theta in ("constant", "linear", "cosine")
    },
}


def main() -> None:
    """Train, read the logs, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--task", default="derain")
    parser.add_argument(
        "--photos", type=Path, default=CLEAN, help="clean pictures to train on; half are held out if few"
    )
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--points", type=int, default=10, help="validations on the way")
    parser.add_argument("--evaluations", type=int, default=20, help="of the network for each validation picture")
    parser.add_argument("--width", type=int, default=8, help="of the network")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    prepare()
    lines = {}
    settings = Training(
        steps=chosen.steps, patch=64, held_out=4, validate_every=max(1, chosen.steps // chosen.points), lr=5e-4
    )
    for name, parts in STUDIES[chosen.study].items():
        recipe = default_recipe("ir-sde", chosen.task)
        assert recipe.network is not None
        changed = {key: msgspec.convert(part, Part) for key, part in parts.items()}
        changed["network"] = Part(recipe.network.name, {**recipe.network.options, "width": chosen.width})
        changed["method"] = Part("ir-sde", {"steps": chosen.evaluations})
        changed["sampler"] = Part("posterior")
        with tempfile.TemporaryDirectory() as out:
            train(msgspec.structs.replace(recipe, **changed), chosen.photos, Path(out), settings)
            log = [json.loads(line) for line in (Path(out) / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        lines[name] = [(entry["step"], entry["psnr_rgb"]) for entry in log if entry.get("psnr_rgb") is not None]
        print(f"{name}: " + ", ".join(f"{step}: {psnr:.2f}" for step, psnr in lines[name]), flush=True)
    print(f"PSNR (RGB, border 0) of pictures held out, {chosen.task}, {chosen.evaluations} posterior steps, seed 0")
    out = chosen.out or Path(f"{chosen.study}.svg")
    title = f"{chosen.task}: {chosen.study}"
    out.write_text(line_plot(lines, title=title, x_label="training step", y_label="PSNR, dB"), encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
