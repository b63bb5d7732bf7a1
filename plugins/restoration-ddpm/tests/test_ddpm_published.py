"""Networks of published code in use: their steps are the published ones, they draw, and they are priors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from official_ddpm import CASES, ORDERED, diffusion, filled, recorded
from restoration_ddpm.files.layout import PublishedLayout
from restoration_ddpm.restorers import DDPM
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

from restoration import Part, Picture, Restoration
from restoration.foreign.conversion import convert
from restoration.foreign.unpickled import unpickle, wanted
from restoration.sampling import posterior
from restoration.testing import scene

LEVEL = 501
"""The time of the recorded steps, of 1000; the published code counts steps from 0."""
PATHS = ("linear.pred_noise", "cosine.pred_x0", "sigmoid.pred_v")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "cache"))


def opened(state: dict[str, Tensor], folder: Path, *, options: dict[str, Any] | None = None, **how: Any) -> DDPM:
    """Return the method of a converted file, with other options of its network."""
    save_file(state, folder / "net.safetensors")
    files = convert(folder / "net.safetensors")
    (folder / "weights").mkdir()
    files.write(folder / "weights")
    if options:
        config = json.loads((folder / "weights" / "config.json").read_text())
        config["network"]["options"] |= options
        (folder / "weights" / "config.json").write_text(json.dumps(config))
    made = Restoration("ddpm", "denoise", weights=str(folder / "weights"), precision="fp32", device="cpu", **how)
    assert isinstance(made.restorer, DDPM)
    return made.restorer


class Start:
    """Draws a recorded state, for as many rows as it has."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def normal(self, *shape: int) -> Tensor:
        assert self.x.shape[1:] == shape
        return self.x


def stepped(method: DDPM, x_t: Tensor, noise: float, T: int = 1000, level: int = LEVEL) -> tuple[Tensor, Tensor]:
    """Return where a step of ancestral sampling leads from a published state, and the clean image, in [-1, 1]."""
    times = torch.tensor([level, level - 1], dtype=torch.float64) / T
    (a, after), _, _ = method.schedule.at(times)

    def clean(x_t: Tensor, t: Tensor) -> Tensor:
        return method.objective.clean(method.network, method.schedule, x_t, x_t, t).clamp(0, 1)

    begin = ((x_t + a) / 2).float()
    with torch.inference_mode():
        walk = posterior()(clean, method.schedule, begin, begin, times, lambda: torch.full_like(begin, noise))
        ((state, estimate),) = walk
    return 2 * state - after.float(), 2 * estimate - 1


@pytest.mark.parametrize("path", PATHS)
def test_a_step_of_denoising_diffusion_pytorch_is_the_published_one(path: str, tmp_path: Path) -> None:
    tables, x = recorded("lucidrains_paths", "names")[0], recorded("lucidrains")[0]["v2.x"]
    method = opened(diffusion(*path.split(".")), tmp_path)
    state, _ = stepped(method, x, 0.0)
    assert_close(state, tables[f"{path}.mean"], atol=1e-5, rtol=1e-5)
    other, _ = stepped(method, x, 1.0)
    deviation = (tables[f"{path}.logvar"] / 2).exp()
    assert_close(other - state, deviation.expand_as(state), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("path", PATHS)
def test_five_steps_of_ddim_draw_the_published_picture(path: str, tmp_path: Path) -> None:
    tables, x = recorded("lucidrains_paths", "names")[0], recorded("lucidrains")[0]["v2.x"]
    method = opened(diffusion(*path.split(".")), tmp_path, steps=5)
    strength = 2 * method.schedule.at(torch.ones(()))[2].float()  # which the published code takes for 1
    with torch.inference_mode():
        *_, drawn = method.sample(Start(x / strength), 3, 16, 16)  # type: ignore[arg-type]
    assert_close(drawn, tables[f"{path}.ddim"], atol=1e-4, rtol=0)  # the first step divides errors by a, 1/158


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_step_of_guided_diffusion_is_the_published_one(kind: str, tmp_path: Path) -> None:
    vectors = recorded("adm")[0]
    method = opened(filled(CASES["adm.updown"]), tmp_path)
    if kind == "cosine":  # which no file says
        method = edited(tmp_path / "weights", kind="cosine")
    state, estimate = stepped(method, vectors["updown.x"], 0.0)
    assert_close(state, vectors[f"{kind}.mean"], atol=1e-5, rtol=1e-5)
    assert_close(estimate, vectors[f"{kind}.x0"], atol=1e-5, rtol=1e-5)


def edited(folder: Path, **options: Any) -> DDPM:
    """Return the method of a folder after its schedule was changed in config.json, as a user would change it."""
    config = json.loads((folder / "config.json").read_text())
    config["schedule"]["options"] |= options
    (folder / "config.json").write_text(json.dumps(config))
    method = Restoration("ddpm", "denoise", weights=str(folder), precision="fp32", device="cpu").restorer
    assert isinstance(method, DDPM)
    return method


@pytest.mark.parametrize("kind", ["snr-linear", "snr-cosine"])
def test_a_step_in_continuous_time_is_the_published_one(kind: str, tmp_path: Path) -> None:
    vectors = recorded("lucidrains")[0]
    opened(filled(CASES["lucidrains.waves"]), tmp_path, options={"told": kind})
    if kind == "snr-cosine":
        config = json.loads((tmp_path / "weights" / "config.json").read_text())
        config["objective"]["options"]["predicts"] = "velocity"
        (tmp_path / "weights" / "config.json").write_text(json.dumps(config))
    method = edited(tmp_path / "weights", kind=kind)
    state, _ = stepped(method, vectors["waves.x"], 0.0, 500, 251)
    assert_close(state, vectors[f"{kind}.mean"], atol=2e-5, rtol=1e-5)
    other, _ = stepped(method, vectors["waves.x"], 1.0, 500, 251)
    assert_close(other - state, vectors[f"{kind}.variance"].sqrt().expand_as(state), atol=1e-5, rtol=1e-3)


def test_four_thousand_steps_that_are_told_as_a_thousand_are_those_of_improved_diffusion(tmp_path: Path) -> None:
    vectors = recorded("adm")[0]
    options = {**ORDERED["adm.convolutions"], "steps": 4000, "rescaled": True}
    opened(filled(CASES["adm.convolutions"]), tmp_path, options=options)
    method = edited(tmp_path / "weights", kind="cosine", T=4000)
    state, estimate = stepped(method, vectors["convolutions.x"], 0.0, 4000, 2002)
    assert_close(state, vectors["rescaled.mean"], atol=1e-5, rtol=1e-5)
    assert_close(estimate, vectors["rescaled.x0"], atol=1e-5, rtol=1e-5)


def test_the_clean_image_of_ddim_is_the_published_one(tmp_path: Path) -> None:
    vectors = recorded("ddim")[0]
    method = opened(filled(CASES["ddim.convolves"]), tmp_path)
    _, estimate = stepped(method, vectors["convolves.x"], 0.0)
    assert_close(estimate, vectors["clipped"], atol=1e-5, rtol=1e-5)


def test_what_a_file_says_cannot_be_changed_and_what_it_does_not_can(tmp_path: Path) -> None:
    save_file(filled(CASES["ddim.convolves"]), tmp_path / "net.safetensors")
    files = convert(tmp_path / "net.safetensors")
    assert files.recipe.training["assumed"] == [
        "the schedule and its steps",
        "what it predicts",
        "the size of pictures",
    ]
    assert "Assumed, since the file does not say it: the schedule and its steps, what it predicts" in files.card
    assert (files.recipe.training["patch"], files.recipe.method) == (32, Part("ddpm", {"grey": 0.5}))


def test_a_checkpoint_of_its_trainer_and_a_list_of_ddim_have_averaged_weights_that_are_taken(tmp_path: Path) -> None:
    names = recorded("lucidrains_paths", "names")[1]
    inner = diffusion("sigmoid", "pred_v")
    ema = {f"{stem}.{name}": value for stem in ("online_model", "ema_model") for name, value in inner.items()}
    ema |= {"initted": torch.tensor(True), "step": torch.tensor(3)}
    assert {*names["averaged"]} <= ema.keys()
    worse = {name: value + 1 for name, value in inner.items()}
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]}
    whole = {"step": 3, "model": worse, "opt": optimizer, "ema": ema, "scaler": None, "version": "2.3.1"}
    state = filled(CASES["ddim.plain"])
    listed = [{f"module.{name}": value + 1 for name, value in state.items()}, optimizer, 7, 9, state]
    for saved, published in ((whole, filled(CASES["lucidrains.v2"])), (listed, state)):
        torch.save(saved, tmp_path / "net.pt")
        found = PublishedLayout().convert(wanted(unpickle(str(tmp_path / "net.pt"))))
        assert found is not None and found.tensors.keys() == published.keys()
        assert all(torch.equal(value, published[name]) for name, value in found.tensors.items())


@pytest.mark.parametrize("method", ["ddrm", "diffpir", "dps"])
def test_a_file_is_the_prior_of_methods_that_know_the_damage(method: str, tmp_path: Path) -> None:
    save_file(diffusion("sigmoid", "pred_v"), tmp_path / "net.safetensors")
    how: dict[str, Any] = {"weights": str(tmp_path / "net.safetensors"), "steps": 2, "precision": "fp32"}
    made = Restoration(method, "sr", task_options={"scale": 2}, **how)
    result = made(Picture(pixels=scene(10, 8)))
    assert result.picture.pixels.shape == (1, 3, 20, 16)
    assert made.recipe.objective == Part("symmetric-matching", {"predicts": "velocity", "norm": "l2"})
