"""Files of the networks of the literature, by the names of their tensors; shapes tell the options."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import torch

from restoration import Converted, Part
from restoration.layouts import without_prefix
from restoration_comparators.blurred import dbgan, deblurgan, deepdeblur
from restoration_comparators.carn import CARN
from restoration_comparators.chains import dncnn, ffdnet
from restoration_comparators.dbgan import DBGAN
from restoration_comparators.deblurgan import DeblurGAN
from restoration_comparators.deepdeblur import DeepDeblur
from restoration_comparators.edsr import EDSR
from restoration_comparators.haze import AODNet
from restoration_comparators.noise import FFDNet
from restoration_comparators.options import without_defaults
from restoration_comparators.rain import PReNet
from restoration_comparators.rfdn import RFDN
from restoration_comparators.safmn import SAFMN

if TYPE_CHECKING:
    from torch import Tensor, nn

Tensors = Mapping[str, "Tensor"]


class ComparatorsLayout:
    """Recognises the files of the networks of this plugin, and those of DnCNN in all published forms."""

    def convert(self, tensors: Tensors) -> Converted | None:
        """Return the network of a file."""
        state = without_prefix(tensors, "module.")
        found = (one(state) for one in KNOWN)
        return next((one for one in found if one is not None), None)

    def names(self) -> Mapping[str, Collection[str]]:
        """Return the names of the tensors of each network, with its usual options."""
        with torch.random.fork_rng(devices=[]):
            return {title: list(make().state_dict()) for title, make in NETWORKS.items()}


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "PReNet": PReNet,
    "AOD-Net": AODNet,
    "EDSR": EDSR,
    "CARN-M": CARN,
    "CARN": lambda: CARN(groups=1),
    "RFDN": RFDN,
    "SAFMN of NTIRE 2023": SAFMN,
    "FFDNet": FFDNet,
    "DeblurGAN": DeblurGAN,
    "DeepDeblur": DeepDeblur,
    "DBGAN": DBGAN,
}
"""What errors about files that nearly fit compare with."""


def prenet(state: Tensors) -> Converted | None:
    """Return a PReNet."""
    if not {"conv0.0.weight", "conv_i.0.weight", "res_conv5.2.weight", "conv.0.weight"} <= state.keys():
        return None
    width, channels = _sides(state, "conv0.0.weight")[0], _sides(state, "conv.0.weight")[0]
    network = Part("prenet", without_defaults({"width": width}, width=32))
    return Converted(
        title="PReNet, 6 passes" + (", grey" if channels == 1 else ""),
        network=network,
        tensors=state,
        tasks=("derain",),
        channels="rgb" if channels == 3 else "y",
        source="Ren et al. 2019, arXiv:1901.09221",
    )


def aod_net(state: Tensors) -> Converted | None:
    """Return an AOD-Net."""
    if not {f"e_conv{place}.weight" for place in range(1, 6)} <= state.keys():
        return None
    source = "Li et al. 2017, ICCV, doi:10.1109/ICCV.2017.511"
    return Converted(title="AOD-Net", network=Part("aod-net"), tensors=state, tasks=("dehaze",), source=source)


def edsr(state: Tensors) -> Converted | None:
    """Return an EDSR, by the names of its authors or of BasicSR."""
    state = dict(_of_basicsr(state)) if "conv_after_body.weight" in state else state
    if not {"head.0.weight", "body.0.body.2.weight", "tail.0.0.weight", "tail.1.weight"} <= state.keys():
        return None
    if "body.0.body.3.conv_du.0.weight" in state:  # an RCAN
        return None
    width, channels = _sides(state, "head.0.weight")[:2]
    blocks = _count(state, r"body\.(\d+)\.body\.0\.weight")
    growth = state["tail.0.0.weight"].shape[0] // width
    scale = 3 if growth == 9 else 2 ** _count(state, r"tail\.0\.(\d+)\.weight")
    options = without_defaults({"scale": scale, "width": width, "blocks": blocks}, width=64, blocks=16)
    options |= {"share": 0.1} if width == 256 else {}
    own = EDSR(channels=channels).state_dict()
    shifts = {name: own[name] for name in own if name.startswith(("sub_mean", "add_mean"))}
    kind = "baseline" if width == 64 else f"of {width} channels"
    return _enlarging("EDSR " + kind, Part("edsr", options), {**shifts, **state}, [scale], "arXiv:1707.02921")


def _of_basicsr(state: Tensors) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of an EDSR of BasicSR by the names of the authors."""
    blocks = _count(state, r"body\.(\d+)\.conv1\.weight")
    for name, value in state.items():
        new = re.sub(r"^body\.(\d+)\.conv1\.", r"body.\1.body.0.", name)
        new = re.sub(r"^body\.(\d+)\.conv2\.", r"body.\1.body.2.", new)
        new = new.replace("conv_first.", "head.0.").replace("conv_after_body.", f"body.{blocks}.")
        new = re.sub(r"^upsample\.", "tail.0.", new).replace("conv_last.", "tail.1.")
        if name != "mean":
            yield new, value


def carn(state: Tensors) -> Converted | None:
    """Return a CARN or CARN-M."""
    if not {"entry.weight", "exit.weight", "c3.body.0.weight", "b1.c1.body.0.weight"} <= state.keys():
        return None
    scales = sorted(int(found[1]) for name in state if (found := re.match(r"upsample\.up(\d)\.body\.0\.weight", name)))
    width, mobile = _sides(state, "entry.weight")[0], "b1.b2.body.0.weight" not in state
    inner = state["b1.b1.body.0.weight"]
    options = {"width": width, "groups": width // inner.shape[1], "scales": scales}
    network = Part("carn", without_defaults(options, width=64, groups=4))
    return _enlarging("CARN-M" if mobile else "CARN", network, state, scales or [4], "arXiv:1803.08664")


def rfdn(state: Tensors) -> Converted | None:
    """Return an RFDN."""
    if not {"fea_conv.weight", "B1.c1_d.weight", "B1.esa.conv_max.weight", "upsampler.0.weight"} <= state.keys():
        return None
    width, channels = _sides(state, "fea_conv.weight")[:2]
    scale = round((_sides(state, "upsampler.0.weight")[0] / channels) ** 0.5)
    blocks = len({name.partition(".")[0] for name in state if re.match(r"B\d+\.", name)})
    options = without_defaults({"scale": scale, "width": width, "blocks": blocks}, width=50, blocks=4)
    return _enlarging("RFDN", Part("rfdn", options), state, [scale], "arXiv:2009.11551")


def safmn(state: Tensors) -> Converted | None:
    """Return a SAFMN of NTIRE 2023; spandrel knows the one of the paper."""
    if not {"norm.gamma", "to_feat.weight", "feats.0.safm.aggr.weight", "to_img.0.weight"} <= state.keys():
        return None
    width, channels = _sides(state, "to_feat.weight")[:2]
    scale = round((_sides(state, "to_img.0.weight")[0] / channels) ** 0.5)
    blocks = _count(state, r"feats\.(\d+)\.safm\.aggr\.weight")
    options = without_defaults({"scale": scale, "width": width, "blocks": blocks}, width=36, blocks=8)
    return _enlarging("SAFMN of NTIRE 2023", Part("safmn-ntire", options), state, [scale], "arXiv:2302.13800")


def _enlarging(title: str, network: Part, state: Tensors, scales: list[int], source: str) -> Converted:
    return Converted(
        title=f"{title}, {', '.join(map(str, scales))} times larger",
        network=network,
        tensors=state,
        tasks=("sr",),
        task_options={"scale": scales if len(scales) > 1 else scales[0]},
        source=source,
    )


def _sides(state: Tensors, name: str) -> list[int]:
    return list(state[name].shape)


def _count(state: Tensors, pattern: str) -> int:
    """Return how many tensors have names of a pattern."""
    return sum(bool(re.fullmatch(pattern, name)) for name in state)


KNOWN: tuple[Callable[[Tensors], Converted | None], ...] = (
    prenet,
    aod_net,
    edsr,
    carn,
    rfdn,
    safmn,
    deblurgan,
    deepdeblur,
    dbgan,
    dncnn,
    ffdnet,
)
"""Each returns the network of a file if it is its own."""
