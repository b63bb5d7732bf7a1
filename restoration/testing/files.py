"""The promises of layouts: what recognises files of tensors that others have written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import torch
from torch import Tensor

from restoration.foreign.recognition import build
from restoration.registry import cards, registry
from restoration.testing.contract import Contract, picture


class LayoutContract(Contract):
    """What every layout promises. `files` are the tensors of small files that it recognises, for you to add."""

    def files(self) -> Iterable[Mapping[str, Tensor]]:
        """Return the tensors of some files, by the names that their authors have for them."""
        return ()

    def test_what_it_recognises_is_built_by_names_and_json_and_takes_every_tensor(self) -> None:
        for tensors in self.files():
            before = {name: value.clone() for name, value in tensors.items()}
            with torch.random.fork_rng(devices=[]):  # it may build networks, which are drawn
                found = self.made(cards.LayoutCard).convert(dict(tensors))
            assert all(torch.equal(value, before[name]) for name, value in tensors.items()), "it wrote into a tensor"
            assert found is not None and found.title, f"it does not recognise a file of {list(tensors)[:3]}"
            assert msgspec.json.decode(msgspec.json.encode(found.network.options)) == found.network.options
            network = build(found)
            wanted = {name: value.shape for name, value in network.state_dict().items()}
            assert {name: value.shape for name, value in found.tensors.items()} == wanted
            assert set(found.tasks) <= {card.name for card in registry().cards(cards.TaskCard)}
            assert all(isinstance(value, Tensor) for value in found.tensors.values())

    def test_what_it_does_not_know_is_none_or_refused_in_words(self) -> None:
        layout = self.made(cards.LayoutCard)
        assert layout.convert({}) is None, "it recognises a file without tensors"
        assert layout.convert({"a.weight": picture(3, 3), "b": torch.zeros(())}) is None, "it recognises anything"

    def test_it_names_the_tensors_of_each_network_that_it_knows(self) -> None:
        known = self.made(cards.LayoutCard).names()
        assert known and all(title and names for title, names in known.items()), "errors have nothing to compare with"
        assert all(isinstance(name, str) for names in known.values() for name in names)
