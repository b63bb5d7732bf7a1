"""Test pictures looked for inside a training set: every transformation found, nothing else reported."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyvips
import torch
from forking import Run, commands
from restoration_audit.keypoints import SYMMETRIES, find, inverse, turned, turned_descriptors, turned_places
from restoration_audit.registration import Placement, register
from restoration_audit.search import Audit, Match, audit
from torch import Tensor
from torch.nn.functional import interpolate

from restoration.errors import BadPicture
from restoration.images import read

EXAMPLES = Path(__file__).parents[3] / "examples" / "derain" / "clean"
HEIGHT, WIDTH = 240, 320
KINDS = {name: symmetry for symmetry, name in SYMMETRIES.items()}


def textured(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """A free picture: octaves of noise that fall off as photographs do, and flat shapes upon them."""
    rng = torch.Generator().manual_seed(seed)
    pixels = torch.full((1, 3, height, width), 0.5)
    for octave in range(2, 7):
        noise = torch.randn(1, 3, 2**octave, 2**octave, generator=rng) * 0.5 / octave
        pixels += interpolate(noise, (height, width), mode="bicubic") * 0.5
    for x, y, radius, *colour in torch.rand(12, 6, generator=rng).tolist():
        down, right = torch.meshgrid(torch.arange(height) - y * height, torch.arange(width) - x * width, indexing="ij")
        inside = (down.abs() + 0.6 * right.abs() if radius > 0.5 else torch.hypot(down, right)) < 6 + 40 * radius
        pixels = torch.where(inside, torch.tensor(colour)[:, None, None], pixels)
    return pixels.clamp(0, 1)


def save(pixels: Tensor, path: Path, quality: int = 0) -> None:
    """Write `1 3 h w`; JPEG and WebP with a quality."""
    rows = (pixels[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous()
    image = pyvips.Image.new_from_memory(rows.numpy().tobytes(), rows.shape[1], rows.shape[0], 3, "uchar")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.copy(interpretation="srgb").write_to_file(str(path), **({"Q": quality} if quality else {}))


def resized(pixels: Tensor, scale: float) -> Tensor:
    return interpolate(pixels, scale_factor=scale, mode="bicubic", antialias=True, align_corners=False)


def quarter(pixels: Tensor) -> Tensor:
    return pixels[..., 70:190, 90:250]


def turn(name: str) -> Callable[[Tensor], Tensor]:
    return lambda pixels: turned(pixels, KINDS[name]).contiguous()


def collage(pixels: Tensor) -> Tensor:
    """A third of a picture inside another one."""
    other = textured(77)
    other[..., 60:200, 20:210] = pixels[..., 40:180, 100:290]
    return other


COPIES: dict[str, tuple[Callable[[Tensor], Tensor], str, int, str, float]] = {
    # what is done, the file's suffix and quality; the symmetry and the scale to be found
    "the same": (lambda x: x, ".png", 0, "", 1),
    "quality 95": (lambda x: x, ".jpg", 95, "", 1),
    "quality 30": (lambda x: x, ".jpg", 30, "", 1),
    "webp": (lambda x: x, ".webp", 50, "", 1),
    "half": (lambda x: resized(x, 0.5), ".png", 0, "", 0.5),
    "by 0.75": (lambda x: resized(x, 0.75), ".png", 0, "", 0.75),
    "double": (lambda x: resized(x, 2), ".png", 0, "", 2),
    "darker": (lambda x: 0.6 * x, ".png", 0, "", 1),
    "less contrast": (lambda x: 0.25 + 0.5 * x, ".png", 0, "", 1),
    "gamma": (lambda x: x**0.7, ".png", 0, "", 1),
    "quarter": (quarter, ".png", 0, "", 1),
    **{name: (turn(name), ".png", 0, name, 1) for name in KINDS if name},
    "quarter, left": (lambda x: turn("rotated 90° left")(quarter(x)), ".jpg", 50, "rotated 90° left", 1),
    "quarter, double": (lambda x: turn("mirrored")(resized(quarter(x), 2)), ".jpg", 40, "mirrored", 2),
    "quarter, 0.7": (lambda x: turn("rotated 180°")(resized(quarter(x), 0.7)), ".jpg", 60, "rotated 180°", 0.7),
    "half, right": (
        lambda x: turn("mirrored, rotated 90° right")(0.7 * resized(x, 0.5)),
        ".jpg",
        30,
        "mirrored, rotated 90° right",
        0.5,
    ),
    "collage": (collage, ".jpg", 80, "", 1),
}
SOURCES = ("drawn", "hopper", "bridge")


def source(name: str) -> Tensor:
    """A picture of HEIGHT by WIDTH or so: one drawn here, or an example."""
    if name == "drawn":
        return textured(1)
    pixels = read(EXAMPLES / f"{name}.png").pixels
    return resized(pixels, WIDTH / pixels.shape[-1])[..., :HEIGHT, :].clamp(0, 1)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Match]:
    """What an audit finds of three pictures, each planted in a training set in every way, among six others."""
    folder = tmp_path_factory.mktemp("planted")
    for name in SOURCES:
        save(source(name), folder / "test" / f"{name}.png")
        for what, (change, suffix, quality, _, _) in COPIES.items():
            save(change(source(name)), folder / "train" / name / f"{what}{suffix}", quality)
    for seed in range(10, 16):
        save(textured(seed), folder / "train" / "others" / f"{seed}.png")
        save(textured(seed + 10), folder / "test" / f"{seed}.png")
    result = audit(folder / "train", folder / "test")
    assert result.trained == len(SOURCES) * len(COPIES) + 6
    assert result.tested == len(SOURCES) + 6
    found = {(Path(one.test).stem, one.train.removeprefix("train/").rpartition(".")[0]): one for one in result.matches}
    assert len(found) == len(result.matches)
    return found


@pytest.mark.parametrize("what", COPIES)
@pytest.mark.parametrize("name", SOURCES)
def test_a_copy_is_found_with_what_was_done_to_it(planted, name, what):
    match = planted[name, f"{name}/{what}"]
    assert (match.symmetry, match.scale) == (COPIES[what][3], pytest.approx(COPIES[what][4], rel=0.01))
    assert match.correlation > 0.9
    if "quarter" in what:
        assert match.box == pytest.approx((90, 70, 160, 120), abs=2)
        assert match.share == pytest.approx(160 * 120 / (source(name).shape[-2] * WIDTH), abs=0.01)
        assert match.train_share > 0.95
    elif what != "collage":
        assert match.share > 0.95


def test_a_piece_of_a_picture_within_another_is_found_where_it_is(planted):
    for name in SOURCES:
        match = planted[name, f"{name}/collage"]
        left, top, width, height = match.box
        assert 98 <= left < left + width <= 292 and 38 <= top < top + height <= 182
        assert match.train_box[:2] == pytest.approx((left - 80, top + 20), abs=2)


def test_unrelated_pictures_of_the_same_statistics_are_not_reported(planted):
    pairs = {(test, train.split("/")[0]) for test, train in planted}
    assert pairs <= {(name, name) for name in SOURCES}


def test_a_test_picture_that_is_a_piece_of_a_training_picture_is_found(tmp_path):
    large = textured(3, 600, 900)
    save(large, tmp_path / "train" / "large.jpg", 90)
    piece = turned(large[..., 200:400, 300:600], KINDS["rotated 90° right"]).contiguous()
    save(piece, tmp_path / "test" / "piece.jpg", 60)
    (match,) = audit(tmp_path / "train", tmp_path / "test").matches
    assert match.symmetry == "rotated 90° left", "what turns the test picture into the training picture"
    assert match.train_box == pytest.approx((300, 200, 300, 200), abs=2)
    assert match.share > 0.95
    assert str(match).startswith("test/piece.jpg is in train/large.jpg: rotated 90° left, whole at (")


def test_of_pairs_the_clean_pictures_are_compared(tmp_path):
    clean, other = textured(1), textured(2)
    save(clean, tmp_path / "pairs" / "clean" / "one.png")
    save(other, tmp_path / "pairs" / "rain" / "one.png")
    save(clean, tmp_path / "clean-ones" / "a.png")
    save(other, tmp_path / "rainy-ones" / "b.png")
    found = audit(tmp_path / "clean-ones", tmp_path / "pairs")
    assert (found.tested, found.found) == (1, ("pairs/clean/one.png",))
    assert audit(tmp_path / "rainy-ones", tmp_path / "pairs").found == ()


def test_a_flat_picture_is_said_to_be_too_smooth_to_judge(tmp_path):
    save(torch.full((1, 3, 64, 64), 0.4), tmp_path / "test" / "flat.png")
    save(torch.full((1, 3, 64, 64), 0.4), tmp_path / "train" / "flat.png")
    result = audit(tmp_path / "train", tmp_path / "test")
    assert (result.matches, result.unjudged) == ((), ("test/flat.png",))
    assert "0 found, 1 too smooth to be judged" in result.summary()
    assert "; 1 is too smooth to be judged" in result.sentence()


def test_the_sentence_for_a_card_says_what_was_searched_and_what_was_found():
    facts = {"train": "photos", "test": "CBSD68", "trained": 542, "tested": 68, "unjudged": ()}
    none = Audit(**facts, matches=())
    assert none.summary() == (
        "542 training pictures, 68 test pictures: 0 found "
        "(whole, crops from a quarter, 8 symmetries, scale 0.5-2, recompressed)"
    )
    assert none.sentence().startswith("None of the 68 pictures of CBSD68 was found in the 542 training pictures by `")
    box = (0, 0, 1, 1)
    places = {"box": box, "train_box": box, "share": 0.3, "train_share": 1.0}
    match = Match(test="a/1.png", train="b/2.png", symmetry="mirrored", scale=1.0, correlation=0.99, **places)
    sentence = Audit(**facts, matches=(match, match)).sentence()
    assert sentence.startswith("Of the 68 pictures of CBSD68, 1 was found in the 542 training pictures")
    assert sentence.endswith(": a/1.png.")
    assert str(match) == "a/1.png is in b/2.png: mirrored, crop 1x1 at (0, 0), scale 1.00, correlation 0.990"


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(BadPicture, match="holds no pictures"):
        audit(EXAMPLES, tmp_path)


@pytest.mark.parametrize("symmetry", SYMMETRIES, ids=lambda one: SYMMETRIES[one] or "as it is")
def test_keypoints_turn_as_their_picture_does(symmetry):
    fine = textured(5, 97, 129).mean(dim=1, keepdim=True)  # few keypoints: cells keep them all
    picture = interpolate(fine, (289, 385), mode="bicubic")[0, 0]  # odd: halves alike from either end
    plain, other = find(picture), find(turned(picture, symmetry).contiguous())
    places = turned_places(plain.places, torch.tensor([385.0, 289.0]), symmetry)
    distance, nearest = (places[:, None] - other.places).norm(dim=-1).min(dim=1)
    same = distance < 0.01
    assert len(plain) > 40
    assert same.float().mean() > 0.95
    expected = turned_descriptors(plain.descriptors, symmetry)[same]
    cosine = (expected * other.descriptors[nearest[same]]).sum(dim=1)
    assert (cosine > 0.999).float().mean() > 0.95, "all but those with another keypoint in the same place"
    assert torch.equal(turned(turned(picture, symmetry), inverse(symmetry)), picture)


def test_a_registration_finds_scale_and_offset_of_a_known_function():
    def waves(x: Tensor, y: Tensor) -> Tensor:
        return 0.5 + 0.2 * torch.sin(x / 9) * torch.cos(y / 7) + 0.1 * torch.sin((x + 2 * y) / 15)

    def sampled(width: int, height: int, scale: float, left: float, top: float) -> Tensor:
        x, y = (torch.arange(side) + 0.5 for side in (width, height))
        return waves((x[None] - left) / scale, (y[:, None] - top) / scale)

    first, second = sampled(200, 150, 1, 0, 0), 0.3 + 0.5 * sampled(300, 280, 1.3, 20.4, -6.7)
    got = register(first, second, Placement(scale=(1.27, 1.33), offset=(23, -9)))
    assert got is not None
    assert got.placement.scale == pytest.approx((1.3, 1.3), abs=2e-3)
    assert got.placement.offset == pytest.approx((20.4, -6.7), abs=0.2)
    assert min(got.correlation, got.detail) > 0.999
    assert got.box == pytest.approx((0, 6.7 / 1.3, 200, 150), abs=0.2)
    assert register(first, torch.rand(280, 300, generator=torch.Generator().manual_seed(0)), got.placement) is None
    assert register(first, second, Placement(scale=(1, 1), offset=(195, 0))) is None, "too slim an overlap"
    assert math.isclose(got.placement.overlap(first, second)[1], got.box[1])


@pytest.fixture(scope="module")
def restore() -> Iterator[Run]:
    with commands() as run:
        yield run


def test_the_command_prints_what_it_found_and_its_exit_code_says_whether(restore, tmp_path):
    picture = textured(1)
    save(picture, tmp_path / "train" / "a.png")
    save(turned(picture, KINDS["rotated 180°"]).contiguous(), tmp_path / "test" / "b.jpg", 70)
    found = restore("audit", tmp_path / "train", tmp_path / "test", "--threads", 1)
    assert found.returncode == 1, found.stderr
    line, summary = found.stdout.splitlines()
    assert line.startswith("test/b.jpg is in train/a.png: rotated 180°, whole, scale 1.00, correlation 0.99")
    assert summary.startswith("1 training pictures, 1 test pictures: 1 found (")
    assert found.stderr == ""
    none = restore("audit", tmp_path / "train", EXAMPLES, "--json")
    assert none.returncode == 0, none.stderr
    facts = json.loads(none.stdout)
    assert (facts["found"], facts["matches"], facts["tested"]) == (0, [], len(list(EXAMPLES.iterdir())))
    assert facts["sentence"].startswith("None of the ")
    wrong = restore("audit", tmp_path / "train", tmp_path / "nowhere")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "nowhere is not a folder" in wrong.stderr
