"""Published networks of a few hundred thousand parameters as methods: a plugin of one file, for `benchmarks/peers.py`.

    restore --plugin benchmarks/published.py score -m regression -m carn-m -t sr --scale 4 --data Set5/ \
        --set checkpoint=carn_m.pth

Each is defined here from its paper and the tensors of its file, which its authors published; `FILES` says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration import BadOption, RestorerCard, hookimpl

if TYPE_CHECKING:
    from torch import Generator

    from restoration import Observation


@dataclass(frozen=True)
class Source:
    """A published network: the name of its file, its task, the paper, and what must be known beside its numbers."""

    file: str
    task: str
    paper: str
    note: str = ""


FILES = {
    "ffdnet": Source("ffdnet_color.pth", "denoise", "Zhang et al. 2018, arXiv:1710.04026", "told sigma"),
    "cdncnn-blind": Source("buifd_color_dncnn_55.pth", "denoise", "El Helou and Süsstrunk 2020, arXiv:1908.10107"),
    "dncnn-25": Source("kair_dncnn_25.pth", "denoise", "Zhang et al. 2017, arXiv:1608.03981", "grey, each channel"),
    "dncnn-s-25": Source(
        "saoyan_dncnn_s25.pth", "denoise", "Zhang et al. 2017, arXiv:1608.03981", "grey, each channel"
    ),
    "safmn": Source("safmn_x4.pth", "sr", "Sun et al. 2023, arXiv:2302.13800"),
    "rfdn": Source("rfdn_aim_x4.pth", "sr", "Liu et al. 2020, arXiv:2009.11551"),
    "carn-m": Source("carn_m.pth", "sr", "Ahn et al. 2018, arXiv:1803.08664"),
    "aod-net": Source("aod_net.pth", "dehaze", "Li et al. 2017, ICCV"),
    "prenet-h": Source("prenet_rain100h.pth", "derain", "Ren et al. 2019, arXiv:1901.09221", "trained on Rain100H"),
    "prenet-l": Source("prenet_rain100l.pth", "derain", "Ren et al. 2019, arXiv:1901.09221", "trained on Rain100L"),
}
"""The networks that there are files of."""


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring each of them as a method, whose option `checkpoint` is the path of its file."""
    for name, source in FILES.items():
        yield RestorerCard(
            name=name,
            factory=f"published:{name.replace('-', '_')}",
            summary=f"{source.file}{source.note and f'; {source.note}'}",
            source=source.paper,
            license="",
            tasks=(source.task,),
            needs_weights=False,
            uses=("sigma",) if name == "ffdnet" else (),
        )


class Published:
    """One evaluation of a network of what was observed, in channels-last layout: of the small picture, if it is one."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the one answer, `1 c h w`."""
        y = observation.y if observation.measured is None else observation.measured
        y = y.contiguous(memory_format=torch.channels_last)
        sigma = observation.sigma if isinstance(self.network, FFDNet) else None
        answer = self.network(y) if sigma is None else self.network(y, sigma)
        yield answer.float()[..., : observation.y.shape[-2], : observation.y.shape[-1]]


def loaded(network: nn.Module, state: dict[str, Tensor], *, without: str = "") -> Published:
    """Return a network with the tensors of its file, whose names begin with `without`."""
    network.load_state_dict({name.removeprefix(without): value for name, value in state.items()})
    return Published(network)


def read_state(checkpoint: str) -> dict[str, Tensor]:
    """Return the tensors of a file. Raises `BadOption`."""
    if not Path(checkpoint).is_file():
        raise BadOption(f"--set checkpoint={checkpoint}: there is no such file")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    return dict(state.get("params", state))


class Chain(nn.Module):
    """A plain chain of 3x3 convolutions with ReLUs, some with batch norm: whatever its tensors, in order, make it."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        tensors: dict[str, dict[str, Tensor]] = {}
        for name, value in state.items():
            layer, _, tensor = name.rpartition(".")
            tensors.setdefault(layer, {})[tensor] = value
        for one in tensors.values():
            weight = one["weight"]
            if weight.ndim == 4:
                layers += [nn.ReLU(inplace=True)] if layers else []
                layers.append(nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias="bias" in one))
            else:
                layers.append(nn.BatchNorm2d(len(weight)))
            layers[-1].load_state_dict(one, strict=False)
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layers make of `b c h w`."""
        answer: Tensor = self.layers(x)
        return answer


class DnCNN(nn.Module):
    """A chain that predicts the noise; one for grey pictures takes each channel as a picture."""

    def __init__(self, chain: Chain, channels: int) -> None:
        super().__init__()
        self.chain, self.channels = chain, channels

    def forward(self, x: Tensor) -> Tensor:
        """Return `b c h w` without its noise."""
        flat = x.reshape(-1, self.channels, *x.shape[-2:])
        answer: Tensor = flat - self.chain(flat)
        return answer.reshape(x.shape)


class FFDNet(nn.Module):
    """A chain at half the size, between pixel-unshuffle and pixel-shuffle, with the level of the noise as a channel."""

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain

    def forward(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return `b c h w` without noise of a standard deviation in units of [0, 1]."""
        height, width = x.shape[-2:]
        half = functional.pixel_unshuffle(functional.pad(x, (0, width % 2, 0, height % 2), mode="replicate"), 2)
        level = torch.ones_like(half[:, :1]) * sigma
        return functional.pixel_shuffle(self.chain(torch.cat([half, level], dim=1)), 2)[..., :height, :width]


class AODNet(nn.Module):
    """Predicts K of the scattering model rewritten as `x = K y - K + 1`, from five small convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.e_conv1 = nn.Conv2d(3, 3, 1)
        self.e_conv2 = nn.Conv2d(3, 3, 3, padding=1)
        self.e_conv3 = nn.Conv2d(6, 3, 5, padding=2)
        self.e_conv4 = nn.Conv2d(6, 3, 7, padding=3)
        self.e_conv5 = nn.Conv2d(12, 3, 3, padding=1)

    def forward(self, y: Tensor) -> Tensor:
        """Return `b c h w` without haze."""
        one = self.e_conv1(y).relu()
        two = self.e_conv2(one).relu()
        three = self.e_conv3(torch.cat([one, two], 1)).relu()
        four = self.e_conv4(torch.cat([two, three], 1)).relu()
        k = self.e_conv5(torch.cat([one, two, three, four], 1)).relu()
        answer: Tensor = (k * y - k + 1).relu()
        return answer


class PReNet(nn.Module):
    """Six passes of the same five residual blocks behind a convolutional LSTM, each over its last answer and `y`."""

    PASSES = 6

    def __init__(self, width: int = 32) -> None:
        super().__init__()

        def activated(inputs: int, *activations: nn.Module) -> nn.Sequential:
            layers = [
                (nn.Conv2d(inputs if not place else width, width, 3, padding=1), activation)
                for place, activation in enumerate(activations)
            ]
            return nn.Sequential(*(layer for pair in layers for layer in pair))

        self.width = width
        self.conv0 = activated(6, nn.ReLU())
        for gate in "ifo":
            setattr(self, f"conv_{gate}", activated(2 * width, nn.Sigmoid()))
        self.conv_g = activated(2 * width, nn.Tanh())
        for block in range(1, 6):
            setattr(self, f"res_conv{block}", activated(width, nn.ReLU(), nn.ReLU()))
        self.conv = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, y: Tensor) -> Tensor:
        """Return `b c h w` without rain."""
        x, hidden = y, y.new_zeros(len(y), self.width, *y.shape[-2:])
        cell = hidden
        for _ in range(self.PASSES):
            seen = torch.cat([self.conv0(torch.cat([y, x], 1)), hidden], 1)
            keep, let_in, new, out = (getattr(self, f"conv_{gate}")(seen) for gate in "figo")
            cell = keep * cell + let_in * new
            hidden = out * cell.tanh()
            features = hidden
            for block in range(1, 6):
                features = (getattr(self, f"res_conv{block}")(features) + features).relu()
            x = self.conv(features) + y
        return x


def _dncnn(checkpoint: str, channels: int) -> Published:
    return Published(DnCNN(Chain(read_state(checkpoint)), channels))


def cdncnn_blind(*, checkpoint: str) -> Published:
    return _dncnn(checkpoint, 3)


def dncnn_25(*, checkpoint: str) -> Published:
    return _dncnn(checkpoint, 1)


dncnn_s_25 = dncnn_25


def ffdnet(*, checkpoint: str) -> Published:
    return Published(FFDNet(Chain(read_state(checkpoint))))


def aod_net(*, checkpoint: str) -> Published:
    return loaded(AODNet(), read_state(checkpoint))


def prenet_h(*, checkpoint: str) -> Published:
    return loaded(PReNet(), read_state(checkpoint))


prenet_l = prenet_h


def carn_m(*, checkpoint: str) -> Published:
    from enlarging import CARN

    return loaded(CARN(), read_state(checkpoint))


def rfdn(*, checkpoint: str) -> Published:
    from enlarging import RFDN

    return loaded(RFDN(), read_state(checkpoint))


def safmn(*, checkpoint: str) -> Published:
    from enlarging import SAFMN

    return loaded(SAFMN(), read_state(checkpoint))
