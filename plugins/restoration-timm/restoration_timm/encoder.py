"""An encoder of timm: features of a picture at several sizes, for pictures of any size."""

from __future__ import annotations

import difflib
from contextlib import suppress
from dataclasses import asdict
from math import lcm
from typing import TYPE_CHECKING, Any

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from timm.models import get_pretrained_cfg
from torch import nn

from restoration import BadOption, BadWeights, UnknownName

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"
INSTEAD = "choose one that takes any size, such as resnet18 or convnext_atto"


class Encoder(nn.Module):
    """A network of timm without its head (Wightman, "PyTorch Image Models", 2019).

    `reductions` and `channels` are those of its features, the finest first; the sides of a picture are multiples of
    `multiple`. With `pretrained` it starts from the weights in the Hub's cache and never asks the network; where they
    are not there it can only be used after other weights were loaded into it, as those of a finished training are.

    Raises `UnknownName` or `BadOption`.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, name: str, in_channels: int, *, pretrained: bool = False) -> None:
        super().__init__()
        config = configuration(name)
        file, self.lacks = cached_weights(name, config) if pretrained else ("", "")
        self.body = created(name, in_channels, config, file)
        self.reductions: list[int] = self.body.feature_info.reduction()
        self.channels: list[int] = self.body.feature_info.channels()
        self.multiple = lcm(*self.reductions)
        self.channels_last = self._probe(name, in_channels)
        # Kept with the weights, so that a later timm that says otherwise changes nothing.
        self.register_buffer("mean", torch.tensor(sum(config["mean"]) / len(config["mean"])))
        self.register_buffer("spread", torch.tensor(sum(config["std"]) / len(config["std"])))
        self.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]

    def centred(self, x: Tensor) -> Tensor:
        """Shift and scale pictures `b c h w` in [0, 1] as the encoder is used to; all channels alike."""
        return (x - self.mean) / self.spread

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map centred pictures `b c h w` to features `b channels h/reduction w/reduction`, the finest first.

        Raises `BadWeights` if there are only the weights of chance where pretrained ones were asked for.
        """
        if self.lacks:
            raise BadWeights(self.lacks)
        features: list[Tensor] = self.body(x)
        return [feature.movedim(-1, 1) if self.channels_last else feature for feature in features]

    @torch.no_grad()
    def _probe(self, name: str, in_channels: int) -> bool:
        """Say whether features come as `b h w c`; refuse an encoder that cannot see a small oblong picture."""
        height, width = self.multiple, 2 * self.multiple
        try:
            found = [tuple(f.shape[1:]) for f in self.body.eval()(torch.zeros(1, in_channels, height, width))]
        except Exception as error:  # every family of encoders has its own ways to say so
            raise BadOption(f"encoder {name!r} cannot be shown {height}x{width} pixels; {INSTEAD}") from error
        self.body.train()
        wanted = [(c, height // r, width // r) for c, r in zip(self.channels, self.reductions, strict=True)]
        if found == wanted:
            return False
        if found == [(h, w, c) for c, h, w in wanted]:
            return True
        raise BadOption(f"the features of encoder {name!r} are no whole fractions of the picture's size; {INSTEAD}")


def configuration(name: str) -> dict[str, Any]:
    """Return what timm says about an encoder. Raises `UnknownName`, with the nearest names."""
    known = [*timm.list_models(), *timm.list_models(pretrained=True)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=4)
        others = f"also near: {', '.join(near[1:])}" if near[1:] else "timm.list_models() lists all"
        raise UnknownName("encoder of timm", name, near[:1], others)
    config = get_pretrained_cfg(name)
    assert config is not None
    return asdict(config)


def cached_weights(name: str, config: dict[str, Any]) -> tuple[str, str]:
    """Return the file of an encoder's weights in the Hub's cache, or else what to say: one of both is empty.

    Raises `BadOption` if there are none on the Hub.
    """
    repository, _, revision = (config.get("hf_hub_id") or "").partition("@")
    if not repository:
        raise BadOption(f"timm has no weights for {name!r} on the Hub; set pretrained to false")
    file = try_to_load_from_cache(repository, WEIGHTS, revision=revision or None)
    if isinstance(file, str):
        return file, ""
    fetch = f"hf download {repository} {WEIGHTS}{revision and f' --revision {revision}'}"
    return "", (
        f"the pretrained weights of {name!r} are not in the Hub's cache on this machine: "
        f"fetch them once with `{fetch}`, or set pretrained to false"
    )


def created(name: str, in_channels: int, config: dict[str, Any], file: str) -> Any:
    """Have timm make an encoder, with the weights of a file if there is one. Raises `BadOption`."""
    how: dict[str, Any] = {"features_only": True, "in_chans": in_channels, "pretrained": bool(file)}
    if file:
        how["pretrained_cfg_overlay"] = {"file": file}
    try:
        if config["fixed_input_size"]:
            with suppress(TypeError):  # from those that have no such option
                return timm.create_model(name, dynamic_img_size=True, **how)
        return timm.create_model(name, **how)
    except Exception as error:  # whatever timm meets
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadOption(f"timm cannot make an encoder of {name!r}: {first}") from error


def _loaded(encoder: Encoder, keys: object) -> None:
    """Weights came from elsewhere, so that none are lacking."""
    encoder.lacks = ""
