"""`restore tune`: what is searched, what comes of it, and that nothing is lost when it is killed."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from subprocess import DEVNULL
from types import SimpleNamespace

import optuna
import pytest
from forking import Run, commands, start
from msgspec.structs import replace
from restoration_tune.beginning import open_search
from restoration_tune.by_optuna import TRIES, _begin_interrupted_again, search
from restoration_tune.page import page
from restoration_tune.space import Choice, Range, applied, check, read_space
from restoration_tune.trials import DONE, FAILED, Row, logged
from small import SMALL, picture

from restoration import BadOption, Part, Picture, Training, write
from restoration.recipe import default_recipe

SPACE = """
"training.lr" = { low = 1e-4, high = 1e-2, log = true }
training.patch = [16, 24]
"network.width" = [4, 8]
"""
FIXED = {
    "steps": 4,
    "batch": 1,
    "held_out": 1,
    "validate_every": 2,
    "checkpoint_every": 2,
    "workers": 0,
    "precision": '"fp32"',
}
HOW = [word for name, value in FIXED.items() for word in ("--set", f"training.{name}={value}")]


@pytest.fixture(scope="session")
def restore() -> Run:
    with commands() as run:
        yield run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        write(picture(40, 48, seed), tmp_path / "photos" / f"{seed}.png")
    recipe = default_recipe("regression", "denoise")
    small = {**json.loads(recipe.to_json()), "network": {"name": "nafnet-compact", "options": SMALL}}
    (tmp_path / "recipe.json").write_text(json.dumps(small))
    (tmp_path / "space.toml").write_text(SPACE)
    return tmp_path


def command(*more: object) -> list[object]:
    return ["tune", "recipe.json", "--space", "space.toml", "--data", "photos", "--out", "out", *HOW, *more]


def test_a_search_ranks_its_trials_and_writes_the_best_recipe_which_trains(restore: Run, folder: Path) -> None:
    done = restore(*command("--trials", 3, "--json"), cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["psnr"] for row in rows] == sorted((row["psnr"] for row in rows), reverse=True)
    assert sorted(row["number"] for row in rows) == [1, 2, 3]
    assert done.stderr.count("trial ") == 3 and "best: " in done.stderr

    best = json.loads((folder / "out" / "best.json").read_text())
    chosen = rows[0]["chosen"]
    assert best["training"]["lr"] == pytest.approx(chosen["training.lr"])
    assert best["network"]["options"]["width"] == chosen["network.width"]
    assert (folder / "out" / "search.html").read_text().count("<path") == 3
    again = ("train", "regression", "--task", "denoise", "--recipe", "out/best.json", "--data", "photos")
    assert restore(*again, "--out", "best", cwd=folder).returncode == 0

    record = folder / "out" / "search.json"
    older = json.loads(record.read_text())
    assert older["settings"].pop("grey") == 0.0  # as a version wrote it that had no such setting
    record.write_text(json.dumps(older))
    more = restore(*command("--trials", 4, "--json"), cwd=folder)
    assert sorted(row["number"] for row in json.loads(more.stdout)) == [1, 2, 3, 4]
    assert more.stderr.count("trial ") == 1
    other = restore(*command("--trials", 4, "--seed", 1), cwd=folder)
    assert other.returncode == 2 and "out holds another search, of another seed" in other.stderr


def test_a_search_that_is_killed_loses_no_finished_trial_and_goes_on_with_the_one_it_was_at(
    restore: Run, folder: Path
) -> None:
    process = start("-m", "restoration", *command("--trials", 50), cwd=folder, stdout=DEVNULL, stderr=DEVNULL)
    trials = folder / "out" / "trials"
    deadline = time.monotonic() + 100
    while not trials.exists() or len(list(trials.iterdir())) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {path.name for path in trials.iterdir()}

    done = restore(*command("--trials", len(before), "--json"), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trial ") <= 1
    assert {path.name for path in trials.iterdir()} == before
    assert len(json.loads(done.stdout)) == len(before)


def test_a_trial_that_fails_is_a_row_and_the_others_go_on(restore: Run, folder: Path) -> None:
    (folder / "space.toml").write_text('"training.patch" = [16, 4000]\n')
    done = restore(*command("--trials", 4, "--json"), cwd=folder)
    rows = json.loads(done.stdout)
    states = {row["chosen"]["training.patch"]: row["state"] for row in rows}
    assert states == {16: DONE, 4000: FAILED} and done.returncode == 0
    assert "4000" in next(row["error"] for row in rows if row["state"] == FAILED)


def test_a_trial_that_ends_its_process_again_and_again_is_given_up(folder: Path) -> None:
    """Without this, a search whose trial needs too much memory would begin with it for ever."""
    study = optuna.create_study(study_name="search", storage=f"sqlite:///{folder / 'study.db'}", direction="maximize")
    for number in range(TRIES):
        trial = study.ask()
        assert trial.suggest_int("training.batch", 1, 8) and trial.number == number
        _begin_interrupted_again(study)
    asked: list[object] = []
    of = SimpleNamespace(out=folder, space={"training.batch": Range(1, 8, whole=True)}, run=asked.append)
    rows = search(of, 1, seed=0, prune=False)  # type: ignore[arg-type]
    assert [row.state for row in rows] == [FAILED] and not asked
    assert rows[0].error == f"its process ended {TRIES} times before any validation, for want of memory perhaps"


def test_a_trial_that_is_broken_is_a_row_and_one_that_goes_on_keeps_its_best_of_before(folder: Path) -> None:
    def run(chosen: dict[str, object], report: object) -> tuple[float, float, float]:
        raise RuntimeError(f"mat1 and mat2 do not fit at {chosen['training.batch']}")

    space = {"training.batch": Range(1, 8, whole=True)}
    rows = search(SimpleNamespace(out=folder, space=space, run=run), 2, seed=0, prune=False)  # type: ignore[arg-type]
    assert [row.state for row in rows] == [FAILED, FAILED]
    assert rows[0].error.startswith("RuntimeError: mat1 and mat2 do not fit at ")
    (folder / "log.jsonl").write_text('{"step": 1}\n{"step": 2, "psnr_rgb": 31.125}\n{"step": 4, "psnr_rgb": 30.5}\n')
    assert logged(folder) == [31.125, 30.5] and logged(folder / "nowhere") == []


def test_a_recipe_that_learns_whole_pictures_is_fitted_to_those_of_the_search(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    for seed in range(3):
        write(Picture(pixels=picture(12, 12, seed).pixels[:, :1]), tmp_path / "digits" / f"{seed}.png")
    (tmp_path / "space.toml").write_text('"training.lr" = [1e-4, 1e-3]')
    recipe = tmp_path / "recipe.json"

    def searched(**fixed: object) -> tuple[str, int]:
        """Return the channels and the patch of all trials of a search, which is not begun."""
        named = {"training.held_out": 1, **{f"training.{name}": value for name, value in fixed.items()}}
        folders = (tmp_path / "space.toml", tmp_path / "digits", tmp_path / f"out{len(list(tmp_path.iterdir()))}")
        with open_search(str(recipe), *folders, None, named, {}, device="cpu", threads=1) as of:
            assert not of.recipe.training
            return of.recipe.channels, of.settings.patch

    bare = default_recipe("ddpm", "denoise")
    recipe.write_text(bare.to_json())
    assert searched() == ("y", 12)
    assert searched(patch=8) == ("y", 8)
    recipe.write_text(replace(bare, training={**bare.training, "patch": 10}).to_json())
    assert searched() == ("y", 10)
    recipe.write_text(replace(bare, training={**bare.training, "patch": 10, "data": "trained already"}).to_json())
    assert searched() == ("rgb", 10)
    recipe.write_text(default_recipe("regression", "denoise").to_json())
    assert searched() == ("rgb", Training().patch)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("", "names nothing to search"),
        ("a = ", "is not a TOML file"),
        ('"netwok.width" = [1, 2]', "netwok.width: nothing is called that"),
        ('"network.width" = [8]', "a list needs two values or more"),
        ('"network.width" = { low = 8 }', "a range has the numbers low and high"),
        ('"training.lr" = { low = 0, high = 1, log = true }', "and above 0"),
        ('"training.rate" = [1, 2]', "training.rate = 1: training.rate: there is no such setting"),
        ('"network.wdth" = [1, 2]', "network.wdth = 1: network 'nafnet-compact' has no option 'wdth'"),
        ('network = ["nafnet-compact", "nafnot"]', "network = nafnot: no network is named 'nafnot'"),
        ('"training.ema" = [0.9, 1.5]', "training.ema = 1.5: training.ema: "),
    ],
)
def test_a_space_that_does_not_fit_is_one_line_before_anything_is_trained(
    restore: Run, folder: Path, space: str, said: str
) -> None:
    (folder / "space.toml").write_text(space)
    with pytest.raises(BadOption) as caught:
        check(read_space(folder / "space.toml"), default_recipe("regression", "denoise"), Training())
    assert said in str(caught.value)


def test_values_of_all_kinds_are_put_in_their_places() -> None:
    recipe, settings = applied(
        default_recipe("regression", "denoise"),
        Training(),
        {"network": "dncnn", "network.depth": 5, "task.sigma": 10, "training.lr": 0.5, "objective.norm": "l2"},
    )
    assert recipe.network == Part("dncnn", {"depth": 5})
    assert recipe.task.options == {"sigma": 10} and recipe.objective is not None
    assert recipe.objective.options["norm"] == "l2" and settings.lr == 0.5


def test_a_page_marks_every_trial_where_its_values_lie() -> None:
    space = {"training.lr": Range(1e-4, 1e-2, log=True), "network.width": Choice((4, 8))}
    rows = [
        Row(number=1, chosen={"training.lr": 1e-3, "network.width": 8}, state=DONE, psnr=30.0, loss=0.1, seconds=5.0),
        Row(number=2, chosen={"training.lr": 1e-2, "network.width": 4}, state=DONE, psnr=20.0, loss=0.2, seconds=5.0),
        Row(number=3, chosen={"training.lr": 1e-4, "network.width": 4}, state=FAILED, error="<no>"),
    ]
    drawn = page("search", space, rows)
    assert 'd="M80,220.0L240,40.0L400,40.0"' in drawn  # half way in the logarithm, then at the top
    assert drawn.index("<td>1</td>") < drawn.index("<td>2</td>") < drawn.index("<td>3</td>")
    assert "&lt;no&gt;" in drawn and "<script" not in drawn


@pytest.mark.slow
def test_ray_searches_the_same_space_with_trials_side_by_side(restore: Run, folder: Path) -> None:
    pytest.importorskip("ray", reason="pip install 'restoration-tune[ray]'")
    done = restore(*command("--trials", 3, "--engine", "ray", "--jobs", 2, "--json"), cwd=folder, env={**os.environ})
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 3 and len(list((folder / "out" / "trials").iterdir())) == 3
    assert {*rows[0]["chosen"]} == {"training.lr", "training.patch", "network.width"}
    again = restore(*command("--trials", 3, "--engine", "ray", "--jobs", 2, "--json"), cwd=folder, env={**os.environ})
    assert {row["psnr"] for row in json.loads(again.stdout)} == {row["psnr"] for row in rows}


def test_what_an_engine_does_not_use_is_refused(restore: Run, folder: Path) -> None:
    done = restore(*command("--jobs", 2), cwd=folder)
    assert done.returncode == 2 and "--address and --jobs are for --engine ray" in done.stderr
    for more, said in (
        (("--set", "steps=4"), "steps: say which part, as in training.steps"),
        (("--set", "training.held_out=0"), "trials are compared by validation: name --validation DIR"),
        (("--validation", "photos"), "--validation takes the place of training.held_out"),
    ):
        refused = restore(*command(*more), cwd=folder)
        assert refused.returncode == 2 and said in refused.stderr and not (folder / "out").exists()
    clash = restore(*command("--set", "network.width=4"), cwd=folder)
    assert clash.returncode == 2 and "--set network.width: space.toml searches it" in clash.stderr
