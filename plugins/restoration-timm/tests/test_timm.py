"""Encoders of timm as networks: every family, any size, any path, saved and loaded by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from forking import commands
from huggingface_hub import constants
from restoration_timm.unet import TimmUNet
from safetensors.torch import save_file
from timm.models import FeatureInfo, generate_default_cfgs, register_model
from torch import Tensor, nn

from restoration import Part, Picture, Recipe, Restoration, psnr, weights, write
from restoration.engine.adapter import Adapted, build_network
from restoration.errors import BadOption, BadWeights, UnknownName
from restoration.recipe import build_parts, required
from restoration.registry import registry
from restoration.registry.cards import NetworkCard
from restoration.testing import NetworkContract

SMALL = {"width": 4}
LIGHT = "mobilenetv3_small_050"
"""An encoder that is small and that every version of timm has."""
FAMILIES = {
    "resnet18": [2, 4, 8, 16, 32],
    LIGHT: [2, 4, 8, 16, 32],
    "efficientnet_lite0": [2, 4, 8, 16, 32],
    "convnext_atto": [4, 8, 16, 32],
    "deit_tiny_patch16_224": [16] * 3,
    "lasting": [4, 8],
}
"""Encoders and the reductions of their features; the last, which stands below, gives them as `b h w c`."""
every_family = pytest.mark.parametrize("encoder", FAMILIES)


class TestMobileNet(NetworkContract):
    """The promises of networks."""

    name = f"timm:{LIGHT}"
    options = SMALL


class Own(nn.Module):
    """An encoder of two levels, as one adds them to timm."""

    def __init__(self, in_chans: int, padding: int = 0, last: bool = False, wide: bool = True) -> None:
        super().__init__()
        self.levels = nn.ModuleList([nn.Conv2d(in_chans, 6, 4, 4, padding), nn.Conv2d(6, 8, 2, 2)])
        made = [{"num_chs": 6, "reduction": 4, "module": "0"}, {"num_chs": 8, "reduction": 8, "module": "1"}]
        self.feature_info = FeatureInfo(made, (0, 1))
        self.last, self.wide = last, wide

    def forward(self, x: Tensor) -> list[Tensor]:
        if not self.wide and x.shape[2] != x.shape[3]:
            raise AssertionError("squares only")
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x.movedim(1, -1) if self.last else x)
        return features


default_cfgs = generate_default_cfgs({name: {"url": ""} for name in ("lasting", "square", "padded")})


@register_model
def lasting(in_chans: int, **_: Any) -> Own:
    """Its features are `b h w c`."""
    return Own(in_chans, last=True)


@register_model
def square(in_chans: int, **_: Any) -> Own:
    """It takes squares only."""
    return Own(in_chans, wide=False)


@register_model
def padded(in_chans: int, **_: Any) -> Own:
    """Its features are larger than they should be."""
    return Own(in_chans, padding=2)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Small pictures on many threads are mostly waiting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def card(encoder: str) -> NetworkCard:
    return registry().card(NetworkCard, f"timm:{encoder}")


def small(encoder: str, options: dict[str, Any] | None = None, **how: Any) -> Adapted:
    """Build a network with a small decoder, its last convolution not zero."""
    torch.manual_seed(0)
    network = build_network(card(encoder), {**SMALL, **(options or {})}, **how).eval()
    unet: Any = network.network
    nn.init.normal_(unet.ending.weight, 0, 0.2)
    return network


def pictures(*shape: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.rand(shape, generator=rng), torch.rand(shape, generator=rng)


@every_family
@torch.inference_mode()
def test_pictures_of_any_size_fit_on_every_kind_of_path(encoder: str) -> None:
    for how in ({}, {"path": False}, {"uses_y": False}, {"channels": 1}):
        network = small(encoder, **how)  # type: ignore[arg-type]
        assert network.network.encoder.reductions == FAMILIES[encoder]
        for height, width in ((1, 1), (7, 5), (40, 24)):
            x, y = pictures(2, 1 if how == {"channels": 1} else 3, height, width)
            answer = network(x, y, torch.tensor([0.3]))
            assert answer.shape == x.shape
            assert answer.isfinite().all()


@every_family
@torch.inference_mode()
def test_memory_layout_and_company_do_not_change_the_answer(encoder: str) -> None:
    network = small(encoder)
    x, y = pictures(2, 3, 14, 40)
    t = torch.tensor([0.2, 0.9])
    plain = network(x, y, t)
    alone = network(x[:1], y[:1], t[:1])
    torch.testing.assert_close(alone, plain[:1], atol=1e-4, rtol=1e-4)
    last: Any = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    answer = last(*(z.contiguous(memory_format=torch.channels_last) for z in (x, y)), t)
    assert answer.stride(1) == 1
    torch.testing.assert_close(answer, plain, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_an_encoder_that_begins_at_full_size_needs_nothing_finer() -> None:
    network: Any = small("vgg11", path=False)
    assert network.network.encoder.reductions == [1, 2, 4, 8, 16, 32]
    assert len(network.network.stems) == 0
    x, y = pictures(1, 3, 7, 5)
    assert network(x, y, torch.ones(1)).shape == x.shape


@torch.inference_mode()
def test_mixed_precision_ends_before_the_picture() -> None:
    network = small("convnext_atto")
    x, y = pictures(1, 3, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = network(x, y, torch.tensor([0.5]))
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, network(x, y, torch.tensor([0.5])), atol=0.1, rtol=0.05)


@pytest.mark.parametrize(
    ("how", "mended"), [({}, "y"), ({"path": False}, "x"), ({"uses_y": False}, "x"), ({"channels": 1}, "y")]
)
@torch.inference_mode()
def test_it_begins_as_the_picture_that_it_mends(how: dict[str, Any], mended: str) -> None:
    network = build_network(card("mobilenetv3_small_050"), SMALL, **how).eval()
    x, y = pictures(1, how.get("channels", 3), 8, 8)
    assert torch.equal(network(x, y, torch.tensor([0.5])), y if mended == "y" else x)


@torch.inference_mode()
def test_without_residual_it_may_be_shown_any_channels_and_answer_between_0_and_1() -> None:
    network: Any = card(LIGHT).build({**SMALL, "in_channels": 2, "residual": False, "sigmoid": True})
    nn.init.normal_(network.ending.weight, 0, 9)
    answer = network.eval()(torch.randn(1, 2, 9, 9))
    assert answer.shape == (1, 3, 9, 9)
    assert 0 <= float(answer.min()) < 0.1 and 0.9 < float(answer.max()) <= 1


def test_detail_that_the_encoder_does_not_see_survives() -> None:
    """Features at half the size hold means of 2x2 pixels, 12 dB from noise; this encoder begins at a quarter."""
    torch.manual_seed(0)
    network: Any = card("lasting").build({"width": 8, "residual": False})
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(80):
        x = torch.rand(1, 3, 32, 32)
        optimiser.zero_grad()
        torch.autograd.backward((network(x) - x).square().mean())
        optimiser.step()
    with torch.inference_mode():
        x = torch.rand(1, 3, 32, 32)
        assert psnr(network(x), x) > 14


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
def test_every_weight_learns_whatever_the_norm(norm: str) -> None:
    network = small(LIGHT, {"norm": norm}).train()
    x, y = pictures(2, 3, 64, 32)
    network(x, y, torch.tensor([0.2, 0.9])).square().mean().backward()
    assert not [key for key, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("timm", {}, "network 'timm' stands for many: say which, as timm:NAME"),
        ("timm:resnet18", {"encoder": "resnet34"}, "network 'timm:resnet18' has no option 'encoder'"),
        (f"timm:{LIGHT}", {"norm": "group"}, "option 'norm' does not fit"),
        (f"timm:{LIGHT}", {"width": 0}, "width must be at least 1"),
        (f"timm:{LIGHT}", {"sigmoid": True}, "set residual or sigmoid to false"),
        (f"timm:{LIGHT}", {"in_channels": 1}, "set residual to false"),
        ("timm:square", {}, "encoder 'square' cannot be shown 8x16 pixels; choose one that takes any size"),
        ("timm:padded", {}, "are no whole fractions of the picture's size; choose one"),
        ("timm:lasting", {"pretrained": True}, "has no weights for 'lasting' on the Hub; set pretrained to"),
    ],
)
def test_what_makes_no_network_is_one_clear_line(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption) as caught:
        registry().card(NetworkCard, name).build(options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        ("resnet19", "no encoder of timm is named 'resnet19'; did you mean 'resnet18'? (also near: resnet"),
        ("resnet18.a1_in2k", "; did you mean 'resnet18.a1_in1k'? (also near: "),
        ("hf-hub:someone/resnet18", "no encoder of timm is named 'hf-hub:someone/resnet18'"),
        ("local-dir:/tmp", "is named 'local-dir:/tmp' (timm.list_models() lists all)"),
    ],
)
def test_an_unknown_encoder_suggests_near_ones(encoder: str, words: str) -> None:
    with pytest.raises(UnknownName) as caught:
        card(encoder).build()
    assert words in str(caught.value)


RECIPE = Recipe(
    method=Part("regression"),
    task=Part("denoise"),
    network=Part(f"timm:{LIGHT}", SMALL),
    objective=Part("regression"),
)


def network_of(recipe: Recipe) -> TimmUNet:
    parts = build_parts(recipe)
    assert parts.network is not None
    assert isinstance(parts.network.network, TimmUNet)
    return parts.network.network


@torch.inference_mode()
def test_weights_are_saved_and_loaded_with_a_recipe_that_names_the_encoder(tmp_path: Path) -> None:
    assert Recipe.from_json(RECIPE.to_json()) == RECIPE
    assert [one.partition(">=")[0] for one in required(RECIPE)] == [
        "restoration-regression",
        "restoration-tasks",
        "restoration-timm",
    ]
    torch.manual_seed(0)
    network = network_of(RECIPE).eval()
    nn.init.normal_(network.ending.weight, 0, 0.2)
    folder = weights.save(tmp_path / "weights", RECIPE, network, "# regression, denoise")
    assert folder.recipe() == RECIPE
    other = network_of(folder.recipe()).eval()
    weights.load(folder, other, folder.recipe())
    x, _ = pictures(1, 3, 20, 30)
    torch.testing.assert_close(other(x), network(x), atol=0.01, rtol=0.01)
    assert not torch.equal(other(x), x)


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    folder = weights.save(tmp_path / "weights", RECIPE, network_of(RECIPE), "# regression, denoise")
    config = folder.path / weights.CONFIG
    config.write_text(config.read_text().replace(f"timm:{LIGHT}", "timm:resnet18"))
    with pytest.raises(BadWeights, match=r"its weights were trained with .*timm:mobilenetv3_small_050"):
        weights.load(folder, network_of(folder.recipe()), folder.recipe())


def test_the_command_line_trains_one_by_name_and_restores_with_it(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for seed in range(2):
        x = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(seed))
        write(Picture(pixels=x), tmp_path / "pictures" / f"{seed}.png")
    options = ("--network", f"timm:{LIGHT}", "--set", "network.width=4", "--steps", "1", "--batch", "2")
    command = ("train", "regression", "--task", "denoise", "--data", tmp_path / "pictures", "--out", tmp_path / "out")
    with commands() as restore:
        done = restore(*command, *options, "--patch", "32", "--quiet")
    assert done.returncode == 0, done.stderr
    assert f'"timm:{LIGHT}"' in (tmp_path / "out" / "config.json").read_text()
    restoration = Restoration("regression", "denoise", weights=str(tmp_path / "out"))
    assert restoration(Picture(pixels=x)).picture.pixels.shape == x.shape


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def fill(cache: Path, encoder: str) -> dict[str, Tensor]:
    """Put weights of an encoder into the cache, as `hf download` leaves them; they are of chance."""
    torch.manual_seed(7)
    whole = timm.create_model(encoder)
    config: Any = whole.pretrained_cfg
    repository, commit = cache / f"models--{config['hf_hub_id'].replace('/', '--')}", "0123456789" * 4
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    state = whole.state_dict()
    save_file(state, repository / "snapshots" / commit / "model.safetensors")
    return state


@pytest.mark.parametrize("encoder", [LIGHT, "deit_tiny_patch16_224"])
def test_pretrained_weights_come_from_the_cache(encoder: str, cache: Path) -> None:
    state = fill(cache, encoder)
    network: Any = card(encoder).build({**SMALL, "pretrained": True})
    body = {name.removeprefix("model."): value for name, value in network.encoder.body.state_dict().items()}
    assert len(body) > 20
    assert all(torch.equal(value, state[name]) for name, value in body.items() if "head" not in name)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 3, 32, 32)


def test_pretrained_weights_serve_further_channels(cache: Path) -> None:
    state = fill(cache, LIGHT)
    network: Any = card(LIGHT).build({**SMALL, "pretrained": True, "in_channels": 7})
    first = network.encoder.body.state_dict()["conv_stem.weight"]
    assert first.shape[1] == 7
    torch.testing.assert_close(first[:, :3], first[:, 3:6])
    torch.testing.assert_close(first[:, :3] * 7 / 3, state["conv_stem.weight"])


def test_pretrained_weights_that_are_not_there_are_asked_for_unless_others_are_loaded(cache: Path) -> None:
    torch.manual_seed(0)
    network: Any = card(LIGHT).build({**SMALL, "pretrained": True}).eval()
    x, _ = pictures(1, 3, 8, 8)
    with pytest.raises(BadWeights) as caught:
        network(x)
    assert str(caught.value) == (
        f"the pretrained weights of {LIGHT!r} are not in the Hub's cache on this machine: fetch them once with "
        "`hf download timm/mobilenetv3_small_050.lamb_in1k model.safetensors`, or set pretrained to false"
    )
    trained: Any = card(LIGHT).build(SMALL).eval()
    nn.init.ones_(trained.ending.bias)
    Adapted(network, ()).load_state_dict(Adapted(trained, ()).state_dict())
    with torch.inference_mode():
        assert torch.equal(network(x), trained(x))
