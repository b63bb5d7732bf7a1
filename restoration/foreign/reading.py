"""The tensors of a file of any kind, by name: safetensors at once, pickles by a process of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import BadWeights, one_line, plain

if TYPE_CHECKING:
    from torch import Tensor

PICKLES = (".pth", ".pt", ".ckpt", ".bin", ".pkl", ".pickle", ".pth.tar", ".tar", ".h5")
"""What the names of files of PyTorch end with; `.h5` are those of DeblurGAN-v2."""
LONGEST = 600
"""Seconds that a pickle may take to be read."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, on the CPU. Raises `BadWeights` for a file that needs code, or is of no kind."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise BadWeights(f"{path} is no file")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        if not path.name.lower().endswith(PICKLES):
            raise BadWeights(f"{path} is no file of tensors: their names end in .safetensors, {', '.join(PICKLES)}")
        with tempfile.TemporaryDirectory(prefix="restoration-") as folder:
            out = Path(folder) / "tensors.safetensors"
            _unpickle(path, out)
            return load_file(out)
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"{path} cannot be read: {one_line(error)}") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal. Raises `BadWeights`."""
    try:
        if not path.is_file():
            raise BadWeights(f"{path} is no file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadWeights(f"{path}: {error.strerror}") from error


def _unpickle(path: Path, out: Path) -> None:
    """Write the tensors of a pickle to another file, by a process of its own. Raises `BadWeights`."""
    command = [sys.executable, "-P", "-m", "restoration.foreign.unpickled", str(path.absolute()), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadWeights(f"{path} took over {LONGEST} seconds to read, and is refused") from error
    if done.returncode == 0 and out.is_file():
        return
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == 1 and said:
        raise BadWeights(f"{path}: {plain(said[-1])[:300]}")
    raise BadWeights(f"{path} took more memory or time to read than a file of its size may, and is refused")
