"""Published networks of a few hundred thousand parameters, by the files of their authors, for `benchmarks/peers.py`.

The toolbox recognises each file by itself, as in `restore run --weights carn_m.pth small.png`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A published network: the name of its file, its task, the paper, and what must be known beside its numbers."""

    file: str
    task: str
    paper: str
    note: str = ""


FILES = {
    "ffdnet": Source("ffdnet_color.pth", "denoise", "Zhang et al. 2018, arXiv:1710.04026", "given sigma"),
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
