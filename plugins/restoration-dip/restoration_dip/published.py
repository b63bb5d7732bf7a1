"""Files of the original Deep Image Prior, which are recognised to be told what they are: of one picture alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from restoration import BadWeights, Converted
from restoration.layouts import without_prefix
from restoration_dip.networks.official import rename_weights

if TYPE_CHECKING:
    from torch import Tensor

SKIP = ("2.weight", "2.running_var", "4.running_var")
UNET = ("start.conv1.0.1.weight", "down4.conv.conv1.0.1.weight", "final.0.1.weight")


class PublishedLayout:
    """Recognises the networks of Deep Image Prior."""

    def convert(self, tensors: Mapping[str, Tensor]) -> Converted | None:
        """Raise `BadWeights` for a network of Deep Image Prior: it has learnt one picture, and no method uses it."""
        state = without_prefix(tensors, "module.")
        if not any(state.keys() >= set(keys) for keys in (SKIP, UNET)):
            return None
        try:
            rename_weights(state)
        except BadWeights:
            return None
        raise BadWeights(
            "it is a network of Deep Image Prior, which was fitted to one picture and restores no other; "
            "`restore run -m dip` fits one to yours, without weights"
        )

    def names(self) -> Mapping[str, Collection[str]]:
        """Return the names by which each network is recognised."""
        return {"Deep Image Prior, skip": SKIP, "Deep Image Prior, U-Net": UNET}
