"""Files of published code of DDPM: recognised in every form, and computed as published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from official_ddpm import CASES, diffusion, filled, loaded, recorded
from restoration_ddpm.files.layout import PublishedLayout
from restoration_ddpm.networks.adm import ADMUNet
from restoration_ddpm.networks.ddim import DDIMUNet
from restoration_ddpm.networks.lucidrains import LucidrainsUNet
from torch import Tensor, nn
from torch.testing import assert_close

from restoration import BadWeights, Converted
from restoration.foreign.recognition import recognise
from restoration.testing import LayoutContract


class TestPublishedLayout(LayoutContract):
    name = "ddpm"

    def files(self) -> list[dict[str, Tensor]]:
        return [
            filled(CASES[case]) for case in ("lucidrains.v0.32", "lucidrains.v2-options", "adm.updown", "ddim.plain")
        ]


def recognised(state: dict[str, Tensor]) -> Converted:
    found = PublishedLayout().convert(state)
    assert found is not None
    return found


@pytest.mark.parametrize("case", CASES)
@torch.inference_mode()
def test_every_form_answers_as_the_published_code_does(case: str) -> None:
    vectors, name = recorded(case.partition(".")[0])[0], case.partition(".")[2]
    network = loaded(recognised(filled(CASES[case])), case)
    x, published = vectors[f"{name}.x"], vectors[f"{name}.out"]
    t = vectors[f"{name}.t"]
    answer = network(x, t if t.is_floating_point() else (t + 1) / 1000)
    assert 0.3 < float(published.std()) < 3
    assert_close(answer, published, atol=1e-5, rtol=1e-5)


WRAPPED: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "bare": lambda state: state,
    "of several devices": lambda state: {f"module.{name}": value for name, value in state.items()},
    "in its diffusion": lambda state: {f"model.{name}": value for name, value in state.items()},
    "averaged": lambda state: {
        "initted": torch.tensor(True),
        "step": torch.tensor(7),
        **{f"online_model.model.{name}": value + 1 for name, value in state.items()},
        **{f"ema_model.model.{name}": value for name, value in state.items()},
    },
    "averaged, of several devices": lambda state: {
        **{f"online_model.module.model.{name}": value + 1 for name, value in state.items()},
        **{f"ema_model.module.model.{name}": value for name, value in state.items()},
    },
}


@pytest.mark.parametrize("how", WRAPPED)
def test_the_averaged_network_is_found_wherever_it_lies(how: str) -> None:
    state = filled(CASES["lucidrains.v2"])
    found = recognised(WRAPPED[how](state))
    assert found.tensors.keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in found.tensors.items())


KINDS = {"linear": "linear", "cosine": "cosine", "sigmoid": "sigmoid-abar"}
PREDICTED = {"pred_noise": "noise", "pred_x0": "clean", "pred_v": "velocity"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("predicts", PREDICTED)
@pytest.mark.parametrize("snr", [0, 1])
def test_the_tables_of_a_diffusion_tell_its_path_and_what_its_network_predicts(
    kind: str, predicts: str, snr: int
) -> None:
    found = recognised(diffusion(kind, predicts, snr))
    assert found.schedule is not None and found.objective is not None
    ends = {"beta_min": 0.0001, "beta_max": 0.02} if kind == "linear" else {}
    assert found.schedule.options == {"kind": KINDS[kind], "T": 1000, "strength": 0.5, **ends}
    assert found.objective.options == {"predicts": PREDICTED[predicts], "norm": "l2"}
    assert found.assumed == ("the size of pictures",)


def test_what_no_table_tells_is_the_default_of_its_version() -> None:
    told = {case: recognised(filled(CASES[f"lucidrains.{case}"])) for case in ("v0.32", "v2")}
    parts = {case: [part.options for part in (one.schedule, one.objective) if part] for case, one in told.items()}
    assert [(one["kind"], other["predicts"]) for one, other in parts.values()] == [
        ("sigmoid-abar", "noise"),
        ("sigmoid-abar", "velocity"),
    ]
    assert told["v2"].assumed == ("the size of pictures", "the schedule", "what it predicts")


def test_a_network_for_continuous_times_is_told_the_ratio_of_signal_to_noise() -> None:
    found = recognised({f"model.{name}": value for name, value in filled(CASES["lucidrains.waves"]).items()})
    assert found.schedule is not None and found.objective is not None
    assert (found.schedule.options["kind"], found.objective.options["predicts"]) == ("snr-linear", "noise")
    assert (found.network.options["waves"], found.network.options["told"]) == (8, "snr-linear")


def test_tables_of_no_known_kind_are_refused() -> None:
    state = diffusion("cosine", "pred_noise")
    with pytest.raises(BadWeights, match="its schedule is neither linear nor that of a cosine or a sigmoid"):
        PublishedLayout().convert(state | {"betas": state["betas"].flip(0).clone()})
    with pytest.raises(BadWeights, match="its losses are weighted in a way that is not known here"):
        PublishedLayout().convert(state | {"loss_weight": torch.linspace(1, 2, 1000)})


def shapes_of(make: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Return the tensors of a network of full size without their numbers; all ADMs predict a variance too."""
    with torch.device("meta"):
        state = dict(make().state_dict())
        learned = [name for name in ("out.2.weight", "out.2.bias") if name in state]
        return state | {name: torch.cat([state[name]] * 2) for name in learned}


PUBLISHED: dict[str, tuple[Callable[[], nn.Module], float, int, dict[str, Any]]] = {
    "lucidrains": (LucidrainsUNet, 35.711, 128, {}),
    "ADM for 256x256": (ADMUNet, 552.814, 256, {"head_channels": 64, "order": "legacy"}),
    "ADM for 64x64": (
        lambda: ADMUNet(width=192, multipliers=(1, 2, 3, 4), blocks=3, attended=(1, 2, 3), classes=1000),
        295.904,
        64,
        {"head_channels": 64, "order": "new", "classes": 1000, "label": 0},
    ),
    "ADM for 128x128": (
        lambda: ADMUNet(multipliers=(1, 1, 2, 3, 4), attended=(2, 3, 4), heads=4, classes=1000),
        421.530,
        128,
        {"heads": 4, "order": "legacy", "classes": 1000, "label": 0},
    ),
    "ADM for 512x512": (
        lambda: ADMUNet(multipliers=(0.5, 1, 1, 2, 2, 4, 4), attended=(4, 5, 6), classes=1000),
        558.998,
        512,
        {"head_channels": 64, "order": "legacy", "classes": 1000, "label": 0},
    ),
    "improved-diffusion for 64x64": (
        lambda: ADMUNet(width=128, multipliers=(1, 2, 3, 4), blocks=3, attended=(2, 3), resampling="convolutions"),
        121.064,
        64,
        {"heads": 4, "rescaled": True, "steps": 4000},
    ),
    "DDIM for LSUN": (DDIMUNet, 113.673, 256, {}),
    "DDIM for CelebA": (lambda: DDIMUNet(multipliers=(1, 2, 2, 2, 4), attended=(2,)), 78.701, 64, {}),
    "DDIM for CIFAR-10": (lambda: DDIMUNet(multipliers=(1, 2, 2, 2), attended=(1,)), 35.746, 32, {}),
}
"""Networks of full size: their parameters in millions, the pictures that they draw, and what no shape tells."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_of_full_size_are_the_published_ones(name: str) -> None:
    make, millions, size, told = PUBLISHED[name]
    state = shapes_of(make)
    found = recognised(state)
    assert round(sum(value.numel() for value in state.values()) / 1e6, 3) == millions
    assert found.size == size
    assert found.network.options | told == found.network.options


def test_the_variance_that_a_network_learned_is_left_out() -> None:
    found = recognised(filled(CASES["adm.updown"]))
    assert found.tensors["out.2.weight"].shape[0] == 3 and "without its variance" in found.title
    assert CASES["adm.updown"]["out.2.weight"][0] == 6


def changed(case: str, **shapes: list[int]) -> dict[str, Tensor]:
    return filled({**CASES[case], **{name.replace("__", "."): shape for name, shape in shapes.items()}})


REFUSED = {
    "with a schedule that it has learned": ("lucidrains.v2", {}),
    "is conditioned on a class": ("lucidrains.v2", {"classes_emb__weight": [10, 8]}),
    "is of denoising-diffusion-pytorch before version 0.32": (
        "lucidrains.v0.32",
        {"downs__0__3__weight": [16, 8, 4, 4]},
    ),
    "from 4 channels to 3": ("lucidrains.v2", {"init_conv__weight": [8, 4, 7, 7]}),
    "is an upsampler of guided-diffusion": ("adm.updown", {"input_blocks__0__0__weight": [32, 6, 3, 3]}),
    "is a U-Net of guided-diffusion from 4 channels to 6": (
        "adm.updown",
        {"input_blocks__0__0__weight": [32, 4, 3, 3]},
    ),
    "is a U-Net of DDIM from 3 channels to 6": ("ddim.convolves", {"conv_out__weight": [6, 32, 3, 3]}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_forms_that_are_not_served_are_refused_by_name(words: str, tmp_path: Any) -> None:
    case, shapes = REFUSED[words]
    state = changed(case, **shapes)
    if not shapes:
        state = {**{f"model.{name}": value for name, value in state.items()}, "log_snr.net.1.net.weight": torch.ones(1)}
    with pytest.raises(BadWeights, match=words) as info:
        recognise(state, tmp_path / "net.pth")
    assert len(str(info.value).splitlines()) == 1


LACKING = {
    "lucidrains.v2": ("downs.0.1.block2", "it is like denoising-diffusion-pytorch"),
    "lucidrains.v0.32": ("downs.0.1.block2", "it is like denoising-diffusion-pytorch"),
    "adm.updown": ("output_blocks.1", "it is like guided-diffusion"),
    "ddim.convolves": ("up.1.block.0", "it is like DDIM"),
}


@pytest.mark.parametrize("case", LACKING)
def test_a_file_that_lacks_something_is_answered_with_the_nearest_and_three_names(case: str, tmp_path: Any) -> None:
    stem, words = LACKING[case]
    state = {name: value for name, value in filled(CASES[case]).items() if not name.startswith(stem)}
    with pytest.raises(BadWeights) as info:
        recognise(state, tmp_path / "net.pth")
    assert words in str(info.value) and str(info.value).count(stem) == 3
