"""Weights pushed to a Hub with the real client, and used from it by somebody else: the same bytes and pictures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from hub import TOKEN, hub
from huggingface_hub import ModelCard
from small import SMALL, make_weights, picture

from restoration.images import write
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.training.records import CHECKPOINT
from restoration.weights import bundled

NAME = "someone/derain"
FILES = {"README.md", "config.json", "model.safetensors"}


@pytest.fixture(scope="module")
def one():
    """A Hub that has nothing."""
    with hub() as made:
        yield made


@pytest.fixture
def own(weights, tmp_path):
    """A folder as a training leaves it: the weights and what lies beside them."""
    folder = shutil.copytree(weights, tmp_path / "own")
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0 # as asked\nlanguage: en\n---\n\n# My words\n\nStay.\n")
    for name in ("checkpoint.pt", "log.jsonl", "preview.png", "curves.svg"):
        (folder / name).write_text("large")
    return folder


def held(one, name, revision="main"):
    """The files of a repository."""
    repo = one.repos[name]
    return repo.commits[repo.refs[revision]]


def test_three_files_are_pushed_and_nothing_else_and_what_is_equal_is_not_sent_again(restore, one, own, tmp_path):
    env = one.env(tmp_path, TOKEN)
    first = restore("weights", "push", own, NAME, env=env)
    assert first.returncode == 0, first.stderr
    commit = one.repos[NAME].refs["main"]
    assert first.stdout == f"{NAME}@{commit}\n"
    assert first.stderr.startswith(f"{NAME}: pushed: config.json, model.safetensors, README.md, ")
    files = held(one, NAME)
    assert files.keys() - {".gitattributes"} == FILES
    assert files["model.safetensors"] == (own / "model.safetensors").read_bytes()
    assert one.repos[NAME].messages[-1] == "Upload config.json, model.safetensors, README.md with restoration"
    one.asked.clear()
    again = restore("weights", "push", own, NAME, env=env)
    assert (again.stdout, again.stderr) == (first.stdout, f"{NAME}: unchanged\n")
    assert [line.partition(" ")[0] for line in one.asked if "harness" not in line] == ["GET"]
    (own / "README.md").write_text((own / "README.md").read_text() + "More.\n")
    dry = restore("weights", "push", own, NAME, "--dry-run", "--json", env=env)
    assert json.loads(dry.stdout)["status"] == "would be pushed"
    assert one.repos[NAME].refs["main"] == commit
    one.asked.clear()
    third = json.loads(restore("weights", "push", own, NAME, "--json", "--message", "Words", env=env).stdout)
    assert (third["status"], third["files"]) == ("pushed", ["README.md"])
    assert one.requests("PUT") == one.requests("objects/batch") == []
    assert one.repos[NAME].messages[-1] == "Words"


def test_the_words_of_a_card_stay_and_its_header_gets_what_it_lacks(restore, one, own, tmp_path):
    name = "someone/words"
    assert restore("weights", "push", own, name, env=one.env(tmp_path, TOKEN)).returncode == 0
    text = held(one, name)["README.md"].decode()
    assert text.startswith("---\nlicense: cc-by-4.0 # as asked\nlanguage: en\n")
    assert text.endswith("---\n\n# My words\n\nStay.\n")
    data = ModelCard(text).data
    assert (data.library_name, data.pipeline_tag, data.license) == ("restoration", "image-to-image", "cc-by-4.0")
    assert data.tags == ["restoration", "image-restoration", "ir-sde", "derain", "nafnet-compact"]
    assert (own / "README.md").read_text().startswith("---\nlicense: cc-by-4.0 # as asked\nlanguage: en\n---\n"), (
        "here too"
    )
    repo = one.repos[name]
    repo.commit({"README.md": text.replace("Stay.", "Changed on the page.").encode()})
    (own / "config.json").write_bytes((own / "config.json").read_bytes() + b"\n")
    kept = restore("weights", "push", own, name, "--keep-card", "--json", env=one.env(tmp_path, TOKEN))
    assert json.loads(kept.stdout)["files"] == ["config.json"]
    assert b"Changed on the page." in held(one, name)["README.md"]


def test_a_branch_and_a_private_repository(restore, one, own, tmp_path):
    env, name = one.env(tmp_path / "me", TOKEN), "someone/hidden"
    assert restore("weights", "push", own, name, "--private", env=env).returncode == 0
    assert one.repos[name].private
    (own / "README.md").unlink()
    branch = restore("weights", "push", own, name, "--revision", "trial", "--license", "mit", env=env)
    assert branch.returncode == 0, branch.stderr
    assert held(one, name, "trial")["README.md"] != held(one, name)["README.md"]
    made = held(one, name, "trial")["README.md"]
    assert b"license: mit\n" in made and b"# ir-sde/derain\n" in made, "one without a card gets one"
    assert restore("weights", "pull", f"{name}@trial", env=env).returncode == 0
    assert restore("weights", "pull", name, env=one.env(tmp_path / "you")).returncode == 2


SLOW = {True: [pytest.mark.slow], False: []}
"""One who waits for a server that is silent waits for seconds."""
REFUSED = {
    "nobody": "the Hub does not know who you are; `hf auth login`",
    "other": "the Hub does not let you write there",
    "broken": "config.json is not a recipe",
    "astray": "but its weights were trained with 16; put that back, or train again",
    "header": "the header of README.md cannot be read",
    "license": "README.md states the licence cc-by-4.0, not mit",
    "unknown": "the Hub does not take this: ValueError: ",
    "raced": "somebody else has changed it in the meantime",
    "busy": "429, Too Many Requests; try again in 7 s",
    "silent": "does not answer",
    "no commit": "is no Hub: for someone/derain it names no commit",
    "name": "is no owner/name of a repository",
    "folder": "there is no such file or folder",
}


@pytest.mark.parametrize("why", [pytest.param(why, marks=SLOW[why == "silent"]) for why in REFUSED])
def test_what_cannot_be_pushed_is_refused_in_one_line_and_nothing_is_sent(restore, own, tmp_path, why):
    token = {"nobody": None, "other": "hf_other"}.get(why, TOKEN)
    more = ("--license", "mit") if why == "license" else ()
    name, folder = ("one/two/three" if why == "name" else NAME), ("./none" if why == "folder" else own)
    if why == "broken":
        (own / "config.json").write_text("{")
    if why == "astray":
        shutil.copy(bundled(registry().card(WeightsCard, "ir-sde/derain")).path / "model.safetensors", own)
    if why == "header":
        (own / "README.md").write_text("---\nlicense: [mit\n---\n")
    if why == "unknown":
        (own / "README.md").write_text("---\nlicense: my own\n---\n")
    with hub() as one:
        one.how = why if why in ("busy", "silent", "no commit") else ""
        if why == "raced":
            other = make_weights(tmp_path / "other")
            one.put(NAME, other)
            one.meanwhile = lambda: one.put(NAME, other) and None
        before = {name: list(repo.commits) for name, repo in one.repos.items()}
        done = restore("weights", "push", folder, name, *more, env=one.env(tmp_path / "home", token), timeout=60)
        assert done.returncode == 2
        assert REFUSED[why] in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1
        if why not in ("raced", "unknown", "no commit"):
            assert {name: list(repo.commits) for name, repo in one.repos.items()} == before
        assert "model.safetensors" not in held(one, NAME) if why == "unknown" else True


@pytest.fixture(scope="module")
def published(restore, tmp_path_factory):
    """A Hub with all sets that came with the plugins, and what was said of them."""
    with hub() as one:
        done = restore("weights", "push", "--all", "lab", env=one.env(tmp_path_factory.mktemp("home"), TOKEN))
        yield one, done


@pytest.mark.slow
def test_all_sets_are_pushed_by_one_command_and_only_once(restore, published, tmp_path):
    one, done = published
    assert done.returncode == 0, done.stderr
    folders = {bundled(card).path for card in registry().cards(WeightsCard)}
    assert len(one.repos) == len(folders) == len(done.stdout.splitlines())
    assert "lab/restoration-ir-sde-derain" in one.repos and "lab/restoration-ddpm-fashion-mnist" in one.repos
    tensors = {(path / "model.safetensors").read_bytes() for path in folders}
    assert {held(one, name)["model.safetensors"] for name in one.repos} == tensors
    for name in one.repos:
        data = ModelCard(held(one, name)["README.md"].decode()).data
        assert data.library_name == "restoration" and data.license == "mit" and "restoration" in data.tags
    one.asked.clear()
    again = restore("weights", "push", "--all", "lab", "--json", env=one.env(tmp_path, TOKEN))
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert {line["status"] for line in lines} == {"unchanged"}
    assert len(lines) == len(folders)
    assert not one.requests("POST") and not one.requests("PUT")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ir-sde/derain", "regression/jpeg", "denoising-ode/denoise", "regression/sr"])
def test_a_pushed_set_makes_the_same_pictures_elsewhere_and_without_a_network(restore, published, tmp_path, name):
    one, _ = published
    write(picture(32, 40), tmp_path / "small.png")
    method, task = name.split("/")
    known = {"denoise": ("--sigma", "25"), "sr": ("--scale", "4")}.get(task, ())
    how = ("run", "-m", method, "-t", task, *known, tmp_path / "small.png", "--accept", "-q")
    far = ("--weights", f"lab/restoration-{name.replace('/', '-')}")
    env = one.env(tmp_path / "another")
    for run, more in {"here": (), "there": far, "offline": (*far, "--offline")}.items():
        one.how = "away" if run == "offline" else ""
        one.asked.clear()
        done = restore(*how, *more, "-o", tmp_path / f"{run}.png", env=env)
        assert done.returncode == 0, done.stderr
        assert bool(one.asked) is (run == "there")
    one.how = ""
    pictures = {(tmp_path / f"{run}.png").read_bytes() for run in ("here", "there", "offline")}
    assert len(pictures) == 1


@pytest.mark.slow
def test_sets_are_found_by_tags_and_words_over_several_pages(restore, published, tmp_path):
    one, _ = published
    env = one.env(tmp_path)

    def found(*words):
        done = restore("weights", "search", *words, "--json", env=env)
        assert done.returncode == 0, done.stderr
        return {line["name"].removeprefix("lab/restoration-") for line in json.loads(done.stdout)}

    assert found("--task", "derain") == {"ir-sde-derain", "ir-sde-derain-real", "regression-derain"}
    assert found("--method", "ir-sde", "RAIN100H") == {"ir-sde-derain"}
    assert found("--network", "unet-dense", "--license", "mit") == {"noise2noise-denoise", "regression-jpeg"}
    assert len(found("--limit", "5")) == 5
    shown = restore("weights", "search", "derain", "-m", "ir-sde", env=env).stdout.splitlines()
    assert shown[1].split("\t")[:2] == ["lab/restoration-ir-sde-derain", "mit"]
    nothing = restore("weights", "search", "nobody-has-this", env=env)
    assert "no weights on the Hub fit" in nothing.stderr
    for how, words in {"no list": "gave an answer of no sense", "away": "503"}.items():
        one.how = how
        wrong = restore("weights", "search", env=env)
        one.how = ""
        assert wrong.returncode == 2 and words in wrong.stderr
        assert len(wrong.stderr.splitlines()) == 1


LOAD = """
import restoration
one = restoration.load("lab/restoration-regression-derain", revision={revision!r}, device="cpu", **{more!r})
result = one({picture!r})
restoration.write(result.picture, {out!r})
print(one.method, one.task, result.weights)
"""


@pytest.mark.slow
def test_in_python_a_name_is_a_restoration_that_is_ready(restore, published, tmp_path):
    from forking import python

    one, _ = published
    commit = one.repos["lab/restoration-regression-derain"].refs["main"]
    write(picture(32, 40), tmp_path / "small.png")

    def run(revision, **more):
        script = tmp_path / "script.py"
        names = {"picture": str(tmp_path / "small.png"), "out": str(tmp_path / "out.png")}
        script.write_text(LOAD.format(revision=revision, more=more, **names))
        return python(script, env=one.env(tmp_path / "home"))

    done = run(commit)
    assert done.stdout == f"regression derain lab/restoration-regression-derain@{commit}\n", done.stderr
    one.asked.clear()
    assert run(commit, license="permissive").returncode == 0
    assert one.asked == []
    here = restore("run", "-m", "regression", "-t", "derain", tmp_path / "small.png", "--accept", "--device", "cpu")
    assert Path(here.stdout.strip()).read_bytes() == (tmp_path / "out.png").read_bytes()
    assert "have the licence mit, and only cc0-1.0 is taken" in run(commit, license="cc0-1.0").stderr
    assert "there is no restoration.lock" in run(None, locked=True).stderr


@pytest.mark.slow
def test_a_set_that_was_trained_here_has_elsewhere_the_figure_of_its_card(restore, one, pictures, tmp_path):
    pairs = tmp_path / "pairs"
    for number in range(2):
        clean = picture(40, 48, 50 + number)
        noise = torch.randn(clean.pixels.shape, generator=torch.Generator().manual_seed(number))
        for part, pixels in (("GT", clean.pixels), ("LQ", (clean.pixels + 0.1 * noise).clamp(0, 1))):
            (pairs / part).mkdir(parents=True, exist_ok=True)
            write(clean.with_pixels(pixels), pairs / part / f"{number}.png")
    small = [f"network.{name}={json.dumps(value)}" for name, value in SMALL.items()]
    own = [word for setting in small for word in ("--set", setting)]
    quick = ("--steps", 3, "--batch", 1, "--patch", 16, "--validate-every", 3, "--workers", 0, "--precision", "fp32")
    what = ("regression", "-t", "denoise", "--data", pictures, "--validation", pairs, "--license", "cc0-1.0")
    done = restore("train", *what, *own, *quick, "--out", tmp_path / "out", "-q")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / CHECKPOINT).exists(), "which is not pushed"
    pushed = restore("weights", "push", tmp_path / "out", "someone/trained", env=one.env(tmp_path / "here", TOKEN))
    assert pushed.returncode == 0, pushed.stderr
    assert held(one, "someone/trained").keys() - {".gitattributes"} == FILES
    (result,) = ModelCard(held(one, "someone/trained")["README.md"].decode()).data.eval_results
    there = one.env(tmp_path / "there")
    how = ("--weights", "someone/trained", "--license", "permissive", "--metrics", "psnr", "--precision", "fp32")
    scored = restore("score", "-m", "regression", "-t", "denoise", "--data", pairs, *how, "--json", env=there)
    assert scored.returncode == 0, scored.stderr
    found = json.loads(scored.stdout)["methods"]["regression"]["metrics"]["psnr"]["mean"]
    assert found == pytest.approx(result.metric_value, abs=0.011)


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_they_stand_there(restore, weights, pictures, tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "hub.md").read_text(encoding="utf-8")
    blocks = [block for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", page, re.DOTALL | re.MULTILINE) if not kind]
    lines = [line.partition("#")[0].split() for block in blocks for line in block.splitlines()]
    commands = [words[1:] for words in lines if words[0] == "restore"]
    assert len(commands) >= 10
    more = {
        "run": ["--overwrite", "--accept", "--steps", "1"],
        "train": ["--steps", "1", "--batch", "1", "--patch", "16"],
    }
    shutil.copytree(pictures, tmp_path / "photos")
    write(picture(), tmp_path / "rainy.png")
    with hub() as one:
        commit = one.put("owner/name", weights)
        one.repos["owner/name"].refs["v1.0"] = commit
        for words in commands:
            env = one.env(tmp_path / "home", TOKEN)
            done = restore(*words, *more.get(words[0], []), env=env, cwd=tmp_path)
            assert done.returncode == 0, (words, done.stderr)
        assert len(one.repos["owner/name"].commits) == 2
