"""Networks that others trained, from torch's cache. Nothing is downloaded: a line says how to fetch them."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

import torch

from restoration import BadOption


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """A network that others trained; `file` is its name in torch's cache and ends in the begin of its SHA-256."""

    title: str
    file: str
    url: str
    megabytes: int

    def find(self, metric: str) -> Path:
        """Return its path. Raises `BadOption` with the command that fetches it, and if the file is another one."""
        path = Path(torch.hub.get_dir()) / "checkpoints" / self.file
        fetch = f"curl -fL --create-dirs -o {shlex.quote(str(path))} {self.url}"
        if not path.is_file():
            raise BadOption(
                f"metric {metric!r} needs the weights of {self.title} ({self.megabytes} MB), which are not in torch's "
                f"cache and are not downloaded unasked; fetch them with: {fetch}"
            )
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not digest.startswith(path.stem.rpartition("-")[2]):
            raise BadOption(f"{path} is damaged, its SHA-256 begins {digest[:8]}; fetch it again with: {fetch}")
        return path


ALEXNET = Trunk(
    title="AlexNet",
    file="alexnet-owt-7be5be79.pth",
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    megabytes=244,
)
INCEPTION = Trunk(
    title="Inception-v3",
    file="pt_inception-2015-12-05-6726825d.pth",
    url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    megabytes=96,
)
