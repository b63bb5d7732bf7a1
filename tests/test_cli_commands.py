"""The other commands of `restore`, as processes: lists, weights, plugins, train, score."""

from __future__ import annotations

import http.server
import json
import os
import re
import threading
from pathlib import Path

import pytest
from small import picture

from restoration.images import read, write
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, TaskCard
from restoration.weights import CONFIG, MODEL

LISTS = ("methods", "tasks", "networks", "schedules", "objectives", "samplers", "metrics")


@pytest.mark.parametrize("name", LISTS)
def test_every_list_has_a_table_and_json(restore, name):
    plain, as_json = restore(name), restore(name, "--json")
    assert plain.returncode == as_json.returncode == 0, plain.stderr
    cards = json.loads(as_json.stdout)
    assert cards
    assert plain.stdout.count("\n") == len(cards) + 1
    for card in cards:
        assert {"name", "summary", "factory", "license", "source"} <= card.keys()
        assert f"\n{card['name']}\t{card['summary']}" in plain.stdout


def test_methods_and_tasks_are_those_of_the_registry(restore):
    names = [card["name"] for card in json.loads(restore("methods", "--json").stdout)]
    assert names == [card.name for card in registry().cards(RestorerCard)]
    names = [card["name"] for card in json.loads(restore("tasks", "--json").stdout)]
    assert names == [card.name for card in registry().cards(TaskCard)]


def test_weights_are_listed_and_shown(restore, weights):
    listed = json.loads(restore("weights", "list", "--json").stdout)
    for row in listed:
        shown = restore("weights", "show", row["name"])
        assert shown.returncode == 0
        assert row["name"] in shown.stdout
        assert row["mb"] <= 4
    facts = json.loads(restore("weights", "show", weights, "--json").stdout)
    assert facts["recipe"]["method"]["name"] == "ir-sde"
    unknown = restore("weights", "show", "nothing")
    assert unknown.returncode == 2
    assert "no set of weights is named 'nothing'" in unknown.stderr


def test_plugins_are_listed_and_checked(restore):
    checked = restore("plugins", "--check", "--json")
    rows = json.loads(checked.stdout)
    assert checked.returncode == 0, rows
    assert {"core", "ir-sde", "networks", "regression", "tasks"} <= {row["name"] for row in rows}
    assert all(row["state"] == "ok" for row in rows)


def test_a_plugin_limit_is_an_environment_variable(restore):
    environment = {**os.environ, "RESTORATION_PLUGINS": "tasks"}
    assert json.loads(restore("methods", "--json", env=environment).stdout) == []
    wrong = restore("methods", env={**os.environ, "RESTORATION_PLUGINS": "taks"})
    assert wrong.returncode == 2
    assert "no plugin is named 'taks'; did you mean 'tasks'?" in wrong.stderr


ALL = "pip install 'restoration-toolbox[all]'"
WITHOUT = {
    "methods": "no method is installed: RESTORATION_PLUGINS='' leaves plugins out; where they are not installed, pip",
    "tasks": "no task is installed: ",
    "weights list": "no set of weights is installed: ",
    "plugins": "no plugin is installed: ",
    "run -m ir-sde -t derain x.png": "pip install restoration-ir-sde",
    "run -m denoising-ode -t denoise x.png": ALL,
    "degrade -t derain x.png -o out": ALL,
    "train regression -t derain --data . --out out": "pip install restoration-regression",
    "score -m dip -t denoise --data .": "pip install restoration-dip",
    "score --data . --metrics gmsd": ALL,
    "audit a b": "pip install restoration-audit",
    "weights show ir-sde/derain --offline": "pip install restoration-ir-sde",
}


@pytest.mark.parametrize("line", WITHOUT)
def test_without_plugins_every_command_says_what_to_install(restore, tmp_path, line):
    done = restore(*line.split(), env={**os.environ, "RESTORATION_PLUGINS": ""}, cwd=tmp_path)
    listed = line.split()[-1] in ("methods", "tasks", "list", "plugins")
    assert done.returncode == (0 if listed else 2)
    (told,) = done.stderr.splitlines()
    assert WITHOUT[line] in told
    assert os.listdir(tmp_path) == []


def test_a_training_makes_weights_that_run_and_score(restore, tmp_path):
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        write(picture(40, 48, seed), tmp_path / "photos" / f"{seed}.png")
    small = ("network.width=8", "network.encoder=[1]", "network.middle=1", "network.decoder=[1]")
    sets = [word for text in small for word in ("--set", text)]
    numbers = ("--steps", 4, "--batch", 2, "--patch", 16, "--validate-every", 2)
    command = ("train", "regression", "--task", "denoise", "--data", tmp_path / "photos", "--out", tmp_path / "out")
    done = restore(*command, *numbers, *sets)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/out\n"
    assert "step 4 of 4" in done.stderr
    how = ("--method", "regression", "--task", "denoise", "--weights", tmp_path / "out")
    assert restore("run", tmp_path / "photos" / "0.png", *how, "-o", tmp_path / "0.png").returncode == 0
    scored = restore("score", *how, "--data", tmp_path / "photos", "--limit", 2, "--json")
    assert scored.returncode == 0, scored.stderr
    table = json.loads(scored.stdout)
    assert len(table["pictures"]) == 2
    assert table["protocol"]["psnr_y"].startswith("PSNR, Y (BT.601, 16-235, float), border 0")
    again = restore(*command[:-1], tmp_path / "again", "--recipe", tmp_path / "out" / CONFIG)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out" / MODEL).read_bytes() == (tmp_path / "again" / MODEL).read_bytes()


def test_a_score_table_has_a_row_for_each_picture_and_metric_and_says_what_they_mean(restore, weights, tmp_path):
    for name in ("clean", "rain"):
        (tmp_path / name).mkdir()
        for seed in range(2):
            write(picture(24, 24, seed), tmp_path / name / f"{seed}.png")
    write(picture(24, 24, 5), tmp_path / "rain" / "1.png")
    done = restore("score", "-m", "ir-sde", "-t", "derain", "--weights", weights, "--data", tmp_path, "--pictures")
    assert done.returncode == 0, done.stderr
    rows = [re.split("  +", line) for line in done.stdout.splitlines()]
    numbers = {(row[0], row[1]): row[2:] for row in rows if row[0].endswith(".png")}
    assert sorted(numbers) == [(f"{seed}.png", who) for seed in (0, 1) for who in ("input", "ir-sde")]
    assert numbers["0.png", "input"][0] == "inf", "equal pictures have no error"
    assert {"PSNR-Y (dB)", "SSIM", "evaluations"} <= {row[0] for row in rows}
    assert "PSNR-Y: PSNR, Y (BT.601, 16-235, float), border 0" in done.stdout


TRAIN = ("train", "ir-sde", "--task", "derain", "--out", "weights")
WRONG = {
    (*TRAIN, "--data", "."): "holds no pictures",
    (*TRAIN, "--data", ".", "--network", "nafnet-compcat"): "did you mean 'nafnet-compact'?",
    (*TRAIN, "--data", ".", "--set", "network.widht=8"): "no option 'widht'; did you mean 'width'?",
    (*TRAIN, "--data", ".", "--set", "width=8"): "say which part",
    (*TRAIN, "--data", ".", "--recipe", "no.json"): "no.json: No such file",
    (*TRAIN, "--data", ".", "--seed", str(2**64)): "is not from 0 to 4611686018427387904",
    ("degrade", "-t", "denoise", "no.png", "-o", "out", "--seed", "-1"): "is not from 0 to 4611686018427387904",
    ("score", "-m", "ir-sde", "-t", "derain", "--data", "nowhere"): "",
}


@pytest.mark.parametrize("arguments", WRONG, ids=lambda arguments: " ".join(arguments[-2:]))
def test_wrong_usage_is_one_line_and_exit_code_2(restore, tmp_path, weights, arguments):
    more = ("--weights", str(weights)) if arguments[0] == "score" else ()
    done = restore(*arguments, *more, cwd=tmp_path)
    assert done.returncode == 2
    assert WRONG[arguments] in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert os.listdir(tmp_path) == []


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hugging Face Hub as a download asks for: one repository, `someone/derain`."""

    folder: Path

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        file = self.folder / self.path.rpartition("/")[2]
        if not self.path.startswith("/someone/derain/resolve/") or not file.is_file():
            self.send_response(404)
            known = self.path.startswith("/someone/derain/")
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = file.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", "0123456789" * 4)
        self.send_header("ETag", f'"{file.name}-{len(data)}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(weights):
    """The address of a server that holds the small weights."""
    handler = type("OneRepository", (Hub,), {"folder": weights})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_weights_come_from_the_hub_then_from_its_cache_and_errors_say_why(restore, hub, rainy, tmp_path):
    home = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    online, gone = {**home, "HF_ENDPOINT": hub}, {**home, "HF_ENDPOINT": "http://127.0.0.1:9"}
    run = ("run", rainy, "-m", "ir-sde", "-t", "derain", "--json", "--overwrite", "--weights")
    done = restore(*run, "someone/derain", env=online)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["weights"] == "someone/derain@" + "0123456789" * 4
    assert restore(*run, "someone/derain", "--offline", env=gone).returncode == 0
    missing = restore(*run, "someone/else", env=online)
    assert missing.returncode == 2
    assert "someone/else is not on the Hub, or is private" in missing.stderr
    offline = restore(*run, "someone/else", "--offline", env=gone)
    assert offline.returncode == 2
    assert "--offline was given" in offline.stderr
    assert len(offline.stderr.strip().splitlines()) == 1
    assert read(rainy.with_name("rainy.restored.png")).pixels.shape == (1, 3, 24, 32)
