"""What the tests of this plugin share: the numbers of the published code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

Vectors = Callable[..., dict[str, Tensor]]


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Return a function that loads those of the tensors in a file whose names start with a prefix, without it."""

    def load(file: str, prefix: str = "") -> dict[str, Tensor]:
        tensors = load_file(Path(__file__).parent / "data" / f"{file}.safetensors")
        return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}

    return load
