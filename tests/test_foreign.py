"""Files of tensors that others have written: recognised or refused in one line, never run, and kept once converted."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import stat
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from forking import Run, python
from restoration_comparators.haze import AODNet
from safetensors.torch import save_file
from small import picture

from restoration import BadWeights, Restoration, read, resolve, write
from restoration.foreign.cache import cache_folder
from restoration.foreign.conversion import convert, folder_of
from restoration.foreign.recognition import recognise
from restoration.foreign.unpickled import Refused, unpickle, wanted


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of their own."""
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return AODNet().state_dict()


@pytest.fixture
def hazy(tmp_path: Path) -> Path:
    write(picture(40, 50), tmp_path / "hazy.png")
    return tmp_path / "hazy.png"


def saved(state: dict[str, torch.Tensor], path: Path) -> Path:
    """Write tensors as safetensors: a pickle takes a process, with seconds to import torch."""
    save_file(state, path)
    return path


def pickled(state: object, path: Path, **how: object) -> Path:
    torch.save(state, path, **how)  # type: ignore[arg-type]
    return path


def refused(path: Path) -> str:
    with pytest.raises(BadWeights) as info:
        resolve(str(path), "", "")
    text = str(info.value)
    assert len(text.splitlines()) == 1 and path.name in text
    return text


WRAPPED = {
    "bare": lambda state: state,
    "params_ema": lambda state: {"params": {k: v + 1 for k, v in state.items()}, "params_ema": state},
    "data parallel": lambda state: {"state_dict": OrderedDict((f"module.{k}", v) for k, v in state.items())},
    "checkpoint": lambda state: {
        "epoch": 3,
        "opt": argparse.Namespace(lr=0.1),
        "model": state,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}, 1: {"exp_avg": torch.ones(3)}}},
    },
    "two networks": lambda state: {"netD": {f"d{n}": torch.zeros(2) for n in range(30)}, "netG": state},
}


@pytest.mark.parametrize("how", WRAPPED)
def test_the_network_is_found_in_whatever_dicts_it_lies(
    how: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    read = unpickle(str(pickled(WRAPPED[how](state), tmp_path / "net.pth")))
    found = {name.removeprefix("module."): value for name, value in wanted(read).items()}
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("name", ["net.h5", pytest.param("old.pth", marks=pytest.mark.slow), "net.safetensors"])
def test_every_kind_of_file_gives_the_picture_of_its_network(
    name: str, state: dict[str, torch.Tensor], tmp_path: Path, hazy: Path
) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        saved(state, path)
    else:
        pickled(state, path, _use_new_zipfile_serialization=name != "old.pth")
    network = AODNet()
    network.load_state_dict(state)
    found = Restoration("regression", "dehaze", weights=str(path), precision="fp32")(hazy).picture.pixels
    with torch.inference_mode():
        torch.testing.assert_close(found, network(read(hazy).pixels).clamp(0, 1))


class Runs:
    """Runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


def reason(path: Path) -> str:
    """Return why a pickle is refused, without a process of its own."""
    with pytest.raises(Refused) as info:
        wanted(unpickle(str(path)))
    return str(info.value)


def test_a_file_that_needs_code_is_refused_and_its_code_does_not_run(
    state: dict[str, torch.Tensor], tmp_path: Path, cache: Path
) -> None:
    mark = tmp_path / "mark"
    evil = pickled({**state, "x": Runs(mark)}, tmp_path / "evil.pth")
    assert "it needs code, posix.mkdir, and no code of a file is run" in refused(evil)
    assert "it needs code" in reason(pickled(AODNet(), tmp_path / "module.pth"))
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Runs(mark)))
    assert "it is no file of tensors" in reason(tmp_path / "plain.pkl")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as file:
        file.writestr("script/constants.pkl", pickle.dumps(()))
        file.writestr("script/data.pkl", pickle.dumps({}))
        file.writestr("script/version", "3")
    assert "it is TorchScript, which is code" in reason(tmp_path / "script.pt")
    assert not mark.exists() and not list(cache.glob("weights/*/*"))


def test_a_file_cannot_take_more_memory_than_its_size_explains(tmp_path: Path) -> None:
    huge = torch.zeros(1).expand(200_000, 200_000)
    path = pickled({"a.weight": huge}, tmp_path / "huge.pth")
    done = python("-m", "restoration.foreign.unpickled", path, tmp_path / "out.safetensors")  # a copy, with its limits
    assert (done.returncode, done.stdout) == (1, "") and not (tmp_path / "out.safetensors").exists()
    assert done.stderr == "it asks for more memory than a file of its size may need\n"


def test_what_is_no_file_of_tensors_is_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "empty.pth").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as file:
        file.writestr("x", "y")
    whole = pickled(state, tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    for name in ("text.pth", "empty.pth", "zip.pth", "cut.pth"):
        assert reason(tmp_path / name) == "it is no file of tensors, or a damaged one"
    assert reason(pickled([torch.zeros(3)], tmp_path / "list.pth")) == "it holds no tensors by names"
    (tmp_path / "notes.txt").write_text("hello")
    assert "no file of tensors: their names end in .safetensors" in refused(tmp_path / "notes.txt")
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 40)
    assert "cannot be read" in refused(tmp_path / "bad.safetensors")


def test_a_network_that_is_not_known_is_answered_with_the_nearest_and_the_names_that_differ(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    less = {name: value for name, value in state.items() if not name.startswith("e_conv5")}
    text = refused(saved(less, tmp_path / "less.safetensors"))
    assert "the nearest is AOD-Net, but it lacks e_conv5.weight, e_conv5.bias" in text
    more = {**state, **{f"e_conv{n}.weight": torch.zeros(3) for n in (6, 7, 8, 9)}}
    text = refused(saved(more, tmp_path / "more.safetensors"))
    assert "it is like AOD-Net, but it has also e_conv6.weight, e_conv7.weight, e_conv8.weight and 1 more" in text
    text = refused(saved({**state, "e_conv1.weight": torch.zeros(3, 3, 5, 5)}, tmp_path / "other.safetensors"))
    assert "e_conv1.weight has the shape [3, 3, 5, 5], not [3, 3, 1, 1]" in text
    text = refused(saved({"\x1b[31mfoo": torch.zeros(2)}, tmp_path / "foo.safetensors"))
    assert "nothing is near to its" in text and "\x1b" not in text


@pytest.mark.parametrize("before", ["_orig_mod.", "module._orig_mod.module.", "net_g.", "_orig_mod.model."])
def test_what_trainers_put_before_the_names_of_tensors_is_left_out(before: str, state, tmp_path: Path) -> None:
    layout, found = recognise({f"{before}{name}": value for name, value in state.items()}, tmp_path / "net.pth")
    assert layout == "comparators" and found.tensors.keys() == state.keys()
    first = next(iter(state)).partition(".")[0]
    inside = {name.replace(f"{first}.", f"{first}._orig_mod.", 1): value for name, value in state.items()}
    assert recognise(inside, tmp_path / "net.pth")[1].tensors.keys() == state.keys()
    with pytest.raises(BadWeights, match=r"nothing is near to its model\.a\.b, model\.c\.d"):
        recognise({"model.a.b": torch.zeros(1), "model.c.d": torch.zeros(1)}, tmp_path / "net.pth")


def test_a_file_is_converted_once_and_again_if_it_changes(
    state: dict[str, torch.Tensor], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(state, tmp_path / "net.safetensors")
    first = folder_of(path)
    assert first.parent.parent == cache / "weights"
    assert sorted(one.name for one in first.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    monkeypatch.setattr("restoration.foreign.conversion.read_tensors", None)
    assert folder_of(shutil.copy(path, tmp_path / "copy.safetensors")) == first
    assert not list(cache.rglob(".part-*"))
    monkeypatch.undo()
    monkeypatch.setenv("RESTORE_CACHE", str(cache))
    saved({name: value + 1 for name, value in state.items()}, path)
    assert folder_of(path) != first


def test_the_cache_is_where_the_user_has_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("RESTORE_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "xdg" / "restoration"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache" / "restoration"


def test_without_a_place_for_the_cache_the_folder_goes_with_the_process(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "file" / "cache"))
    path = saved(state, tmp_path / "net.safetensors")
    folder = folder_of(path)
    assert (folder / "config.json").is_file() and folder_of(path) == folder


def test_a_recipe_says_whence_it_came_and_is_json_of_names(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = saved(state, tmp_path / "net.safetensors")
    files = convert(path)
    made = json.loads(files.recipe.to_json())
    assert made["network"] == {"name": "aod-net"}
    assert made["training"]["file"] == "net.safetensors" and made["training"]["layout"] == "comparators"
    assert len(made["training"]["sha256"]) == 64 and made["training"]["sha256"] in files.card
    assert made["requires"] and "working_size" not in made, "a published network sees the picture in its own size"
    assert "license" not in files.card.split("---")[1], "no licence is claimed for the authors"


def test_run_takes_method_and_task_from_the_file(
    restore: Run, state: dict[str, torch.Tensor], tmp_path: Path, hazy: Path, cache: Path
) -> None:
    path = saved(state, tmp_path / "net.safetensors")
    env = {**os.environ, "RESTORE_CACHE": str(cache)}
    plan = restore("run", hazy, "--weights", path, "--dry-run", env=env)
    assert f"(regression, dehaze, weights {path})" in plan.stdout, plan.stderr
    done = restore("run", hazy, "--weights", path, "--accept", "-o", tmp_path / "{name}.{method}.{task}.png", env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hazy.regression.dehaze.png").is_file()
    shown = restore("weights", "show", path, "--json", env=env)
    assert json.loads(shown.stdout)["recipe"]["network"]["name"] == "aod-net"
    over = restore("run", hazy, "--weights", path, "--accept", "--overwrite", "-o", path, env=env)
    assert over.returncode == 2, "the file of the weights would be overwritten"
    other = restore("run", hazy, "--weights", path, "--task", "sr", env=env)
    assert other.returncode == 2 and "holds weights for --method regression --task dehaze" in other.stderr


def test_score_takes_method_and_task_from_the_file(
    restore: Run, state: dict[str, torch.Tensor], tmp_path: Path, cache: Path
) -> None:
    path = saved(state, tmp_path / "net.safetensors")
    for name in ("clean", "hazy"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
        write(picture(40, 50), tmp_path / "pairs" / name / "a.png")
    how = ["--data", tmp_path / "pairs", "--metrics", "psnr", "--json"]
    done = restore("score", "--weights", path, *how, env={**os.environ, "RESTORE_CACHE": str(cache)})
    assert done.returncode == 0, done.stderr
    assert "regression" in json.loads(done.stdout)["methods"]


def test_a_folder_of_weights_says_its_method_and_task_too(restore: Run, weights: Path, rainy: Path) -> None:
    done = restore("run", rainy, "--weights", weights, "--dry-run")
    assert "(ir-sde, derain" in done.stdout, done.stderr
    neither = restore("run", rainy)
    assert neither.returncode == 2
    assert "Missing option '-m' / '--method'; or name weights of your own with --weights" in neither.stderr


def test_convert_writes_a_folder_that_gives_the_same_picture(
    restore: Run, state: dict[str, torch.Tensor], tmp_path: Path, hazy: Path
) -> None:
    path, out = saved(state, tmp_path / "net.safetensors"), tmp_path / "out"
    done = restore("weights", "convert", path, out)
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert "AOD-Net: --method regression --task dehaze" in done.stderr
    assert sorted(one.name for one in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    both = [Restoration("regression", "dehaze", weights=str(one))(hazy).picture.pixels for one in (path, out)]
    assert torch.equal(*both)
    other = restore("weights", "convert", path, tmp_path / "other", "--task", "sr")
    assert other.returncode == 2 and "is for --task dehaze, not for sr; leave --task out" in other.stderr
    assert not (tmp_path / "other").exists()
    again = restore("weights", "convert", path, out)
    assert again.returncode == 2 and "is there and not empty; use --overwrite" in again.stderr
    assert restore("weights", "convert", path, out, "--overwrite", "--json").returncode == 0
    assert stat.S_ISREG((out / "config.json").stat().st_mode)
    asked = restore("weights", "convert", path, tmp_path / "asked", "--task", "derain")
    assert "--task derain" in asked.stderr.splitlines()[-1]
    assert asked.stderr.startswith(
        "warning: net.safetensors is AOD-Net, for dehaze; it is taken for derain, as asked\n"
    )


def test_what_a_file_does_not_say_is_asked_for(restore: Run, tmp_path: Path, hazy: Path, cache: Path) -> None:
    shapes = {"body.0.weight": (4, 3, 3, 3), "body.0.bias": (4,), "body.1.weight": (4,)}
    shapes |= {"body.2.weight": (4, 4, 3, 3), "body.2.bias": (4,), "body.3.weight": (4,)}
    shapes |= {"body.4.weight": (3, 4, 3, 3), "body.4.bias": (3,)}
    path = saved({name: torch.zeros(shape) for name, shape in shapes.items()}, tmp_path / "1x.safetensors")
    env = {**os.environ, "RESTORE_CACHE": str(cache)}
    asked = restore("run", hazy, "--weights", path, "--dry-run", env=env)
    assert asked.returncode == 2
    assert (
        "does not say what it restores: add --task, one of denoise, deblur, derain, dehaze, jpeg, say" in asked.stderr
    )
    assert restore("weights", "convert", path, tmp_path / "out", env=env).returncode == 2
    assert not (tmp_path / "out").exists()
    for task in ("jpeg", "inpaint"):
        done = restore("run", hazy, "--weights", path, "-t", task, "--dry-run", env=env)
        assert f"(regression, {task}" in done.stdout, done.stderr
    assert "--task inpaint" in restore("weights", "convert", path, tmp_path / "out", "-t", "inpaint", env=env).stderr


def test_the_layouts_are_listed(restore: Run) -> None:
    found = json.loads(restore("weights", "layouts", "--json").stdout)
    assert {"comparators", "spandrel"} <= {card["name"] for card in found}
