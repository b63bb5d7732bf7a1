"""`restore degrade`, as a process: damage on purpose, recipes of it, and the same damage again."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from hashlib import sha256

import pytest
import torch
from forking import LITTLE_SPACE, commands
from small import picture

from restoration.degradation import Degradation
from restoration.images import read, write
from restoration.operators import Resampling
from restoration.picture import Picture
from restoration.registry import registry
from restoration.registry.cards import TaskCard
from restoration.tasks import make_task

"""For processes that cannot write whole files: what they compiled would be cut, and break those after them."""
TASKS = ("corruption", "deblur", "dehaze", "denoise", "derain", "inpaint", "jpeg", "sr")
OPTIONS = {
    "corruption": ("--kind", "poisson", "--photons", "20,40"),
    "deblur": ("--kind", "shake", "--extent", "5,9"),
    "dehaze": ("--thickness", "1.5"),
    "denoise": ("--sigma", "5,50", "--kind", "mixed"),
    "derain": ("--kind", "mixed", "--strength", "0.1,0.3"),
    "inpaint": ("--kind", "text", "--set", "share=[0.1,0.2]"),
    "jpeg": ("--quality", "10,30"),
    "sr": ("--scale", "2,3", "--set", "noise=2"),
}


@pytest.fixture(scope="module")
def quick():
    with commands() as run:
        yield run


@pytest.fixture
def photo(tmp_path):
    """The path of a picture of 40 by 31 pixels, in a folder of its own."""
    path = tmp_path / "photos" / "photo.png"
    path.parent.mkdir()
    write(picture(31, 40), path)
    return path


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def tree(folder) -> dict[str, str]:
    """Return all files of a folder by name, with what is in them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_these_are_all_tasks():
    assert [card.name for card in registry().cards(TaskCard)] == list(TASKS)


def test_the_path_of_every_picture_is_printed_and_a_recipe_lies_beside_it(restore, photo, tmp_path):
    write(picture(seed=1), photo.with_name("other.png"))
    done = restore("degrade", "--task", "denoise", "--sigma", 25, photo.parent, "-o", tmp_path / "noisy")
    assert (done.returncode, done.stderr) == (0, "done 2, skipped 0, failed 0\n")
    assert done.stdout == f"{tmp_path}/noisy/other.png\n{tmp_path}/noisy/photo.png\n"
    assert list(tree(tmp_path / "noisy")) == ["other.json", "other.png", "photo.json", "photo.png"]
    recipe = json.loads((tmp_path / "noisy" / "photo.json").read_text())
    assert recipe == {"task": "denoise", "options": {"sigma": 25.0}, "seed": 1, "restoration": recipe["restoration"]}


@pytest.mark.parametrize("task", TASKS)
def test_a_recipe_makes_the_same_files_again_and_another_seed_others(quick, photo, task):
    folder = photo.parent
    made = quick("degrade", "-t", task, *OPTIONS[task], "--seed", 7, "photo.png", "-o", "one", cwd=folder)
    assert (made.returncode, made.stderr) == (0, ""), made.stderr
    again = quick("degrade", "--recipe", "one/photo.json", "photo.png", "-o", "two", cwd=folder)
    assert (again.returncode, again.stderr) == (0, "")
    assert tree(folder / "one") == tree(folder / "two")
    beside = {"deblur": ["kernels/photo.png"], "inpaint": ["masks/photo.png"]}.get(task, [])
    assert list(tree(folder / "one")) == sorted([*beside, "photo.json", "photo.png"])
    quick("degrade", "-t", task, *OPTIONS[task], "--seed", 8, "photo.png", "-o", "other", cwd=folder)
    assert tree(folder / "other")["photo.png"] != tree(folder / "one")["photo.png"]
    assert not torch.equal(read(folder / "one/photo.png").pixels, read(photo).pixels)


def test_every_picture_is_damaged_as_it_would_be_alone_with_its_seed(quick, photo, tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        write(picture(seed=2), tmp_path / "in" / name)
    done = quick("degrade", "-t", "dehaze", "--seed", 5, tmp_path / "in", "-o", tmp_path / "out", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["seed"] for line in lines] == [5, 6, 7]
    assert [line["output"] for line in lines] == [f"{tmp_path}/out/{name}" for name in ("a.png", "b.png", "sub/c.png")]
    assert lines[2]["files"] == [f"{tmp_path}/out/sub/c.png", f"{tmp_path}/out/sub/c.json"]
    assert {"input", "task", "options", "restoration"} <= lines[0].keys()
    assert len({tree(tmp_path / "out")[name] for name in ("a.png", "b.png", "sub/c.png")}) == 3
    quick("degrade", "-t", "dehaze", "--seed", 6, tmp_path / "in" / "b.png", "-o", tmp_path / "alone")
    assert tree(tmp_path / "alone")["b.png"] == tree(tmp_path / "out")["b.png"]


def test_holes_are_white_where_the_mask_beside_is_black_and_the_mask_makes_them_again(quick, photo, tmp_path):
    quick("degrade", "-t", "inpaint", "--kind", "thin", photo, "-o", tmp_path / "out")
    holes, clean = read(tmp_path / "out/photo.png").pixels, read(photo).pixels
    mask = read(tmp_path / "out/masks/photo.png")
    assert mask.pixels.shape == (1, 1, 31, 40) and set(mask.pixels.unique().tolist()) == {0.0, 1.0}
    known = mask.pixels.expand_as(clean) == 1
    assert torch.equal(holes[known], clean[known])
    assert bool((holes[~known] == 1).all())
    fed = quick("degrade", "-t", "inpaint", "--mask", tmp_path / "out/masks", photo, "-o", tmp_path / "again")
    assert fed.returncode == 0, fed.stderr
    assert tree(tmp_path / "again")["photo.png"] == tree(tmp_path / "out")["photo.png"]
    options = json.loads((tmp_path / "again/photo.json").read_text())["options"]
    assert options == {"mask": f"{tmp_path}/out/masks/photo.png"}, "the file, not the folder"
    write(Picture(pixels=1 - mask.pixels), tmp_path / "white.png")
    white = ("--mask", tmp_path / "white.png", "--holes", "white")
    quick("degrade", "-t", "inpaint", *white, photo, "-o", tmp_path / "white")
    assert tree(tmp_path / "white")["photo.png"] == tree(tmp_path / "out")["photo.png"]


def test_masks_of_a_folder_belong_to_pictures_by_name_or_else_by_order(quick, tmp_path):
    for name, row in {"a": 1, "b": 2}.items():
        mask = torch.ones(1, 1, 4, 5)
        mask[..., row, :] = 0
        for folder in ("named", "ordered"):
            (tmp_path / folder).mkdir(exist_ok=True)
            write(Picture(pixels=mask), tmp_path / folder / f"{name if folder == 'named' else row}.png")
    (tmp_path / "in").mkdir()
    for name in ("b", "a", "c"):
        write(Picture(pixels=torch.full((1, 3, 4, 5), 0.4)), tmp_path / "in" / f"{name}.tif")
    rows = {}
    for folder in ("named", "ordered"):
        done = quick("degrade", "-t", "inpaint", "--mask", tmp_path / folder, tmp_path / "in", "-o", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        lost = {name: read(tmp_path / "out" / f"{name}.tif").pixels[0, 0, :, 0] == 1 for name in "abc"}
        rows[folder] = {name: row.nonzero().flatten().tolist() for name, row in lost.items()}
        for path in (tmp_path / "out").rglob("*.*"):
            path.unlink()
    assert rows["named"] == {"a": [1], "b": [2], "c": [1]}
    assert rows["ordered"] == {"a": [1], "b": [2], "c": [1]}, "from the start again after the last"


def test_the_kernel_beside_fed_back_gives_the_same_blur(quick, photo, tmp_path):
    quick("degrade", "-t", "deblur", "--set", "noise=0", photo, "-o", tmp_path / "out")
    kernel = read(tmp_path / "out/kernels/photo.png")
    assert kernel.bits == 16 and kernel.pixels.shape[1] == 1 and float(kernel.pixels.max()) == 1
    fed = ("--kernel", tmp_path / "out/kernels/photo.png", "--set", "noise=0")
    assert quick("degrade", "-t", "deblur", *fed, photo, "-o", tmp_path / "again").returncode == 0
    one, two = (read(tmp_path / folder / "photo.png").pixels for folder in ("out", "again"))
    assert float((one - two).abs().max()) < 1.01 / 255
    assert float((one - read(photo).pixels).abs().max()) > 5 / 255


def test_a_small_picture_is_matlabs_whatever_its_size(quick, photo, tmp_path):
    assert quick("degrade", "-t", "sr", "--scale", 3, photo, "-o", tmp_path / "out").returncode == 0
    small = read(tmp_path / "out/photo.png").pixels
    assert torch.equal(small, Resampling(Fraction(1, 3), (31, 40)).rounded(read(photo).pixels))
    assert small.shape == (1, 3, 11, 14)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_grey_deep_transparent_and_tiny_pictures_are_damaged(task, size, tmp_path):
    alpha = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    deep = picture(*size, bits=16)
    grey = Picture(pixels=deep.pixels[:, :1], alpha=alpha, bits=16, suffix=".tif", metadata={"xmp-data": b"kept"})
    for one in (grey, deep):
        written = Degradation(task=task, seed=3).write(one, tmp_path / "out.tif")
        assert written[0] == f"{tmp_path}/out.tif" and written[-1] == f"{tmp_path}/out.json"
        back = read(tmp_path / "out.tif")
        assert back.pixels.shape[:2] == one.pixels.shape[:2] and back.bits == 16
        assert back.alpha is None and back.metadata.get("xmp-data") == one.metadata.get("xmp-data")
        assert back.pixels.shape[-2:] == size or task == "sr"
        assert Degradation.from_file(tmp_path / "out.json").task == task


def test_lossy_files_become_png(quick, tmp_path):
    for name in ("a.jpg", "b.webp", "c.tif"):
        write(picture(), tmp_path / name)
    inputs = [tmp_path / name for name in ("a.jpg", "b.webp", "c.tif")]
    done = quick("degrade", "-t", "jpeg", *inputs, "-o", tmp_path / "out")
    assert [line.rsplit("/", 1)[1] for line in done.stdout.splitlines()] == ["a.png", "b.png", "c.tif"]
    assert all(read(tmp_path / "out" / name).pixels.shape == (1, 3, 24, 32) for name in ("a.png", "b.png", "c.tif"))


def test_numbers_and_files_reach_the_task_through_python_too(photo):
    rng = torch.Generator().manual_seed(4)
    expected = make_task("derain", {"strength": [0.1, 0.1]})(read(photo).pixels, rng)
    damaged, observation = Degradation(task="derain", options={"strength": [0.1, 0.1]}, seed=4)(read(photo))
    assert torch.equal(damaged.pixels, expected)
    assert torch.equal(observation.y, expected)


def test_nothing_is_overwritten_unasked(quick, photo, tmp_path):
    how = ("degrade", "-t", "inpaint", photo, "-o", tmp_path / "out")
    for there in ("photo.png", "photo.json", "masks/photo.png"):
        (tmp_path / "out" / there).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / there).write_bytes(b"mine")
        refused = quick(*how)
        assert refused.returncode == 2
        assert f"{there} is already there; use --overwrite, or another -o" in one_line(refused.stderr)
        assert list(tree(tmp_path / "out")) == [there]
        (tmp_path / "out" / there).unlink()
    assert quick(*how).returncode == 0
    before = tree(tmp_path / "out")
    assert quick(*how).returncode == 2
    assert tree(tmp_path / "out") == before
    assert quick(*how, "--overwrite", "--seed", 9).returncode == 0
    assert tree(tmp_path / "out")["photo.png"] != before["photo.png"]


def test_two_results_never_share_a_name(quick, photo, tmp_path):
    for name in ("photo.jpg", "photo.tif"):
        write(picture(), photo.with_name(name))
        done = quick("degrade", "-t", "denoise", photo.parent, "-o", tmp_path / "out")
        assert done.returncode == 2
        assert f"would both become {tmp_path}/out/photo" in one_line(done.stderr)
        assert not (tmp_path / "out").exists()
        photo.with_name(name).unlink()
    over = quick("degrade", "-t", "denoise", photo, "-o", photo.parent, "--overwrite")
    assert over.returncode == 2
    assert "would be written over itself" in one_line(over.stderr)


def test_one_bad_picture_does_not_stop_the_others(quick, photo, tmp_path):
    (photo.parent / "a.png").write_bytes(b"no picture")
    (photo.parent / "b.png").write_bytes(b"")
    done = quick("degrade", "-t", "denoise", photo.parent, tmp_path / "missing.png", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert done.stdout == f"{tmp_path}/out/photo.png\n"
    *errors, title, _, _, _, count = done.stderr.strip().splitlines()
    assert len(errors) == 3 and title == "these failed:" and count == "done 1, skipped 0, failed 3"
    assert "a.png is not a picture" in errors[0] and "b.png is empty" in errors[1] and "No such file" in errors[2]
    assert list(tree(tmp_path / "out")) == ["photo.json", "photo.png"]


BAD = {
    (): "say how to damage the pictures: --task T, or --recipe FILE",
    ("-t", "derian"): "no task is named 'derian'; did you mean 'derain'?",
    ("-t", "derain", "--sigma", "5"): "task 'derain' has no option 'sigma'; it belongs to denoise",
    ("-t", "jpeg", "--kind", "thin"): "it belongs to corruption, deblur, denoise, derain, inpaint",
    ("-t", "derain", "--set", "mists=1"): "task 'derain' has no option 'mists'; did you mean 'mist'?",
    ("-t", "derain", "--set", "task.mists=1"): "task 'derain' has no option 'mists'; did you mean 'mist'?",
    ("-t", "denoise", "--sigma", "loud"): "'loud' is not a number, nor several as in 5,50, nor a file",
    ("-t", "denoise", "--sigma", "5,"): "'5,' is not a number, nor several",
    ("-t", "denoise", "--sigma", "300"): "sigma must be a number or two, 0 <= least <= most <= 255",
    ("-t", "denoise", "--sigma", "nan"): "sigma must be a number or two, 0 <= least <= most <= 255",
    ("-t", "denoise", "--sigma", "50,5"): "sigma must be a number or two, 0 <= least <= most <= 255",
    ("-t", "denoise", "--sigma", "1,2,3"): "option 'sigma' does not fit",
    ("-t", "denoise", "--kind", "loud"): "option 'kind' does not fit: 'loud' is not one of gaussian, ",
    ("-t", "sr", "--scale", "2.5"): "'2.5' is not a whole number",
    ("-t", "sr", "--scale", "1"): "scale must be from 2 to 16, not 1",
    ("-t", "sr", "--set", "noise=-1"): "noise must be a number or two",
    ("-t", "jpeg", "--quality", "0"): "quality must be a number or two, 1 <= least <= most <= 100",
    ("-t", "inpaint", "--holes", "grey"): "option 'holes' does not fit: 'grey' is not one of ",
    ("-t", "inpaint", "--mask", "missing.png"): "missing.png: No such file",
    ("-t", "inpaint", "--mask", "small.png"): "the mask small.png is 3x2, the picture 40x31; make them one size",
    ("-t", "inpaint", "--mask", "text"): "text is not a picture that can be read",
    ("-t", "inpaint", "--mask", "empty"): "empty holds no pictures",
    ("-t", "deblur", "--kernel", "missing.npy"): "missing.npy: No such file",
    ("-t", "deblur", "--kernel", "text"): "text is not a picture that can be read",
    ("-t", "deblur", "--kernel", "text.npz:a"): "text.npz cannot be read as a NumPy file of numbers",
    ("-t", "deblur", "--kernel", "black.png"): "black.png is not a kernel",
    ("-t", "deblur", "--extent", "0"): "extent must be a number or two, 1 <= least <= most <= 101",
    ("-t", "dehaze", "--thickness", "-1"): "thickness must be a number or two",
    ("-t", "derain", "--strength", "2"): "strength must be a number or two, 0 <= least <= most <= 1",
    ("-t", "denoise", "--recipe", "good.json"): "a --recipe says all: leave out --task and the options of a task",
    ("--sigma", "5", "--recipe", "good.json"): "a --recipe says all: leave out --task and the options of a task",
    ("--recipe", "missing.json"): "missing.json: No such file",
    ("--recipe", "empty"): "is a directory",
    ("--recipe", "text"): "text is not a recipe of a degradation",
    ("--recipe", "bytes.json"): "bytes.json is not a recipe of a degradation",
    ("--recipe", "list.json"): "list.json is not a recipe of a degradation",
    ("--recipe", "more.json"): "more.json is not a recipe of a degradation: Object contains unknown field `also`",
    ("--recipe", "seed.json"): "seed.json is not a recipe of a degradation: Expected `int`, got `str` - at `$.seed`",
    ("--recipe", "task.json"): "no task is named 'nothing'",
    ("--recipe", "option.json"): "task 'jpeg' has no option 'sigma'; it belongs to denoise",
    ("-t", "denoise", "-"): "degrade reads files and folders, not stdin",
    ("-t", "denoise", "empty"): "no pictures",
    ("-t", "denoise", "-o", "-"): "-o is a folder, not stdout",
    ("-t", "denoise", "-o", "noisy.png"): "-o is a folder, and noisy.png would be a picture",
    ("-t", "deblur", "--kernel", "wide.png"): "wide.png is 300x3, too large for a kernel (at most 255)",
    ("-t", "denoise", "-o", "text"): "cannot make the folder text: text is there, and is no folder",
}


@pytest.fixture
def corner(photo):
    """A folder with a picture and with all that can be wrong."""
    folder = photo.parent
    (folder / "empty").mkdir()
    files = {
        "text": b"no picture",
        "text.npz": b"no array",
        "good.json": b'{"task": "jpeg"}',
        "bytes.json": b'{"task": "\xff"}',
        "list.json": b"[]",
        "more.json": b'{"task": "jpeg", "also": 1}',
        "seed.json": b'{"task": "jpeg", "seed": "one"}',
        "task.json": b'{"task": "nothing"}',
        "option.json": b'{"task": "jpeg", "options": {"sigma": 5}}',
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    write(Picture(pixels=torch.ones(1, 1, 2, 3)), folder / "small.png")
    write(Picture(pixels=torch.zeros(1, 1, 3, 3)), folder / "black.png")
    write(Picture(pixels=torch.ones(1, 1, 3, 300)), folder / "wide.png")
    return folder


def test_what_is_wrong_is_one_line_each_and_nothing_is_written(quick, corner):
    before = tree(corner)
    for arguments, message in BAD.items():
        images = () if arguments[2:] in (("-",), ("empty",)) else ("photo.png",)
        done = quick("degrade", "-o", "out", *arguments, *images, cwd=corner)
        assert done.returncode in (1, 2), arguments
        assert message in one_line(done.stderr), arguments
        assert "fault of the toolbox" not in done.stderr
        assert done.stdout == ""
        assert tree(corner) == before and not (corner / "out").exists(), arguments


def test_a_value_that_does_not_fit_is_told_once_for_all_pictures(quick, photo, tmp_path):
    write(picture(), photo.with_name("other.png"))
    done = quick("degrade", "-t", "denoise", "--sigma", 300, photo.parent, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "sigma must be a number or two" in one_line(done.stderr)
    assert not (tmp_path / "out").exists()


def test_a_folder_for_masks_that_cannot_be_made_is_one_line_and_nothing_is_written(quick, photo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "masks").write_text("a file where a folder should be")
    done = quick("degrade", "-t", "inpaint", photo, "-o", tmp_path / "out")
    assert done.returncode == 1
    masks = f"{tmp_path}/out/masks"
    assert f"cannot make the folder {masks}: {masks} is there, and is no folder" in one_line(done.stderr)
    assert list(tree(tmp_path / "out")) == ["masks"]


def test_a_full_disk_is_one_line_and_leaves_no_part_of_a_file(restore, tmp_path):
    write(picture(128, 128), tmp_path / "in.png")
    done = restore("degrade", "-t", "denoise", tmp_path / "in.png", "-o", tmp_path / "out", first=LITTLE_SPACE)
    assert done.returncode == 1
    assert "cannot write" in one_line(done.stderr)
    assert os.listdir(tmp_path / "out") == []
