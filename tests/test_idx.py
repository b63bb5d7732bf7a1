"""Pictures in IDX files, as Fashion-MNIST has them: found, read and trained with as those of a folder."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
import torch
from small import picture
from torch import Generator, Tensor

from restoration.errors import BadPicture
from restoration.images import read, read_levels, read_size, write
from restoration.images.folders import pairs_in
from restoration.training.packed import PackedPairs
from restoration.training.patches import Patches


def made(number: int = 7, height: int = 12, width: int = 9) -> Tensor:
    return torch.randint(256, (number, height, width), dtype=torch.uint8, generator=Generator().manual_seed(0))


def idx(path: Path, pixels: Tensor, *, announced: int | None = None) -> Path:
    """Write pictures `n h w` of 8 bits, or numbers `n`."""
    sizes = [len(pixels) if announced is None else announced, *pixels.shape[1:]]
    data = bytes([0, 0, 8, pixels.ndim]) + b"".join(size.to_bytes(4) for size in sizes) + pixels.numpy().tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", "digits.idx3"])
def test_pictures_are_read_exactly_from_the_file_and_from_its_folder(tmp_path: Path, name: str) -> None:
    pixels = made()
    file = idx(tmp_path / name, pixels)
    idx(tmp_path / "train-labels-idx1-ubyte.gz", torch.arange(7, dtype=torch.uint8))
    (tmp_path / "LICENSE").write_text("free")
    pairs = pairs_in(file)
    assert pairs == pairs_in(tmp_path) == list(PackedPairs(pairs))
    assert [pair.degraded for pair in pairs] == [None] * 7
    for place, pair in enumerate(pairs):
        assert torch.equal(read_levels(pair.clean)[..., 0], pixels[place])
        assert read_size(pair.clean) == (12, 9)
    assert torch.equal(read(pairs[3].clean).pixels[0, 0] * 255, pixels[3].float())
    assert str(pairs[3].clean) == f"{file}:3"


def test_what_is_cut_off_or_no_idx_file_is_refused_in_one_line(tmp_path: Path) -> None:
    cut = idx(tmp_path / "cut-images-idx3-ubyte", made(), announced=8)
    with pytest.raises(BadPicture, match="8 pictures of 9x12 are announced, and 756 bytes are there"):
        pairs_in(cut)
    broken = tmp_path / "broken-idx3-ubyte.gz"
    broken.write_bytes(gzip.compress(bytes(100_000))[:-30])
    with pytest.raises(BadPicture, match="cannot be read as an IDX file of pictures"):
        pairs_in(broken)
    labels = idx(tmp_path / "labels-idx3-ubyte", torch.arange(7, dtype=torch.uint8))
    with pytest.raises(BadPicture, match="it does not begin as one"):
        pairs_in(labels)


def test_a_folder_of_pictures_stays_one_with_an_idx_file_beside_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    idx(tmp_path / "train-images-idx3-ubyte", made())
    write(picture(), tmp_path / "a.png")
    with caplog.at_level(logging.INFO, logger="restoration"):
        assert [pair.clean.name for pair in pairs_in(tmp_path)] == ["a.png"]
    assert "1 files that are no pictures" in caplog.text


@pytest.mark.parametrize(("turns", "different"), [("none", 1), ("mirror", 2), ("all", 8)])
def test_whole_pictures_are_trained_with_turned_as_far_as_is_wanted(tmp_path: Path, turns: str, different: int) -> None:
    pixels = made(1, 12, 12)
    pairs = pairs_in(idx(tmp_path / "images-idx3-ubyte.gz", pixels))
    patches = Patches(pairs, lambda x, rng: x, size=12, channels=1, turns=turns)
    assert len(patches.fingerprint()) == 32
    drawn = {tuple((patches.row(0, 0, row)[0] * 255).round().flatten().tolist()) for row in range(60)}
    assert len(drawn) == different
    upright, mirrored = (tuple(one.flatten().tolist()) for one in (pixels.float(), pixels.flip(-1).float()))
    assert upright in drawn
    assert (mirrored in drawn) is (turns != "none")
