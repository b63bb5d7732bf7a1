"""The page of all weights and the headers of their cards follow from the sets: they are up to date."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from restoration.hub.header import scores

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def zoo():
    spec = spec_from_file_location("zoo", ROOT / "benchmarks" / "zoo.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_and_the_cards_are_up_to_date(zoo):
    stale = [str(path.relative_to(ROOT)) for path, text in zoo.files().items() if path.read_text("utf-8") != text]
    assert stale == [], "run `python benchmarks/zoo.py`"


def test_every_set_has_a_row_and_a_section_with_its_scores(zoo):
    text = (ROOT / "docs" / "zoo.md").read_text("utf-8")
    assert len(zoo.sets()) > 10
    for card, folder in zoo.sets():
        row = next(line for line in text.splitlines() if line.startswith(f"| [`{card.name}`](#"))
        assert f"{folder.size() / 1e6:.2f}" in row and row.endswith(f"| {folder.stated_license()} |")
        section = text.partition(f"### {card.name}\n")[2].partition("\n### ")[0]
        for score in scores(folder.card()):
            assert f"| {score.pictures} | {score.evaluations} | {score.input:.2f} | {score.restored:.2f} |" in section
        assert "* data: " in section


def test_the_header_of_every_card_is_one_that_the_hub_understands(zoo):
    for card, folder in zoo.sets():
        data = ModelCard(folder.card()).data
        assert data.library_name == "restoration" and data.license and data.pipeline_tag
        assert {"restoration", card.method, card.task, folder.recipe().network.name} <= set(data.tags)
        validation = folder.recipe().training.get("validation")
        known = [one.restored for one in scores(folder.card())] or ([validation["psnr_rgb"]] if validation else [])
        assert [one.metric_value for one in data.eval_results or []] == known


def test_work_is_counted_right(zoo):
    """A convolution of 3x3 from 3 to 3 channels is 81 multiplications a pixel."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        torch.nn.Conv2d(3, 3, 3, padding=1)(torch.zeros(1, 3, zoo.SIDE, zoo.SIDE))
    assert counter.get_total_flops() / 2 / zoo.SIDE**2 == 81
