"""Pictures in shards: found by the headers of a tar, read from where they lie, trained with as those of a folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import torch
import webdataset
from small import picture

from restoration.errors import BadPicture
from restoration.images import encode, read, read_levels, read_size, write
from restoration.images.folders import Pair, pairs_in
from restoration.images.shards import Member, expand, members_of, shards_of
from restoration.training.batches import Batches
from restoration.training.packed import PackedPairs
from restoration.training.patches import Patches


def shard(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def png(seed: int = 0, height: int = 24, width: int = 32) -> bytes:
    return encode(picture(height, width, seed), ".png")


def test_the_shards_of_webdataset_are_read_where_they_lie(tmp_path: Path) -> None:
    with webdataset.ShardWriter(str(tmp_path / "%03d.tar"), maxcount=2, verbose=0) as writer:
        for seed in range(5):
            writer.write({"__key__": f"photo{seed}", "png": png(seed), "json": {"seed": seed}})
    pairs = pairs_in(tmp_path)
    assert [str(pair.clean) for pair in pairs] == [
        f"{tmp_path}/{seed // 2:03}.tar:photo{seed}.png" for seed in range(5)
    ]
    assert all(pair.degraded is None for pair in pairs)
    for seed in (4, 0, 3):
        assert torch.equal(read(pairs[seed].clean).pixels, picture(24, 32, seed).pixels)
        assert read_size(pairs[seed].clean) == (24, 32)
    assert pairs == pairs_in(tmp_path / "{000..002}.tar") == pairs_in(tmp_path / "*.tar")
    assert pairs[2:4] == pairs_in(tmp_path / "001.tar")


def test_pairs_in_shards_are_those_of_one_key(tmp_path: Path) -> None:
    with webdataset.TarWriter(str(tmp_path / "pairs.tar")) as writer:
        for seed in range(3):
            writer.write({"__key__": f"x{seed}", "clean.png": png(seed), "degraded.png": png(seed + 10)})
    pairs = pairs_in(tmp_path / "pairs.tar")
    assert [(pair.clean.name, pair.degraded and pair.degraded.name) for pair in pairs] == [
        (f"x{seed}.clean.png", f"x{seed}.degraded.png") for seed in range(3)
    ]
    assert pairs[0].clean.stem == "x0.clean"


def test_folders_in_shards_and_shards_of_both_sides_are_pairs_too(tmp_path: Path) -> None:
    inside = shard(
        tmp_path / "one.tar", {f"{part}/{seed}.png": png(seed) for seed in range(2) for part in ("GT", "LQ")}
    )
    assert [(pair.clean.name, str(pair.degraded)) for pair in pairs_in(inside)] == [
        (f"{seed}.png", f"{inside}:LQ/{seed}.png") for seed in range(2)
    ]
    sides = [shard(tmp_path / f"{side}.tar", {f"{seed}.png": png(seed) for seed in range(2)}) for side in "ab"]
    assert [str(pair.degraded) for pair in pairs_in(*sides)] == [f"{sides[1]}:{seed}.png" for seed in range(2)]


def test_batches_of_shards_are_those_of_the_same_pictures_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for seed in range(4):
        write(picture(30, 40, seed), tmp_path / "folder" / f"{seed}.png")
    files = {path.name: path.read_bytes() for path in sorted((tmp_path / "folder").iterdir())}
    packed = shard(tmp_path / "all.tar", files)

    def drawn(data: Path) -> list[torch.Tensor]:
        patches = Patches(pairs_in(data), lambda x, rng: x + torch.randn(x.shape, generator=rng), size=16)
        return [y for _, y, _ in Batches(patches, batch=3, seed=1, steps=4)]

    assert all(map(torch.equal, drawn(tmp_path / "folder"), drawn(packed)))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("s/{008..010}.tar", ["s/008.tar", "s/009.tar", "s/010.tar"]),
        ("{8..10}.tar", ["8.tar", "9.tar", "10.tar"]),
        ("{a,b}-{0..1}.tar", ["a-0.tar", "a-1.tar", "b-0.tar", "b-1.tar"]),
    ],
)
def test_braces_stand_for_several_names(text: str, names: list[str]) -> None:
    assert expand(text) == names


def test_what_is_no_whole_shard_is_one_line(tmp_path: Path) -> None:
    whole = shard(tmp_path / "whole.tar", {"a.png": png(), "b.png": png()})
    (tmp_path / "half.tar").write_bytes(whole.read_bytes()[:-12000])
    (tmp_path / "none.tar").write_bytes(b"no tar at all" * 100)
    with tarfile.open(tmp_path / "small.tar", "w:gz") as tar:
        tar.add(whole, "a.png")
    shard(tmp_path / "text.tar", {"a.txt": b"text"})
    for name, message in (
        ("half", "cannot be read as an uncompressed tar"),
        ("none", "cannot be read as an uncompressed tar"),
        ("small", "cannot be read as an uncompressed tar"),
        ("text", "hold no pictures"),
        ("{whole,gone}", "there is no shard .*gone.tar"),
        ("gone*", "there is no shard that .*gone"),
    ):
        with pytest.raises(BadPicture, match=message) as caught:
            pairs_in(tmp_path / f"{name}.tar")
        assert "\n" not in str(caught.value)


def test_a_folder_of_pictures_in_which_a_shard_lies_is_one_of_pictures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shard(tmp_path / "backup.tar", {"a.png": png()})
    (tmp_path / "b.png").write_bytes(png())
    assert [pair.clean for pair in pairs_in(tmp_path)] == [tmp_path / "b.png"]
    assert f"holds pictures and shards; these are left out: {tmp_path / 'backup.tar'}" in caplog.text


def test_a_shard_that_became_shorter_is_named(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", {"a.png": png()})
    (member,) = members_of([path])
    path.write_bytes(path.read_bytes()[: member.offset + 10])
    with pytest.raises(BadPicture, match=r"a\.tar:a\.png: the shard ends within this file"):
        read_levels(member)
    assert shards_of(tmp_path / "b.png") == []


def test_packed_pairs_are_the_same_again(tmp_path: Path) -> None:
    member = Member(str(tmp_path / "a.tar"), "x/a.png", 512, 99)
    pairs = [Pair(clean=tmp_path / "ä.png"), Pair(clean=member, degraded=member), Pair(clean=member, degraded=tmp_path)]
    packed = PackedPairs(pairs)
    assert list(packed) == pairs and packed[1:] == pairs[1:] and len(packed) == 3
    with pytest.raises(IndexError):
        packed[3]
