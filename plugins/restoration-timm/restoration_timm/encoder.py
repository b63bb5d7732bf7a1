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
"""The name of the file of weights in a repository of timm."""
INSTEAD = "choose one that takes any size, such as resnet18 or convnext_atto"
"""What errors about an unusable encoder propose."""


class Encoder(nn.Module):
    """A network of timm without its head (Wightman, "PyTorch Image Models", 2019).

    `reductions` and `channels` are those of its features, the finest first; the sides of a picture must be multiples of
    `multiple`. With `pretrained` it starts from the weights in the Hub's cache, and never uses the network; if they are
    not there, it can only be used after other weights were loaded into it, such as those of a finished training.

    Raises `UnknownName` or `BadOption`.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, name: str, in_channels: int, *, pretrained: bool = False) -> None:
        super().__init__()
        config = find_configuration(name)
        file, self.missing = find_cached_weights(name, config) if pretrained else ("", "")
        self.body = create_encoder(name, in_channels, config, file)
        self.reductions: list[int] = self.body.feature_info.reduction()
        self.channels: list[int] = self.body.feature_info.channels()
        self.multiple = lcm(*self.reductions)
        self.channels_last = self._probe(name, in_channels)
        # Stored with the weights, so that another version of timm with other values changes nothing.
        self.register_buffer("mean", torch.tensor(sum(config["mean"]) / len(config["mean"])))
        self.register_buffer("spread", torch.tensor(sum(config["std"]) / len(config["std"])))
        self.register_load_state_dict_post_hook(_note_loaded)  # type: ignore[no-untyped-call]

    def normalise(self, x: Tensor) -> Tensor:
        """Shift and scale pictures `b c h w` in [0, 1] as for the training of the encoder, all channels alike."""
        return (x - self.mean) / self.spread

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map normalised pictures `b c h w` to features `b channels h/reduction w/reduction`, the finest first.

        Raises `BadWeights` if pretrained weights were asked for and there are only random ones.
        """
        if self.missing:
            raise BadWeights(self.missing)
        features: list[Tensor] = self.body(x)
        return [feature.movedim(-1, 1) if self.channels_last else feature for feature in features]

    @torch.no_grad()
    def _probe(self, name: str, in_channels: int) -> bool:
        """Return whether features come as `b h w c`; refuse an encoder that fails for a small oblong picture."""
        height, width = self.multiple, 2 * self.multiple
        try:
            found = [tuple(f.shape[1:]) for f in self.body.eval()(torch.zeros(1, in_channels, height, width))]
        except Exception as error:  # every family of encoders fails in its own way
            raise BadOption(f"encoder {name!r} cannot be shown {height}x{width} pixels; {INSTEAD}") from error
        self.body.train()
        wanted = [(c, height // r, width // r) for c, r in zip(self.channels, self.reductions, strict=True)]
        if found == wanted:
            return False
        if found == [(h, w, c) for c, h, w in wanted]:
            return True
        raise BadOption(f"the features of encoder {name!r} are no whole fractions of the picture's size; {INSTEAD}")


def find_configuration(name: str) -> dict[str, Any]:
    """Return what timm knows about an encoder. Raises `UnknownName`, with the nearest names."""
    known = [*timm.list_models(), *timm.list_models(pretrained=True)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=4)
        others = f"also near: {', '.join(near[1:])}" if near[1:] else "timm.list_models() lists all"
        raise UnknownName("encoder of timm", name, near[:1], others)
    config = get_pretrained_cfg(name)
    assert config is not None
    return asdict(config)


def find_cached_weights(name: str, config: dict[str, Any]) -> tuple[str, str]:
    """Return the file of an encoder's weights in the Hub's cache, or an error to show: one of the two is empty.

    Raises `BadOption` if the Hub has none.
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


def create_encoder(name: str, in_channels: int, config: dict[str, Any], file: str) -> Any:
    """Create an encoder of timm, with the weights of a file if there is one. Raises `BadOption`."""
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


def _note_loaded(encoder: Encoder, keys: object) -> None:
    """Note that weights were loaded, so that none are missing."""
    encoder.missing = ""
