"""Folders of weights that are broken or mean harm: one line that says so, before anything large is built."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from restoration import Restoration
from restoration.documents import read_document
from restoration.engine.size import TooLarge, check_size
from restoration.errors import BadOption, BadWeights, RestorationError, harmless
from restoration.recipe import Recipe, with_options
from restoration.registry import registry
from restoration.registry.cards import NetworkCard
from restoration.weights import resolve


@pytest.fixture
def own(weights, tmp_path):
    """A copy of the small weights, to be changed."""
    return shutil.copytree(weights, tmp_path / "own")


def change(folder, **options):
    """Set options of the network in the recipe of a folder."""
    recipe = json.loads((folder / "config.json").read_text())
    recipe["network"]["options"].update(options)
    (folder / "config.json").write_text(json.dumps(recipe))


def refused(folder):
    """Return the line with which a folder is refused."""
    with pytest.raises(RestorationError) as info:
        Restoration("ir-sde", "derain", weights=str(folder))
    text = str(info.value)
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert len(text) < 2000
    return text


def test_a_recipe_is_compared_with_its_weights_before_a_network_is_built(own):
    change(own, middle=900_000)
    assert "but its weights were trained with" in refused(own)


@pytest.mark.parametrize(
    "options", [{"middle": 900_000}, {"width": 900_000}, {"width": 40_000, "encoder": [40] * 3, "decoder": [40] * 3}]
)
def test_a_network_that_no_machine_holds_is_refused_where_weights_say_nothing(own, options):
    save_file(load_file(own / "model.safetensors"), own / "model.safetensors")
    change(own, **options)
    assert "network 'nafnet-compact' would have over" in refused(own)


def test_numbers_of_a_recipe_have_limits(own):
    for options in ({"middle": 10**9}, {"encoder": [1, 10**40]}, {"width": -(10**9)}):
        change(own, **options)
        assert "holds a number over 10000000" in refused(own)
    recipe = resolve("ir-sde/derain", "ir-sde", "derain").recipe()
    with pytest.raises(BadOption, match="holds a number over"):
        with_options(recipe, {"steps": 10**8})


def test_to_look_at_the_size_of_a_network_draws_no_random_numbers_and_changes_none():
    card = registry().card(NetworkCard, "nafnet-compact")
    before = torch.get_rng_state()
    check_size(card, {"width": 64}, {})
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(TooLarge):
        check_size(card, {"width": 100_000}, {})
    assert torch.zeros(1).device.type == "cpu"


DAMAGE = {
    "deep": b'{"method": {"name": "x", "options": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}}",
    "latin-1": b'{"method": {"name": "\xe9"}}',
    "utf-16": '{"method": {"name": "x"}}'.encode("utf-16"),
    "empty": b"",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_config_that_is_no_json_is_refused(own, damage):
    (own / "config.json").write_bytes(DAMAGE[damage])
    assert "config.json is not a recipe" in refused(own)


def test_a_config_that_is_a_device_or_a_pipe_or_endless_is_refused(own, tmp_path):
    config = own / "config.json"
    config.unlink()
    os.mkfifo(config)
    assert "no file but a device" in refused(own)
    config.unlink()
    config.symlink_to("/dev/zero")
    assert "no file but a device" in refused(own)
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 1 << 40)
    with pytest.raises(OSError, match="too long"):
        read_document(tmp_path / "huge")


def test_what_a_stranger_writes_into_names_does_not_reach_the_terminal(own):
    recipe = json.loads((own / "config.json").read_text())
    recipe["network"]["name"], recipe["requires"] = "\x1b[31mred\nnext", ["\x1b[2J"]
    (own / "config.json").write_text(json.dumps(recipe))
    assert "network.name" in refused(own)
    state = load_file(own / "model.safetensors")
    save_file({**state, "\x1b[31m\nkey": torch.zeros(1)}, own / "model.safetensors")
    recipe["network"]["name"] = "x" * 1_000_000
    (own / "config.json").write_text(json.dumps(recipe))
    assert "no network is named 'xxx" in refused(own)


def test_a_card_is_shown_without_the_codes_that_a_terminal_obeys(own, restore):
    (own / "README.md").write_bytes(b"\x1b]0;owned\x07caf\xc3\xa9\n\xff\x9b2J\tend\n")
    done = restore("weights", "show", own)
    assert done.returncode == 0
    assert done.stdout.startswith("\N{REPLACEMENT CHARACTER}]0;owned")
    assert "café\n" in done.stdout
    assert harmless(done.stdout) == done.stdout


def test_a_file_that_exists_is_a_file_and_not_a_name_on_the_hub(own, tmp_path, monkeypatch):
    file = own / "model.safetensors"
    assert resolve(str(file), "ir-sde", "derain").model == "model.safetensors"
    shutil.copy(file, own / "second.safetensors")
    folder = resolve(str(own / "second.safetensors"), "ir-sde", "derain")
    assert (folder.model, folder.recipe().method.name) == ("second.safetensors", "ir-sde")
    assert Restoration("ir-sde", "derain", weights=str(own / "second.safetensors")).folder == folder
    assert resolve(str(own / "config.json"), "ir-sde", "derain").path == own
    monkeypatch.chdir(tmp_path)
    bare = tmp_path / "w" / "model.safetensors"
    bare.parent.mkdir()
    shutil.copy(file, bare)
    refused = {"w/model.safetensors": "have a config.json beside them", "w/x.pth": "it is no file of tensors"}
    for name, why in refused.items():
        (tmp_path / "w/x.pth").write_bytes(b"")
        with pytest.raises(BadWeights, match=why):
            resolve(name, "ir-sde", "derain")
    for name in ("w/none.safetensors", "w/none.pth", "./none", "../none/x"):
        with pytest.raises(BadWeights, match="there is no such file or folder"):
            resolve(name, "ir-sde", "derain")


def test_a_configuration_that_is_a_device_or_nested_too_deeply_is_one_line(restore, tmp_path):
    (tmp_path / "deep.toml").write_text("x = " + "[" * 50_000 + "]" * 50_000)
    (tmp_path / "latin.toml").write_bytes(b"x = '\xe9'")
    for name in ("/dev/zero", tmp_path / "deep.toml", tmp_path / "latin.toml", tmp_path):
        done = restore("methods", env={**os.environ, "RESTORE_CONFIG": str(name)})
        assert done.returncode == 2
        assert f"the configuration {name} cannot be read" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_recipes_hold_the_numbers_of_every_weights_that_came_along():
    with pytest.raises(BadWeights, match="working_size must be 0"):
        Recipe.from_json(b'{"method": {"name": "x"}, "task": {"name": "y"}, "working_size": 1000000000}')
