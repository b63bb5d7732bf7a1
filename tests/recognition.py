"""How files of published networks are recognised and loaded, for the tests of their layouts."""

from __future__ import annotations

from restoration_comparators.layout import ComparatorsLayout
from torch import Tensor, nn

from restoration import Converted
from restoration.foreign.recognition import build


def recognised(state: dict[str, Tensor]) -> Converted:
    found = ComparatorsLayout().convert(state)
    assert found is not None
    return found


def loaded(found: Converted) -> nn.Module:
    network = build(found).eval()
    network.load_state_dict(dict(found.tensors))
    return network
