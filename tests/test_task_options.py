"""Options of tasks on the command line: what is known about a picture reaches the method, and marks the result."""

from __future__ import annotations

import json

import pytest
import torch
from forking import commands
from small import picture

from restoration.engine.answers import finished
from restoration.errors import BadOption, RestorationError
from restoration.images import read, write
from restoration.interfaces import Observation
from restoration.operators import Convolution, Masking, Resampling
from restoration.picture import Picture, filled
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, TaskCard
from restoration.tasks import check_options, describe, make_task, observe, options_of

PLUGIN = '''
from typing import Literal

import torch
from restoration import Observation, RestorerCard, TaskCard, CommandOption, hookimpl


class Loud:
    """Answers with what it is told: the negative of the picture, sigma as a grey, or the operator applied to y."""

    def __init__(self, *, say: Literal["negative", "sigma", "operator", "y"] = "negative"):
        self.say = say

    def __call__(self, observation, rng):
        y = observation.y
        grey = torch.full_like(y, 0 if observation.sigma is None else observation.sigma)
        blurred = y if observation.operator is None else observation.operator(y)
        yield {"negative": 1 - y, "sigma": grey, "operator": blurred, "y": y}[self.say]


class Fade:
    """Fades pictures; a file says to what brightness."""

    def __init__(
        self, *, fade_by: float | tuple[float, float] = 0.5, times: int = 1, tone: Literal["light", "dark"] = "dark",
        chart: str | None = None, hidden: bool = False,
    ):
        self.options = fade_by, times, tone, chart, hidden

    def __call__(self, x, rng):
        return x * 0 + (0 if self.options[3] is None else int(open(self.options[3]).read()) / 255)

    def observe(self, x, rng):
        return Observation(y=self(x, rng))

    def describe(self, picture):
        return Observation(y=picture.pixels, sigma=self.options[1] / 255)


@hookimpl
def register_restorers():
    yield RestorerCard(name="loud", factory="mine:Loud", summary="says what it hears", needs_weights=False)


@hookimpl
def register_tasks():
    asks = (
        CommandOption(name="fade_by", help="how much"),
        CommandOption(name="times", help="how often", values="whole", describes=True),
        CommandOption(name="tone", help="what it becomes", values=("light", "dark")),
        CommandOption(name="chart", help="the brightness", values="file"),
        CommandOption(name="sigma", help="never mind", describes=True),
    )
    yield TaskCard(name="fade", factory="mine:Fade", summary="freshen what faded", linear=True, asks=asks)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "mine.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture(scope="module")
def quick():
    with commands() as run:
        yield run


@pytest.fixture
def loud(quick, plugin, tmp_path):
    """Run the method `loud` in the folder of the test; by default on `photo.png`, to `out.png`."""
    write(picture(21, 30), tmp_path / "photo.png")

    def run(task, *arguments, images=("photo.png",), output="out.png"):
        how = ("run", *images, "-m", "loud", "-t", task, "-o", output, "--overwrite", "--accept")
        return quick("--plugin", plugin, *how, *arguments, cwd=tmp_path)

    return run


def one_line(done) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "fault of the toolbox" not in lines[0]
    assert done.returncode in (1, 2) and done.stdout == ""
    return lines[0]


def said(text: str) -> set[str]:
    """Return the options in a text of help."""
    return {word.rstrip(",") for word in text.split() if word.startswith("--") and word.rstrip(",") != "--"}


def names(*, describing: bool) -> set[str]:
    asks = [option for card in registry().cards(TaskCard) for option in card.asks]
    return {f"--{option.name.replace('_', '-')}" for option in asks if option.describes or not describing}


def test_help_shows_what_describes_a_picture_for_run_and_all_for_degrade(quick, plugin):
    run, degrade = said(quick("run", "--help").stdout), said(quick("degrade", "--help").stdout)
    assert names(describing=True) == {"--sigma", "--scale", "--mask", "--holes", "--kernel"} <= run
    of_methods = {
        f"--{option.name.replace('_', '-')}" for card in registry().cards(RestorerCard) for option in card.asks
    }
    assert of_methods <= run
    assert not run & (names(describing=False) - names(describing=True) - of_methods)
    assert names(describing=False) <= degrade
    mine = quick("--plugin", plugin, "degrade", "--help").stdout
    assert said(mine) - degrade == {"--fade-by", "--times", "--tone", "--chart"}
    assert "--tone [light|dark] For fade: what it becomes." in " ".join(mine.split())
    words = " ".join(mine.split())
    assert "For denoise: standard deviation of the noise, in levels of 255; or a file " in words
    assert "; for fade: never mind." in words
    assert said(quick("--plugin", plugin, "run", "--help").stdout) - run == {"--times"}


def test_the_list_of_tasks_names_their_options(quick, plugin):
    rows = [line.split("\t") for line in quick("--plugin", plugin, "tasks").stdout.splitlines()]
    listed = {row[0]: row[2] for row in rows}
    assert listed["task"] == "options"
    for card in registry().cards(TaskCard):
        assert listed[card.name].split() == [f"--{option.name}" for option in card.asks]
    assert listed["fade"] == "--fade-by --times --tone --chart --sigma"
    cards = json.loads(quick("tasks", "--json").stdout)
    asked = {card["name"]: card["asks"] for card in cards}
    assert asked["sr"] == [
        {
            "name": "scale",
            "help": "how many times larger the result is; 4 by default",
            "values": "whole",
            "tells": "",
            "describes": True,
        }
    ]


@pytest.mark.parametrize("option", [("--sigma", 51), ("--set", "task.sigma=51"), ("--sigma", "51.0")])
def test_the_noise_reaches_the_method(loud, tmp_path, option):
    assert loud("denoise", "--set", "say=sigma", *option).returncode == 0
    assert float((read(tmp_path / "out.png").pixels - 0.2).abs().max()) < 1e-6


def test_noise_that_is_a_range_or_not_told_is_not_known(loud, tmp_path):
    assert loud("denoise", "--set", "say=sigma").returncode == 0
    assert float(read(tmp_path / "out.png").pixels.max()) == 0
    refused = loud("denoise", "--set", "say=sigma", "--sigma", "5,50")
    assert refused.returncode == 1 and "is one number or a map, not between 5 and 50" in one_line(refused)


def test_the_kernel_reaches_the_method(loud, tmp_path):
    kernel = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    kernel = kernel / kernel.max()
    write(Picture(pixels=kernel[None, None], bits=16), tmp_path / "kernel.png")
    assert loud("deblur", "--set", "say=operator", "--kernel", "kernel.png").returncode == 0
    expected = Convolution((kernel / kernel.sum())[None, None])(read(tmp_path / "photo.png").pixels)
    assert float((read(tmp_path / "out.png").pixels - expected).abs().max()) < 1 / 255
    assert loud("deblur", "--set", "say=operator").returncode == 0
    assert torch.equal(read(tmp_path / "out.png").pixels, read(tmp_path / "photo.png").pixels), "unknown without"


@pytest.mark.parametrize(("option", "scale"), [((), 4), (("--scale", 2), 2), (("--set", "task.scale=3"), 3)])
def test_an_enlarged_picture_has_the_scale_times_its_size_and_alpha_too(loud, tmp_path, option, scale):
    alpha = (torch.arange(30) < 15).float().expand(1, 1, 21, 30)
    write(Picture(pixels=picture(21, 30, bits=16).pixels, alpha=alpha, bits=16), tmp_path / "photo.png")
    assert loud("sr", "--set", "say=y", *option).returncode == 0
    result, seen = read(tmp_path / "out.png"), filled(read(tmp_path / "photo.png"))
    assert result.pixels.shape == (1, 3, 21 * scale, 30 * scale)
    expected = Resampling(scale, (21, 30))(seen.pixels).clamp(0, 1)
    assert float((result.pixels - expected).abs().max()) < 1e-4
    assert result.alpha.shape == (1, 1, 21 * scale, 30 * scale)
    assert float(result.alpha[..., : 14 * scale].min()) == 1 and float(result.alpha[..., 16 * scale :].max()) == 0


def a_mask(tmp_path, name="mask.png", row=2, size=(21, 30)):
    """Write a mask that lacks one row; return where the picture is known, `h w`."""
    mask = torch.ones(1, 1, *size)
    mask[..., row, :] = 0
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write(Picture(pixels=mask), tmp_path / name)
    return mask[0, 0] == 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_known_pixels_come_back_bit_for_bit_and_holes_from_the_method(loud, tmp_path, bits, channels):
    write(Picture(pixels=picture(21, 30, bits=bits).pixels[:, :channels], bits=bits), tmp_path / "photo.png")
    known = a_mask(tmp_path)
    done = loud("inpaint", "--mask", "mask.png", "--tile", "0", "--precision", "fp32")
    assert (done.returncode, done.stderr) == (0, "")
    before, after = read(tmp_path / "photo.png"), read(tmp_path / "out.png")
    assert after.bits == bits and after.pixels.shape == before.pixels.shape
    assert torch.equal(after.pixels[..., known], before.pixels[..., known])
    assert not after.pixels[..., ~known].any(), "the negative of the white that stands in holes"


def test_a_mask_may_show_holes_in_white(loud, tmp_path):
    known = a_mask(tmp_path)
    assert loud("inpaint", "--mask", "mask.png", "--holes", "white").returncode == 0
    before, after = read(tmp_path / "photo.png").pixels, read(tmp_path / "out.png").pixels
    assert torch.equal(after[..., ~known], before[..., ~known])
    assert not after[..., known].any()


def test_transparent_pixels_are_holes_and_what_was_filled_is_opaque(loud, tmp_path):
    alpha = torch.ones(1, 1, 21, 30)
    alpha[..., 5, :7] = torch.arange(7) / 255
    write(Picture(pixels=picture(21, 30).pixels, alpha=alpha), tmp_path / "photo.png")
    assert loud("inpaint").returncode == 0
    before, after = read(tmp_path / "photo.png"), read(tmp_path / "out.png")
    assert after.alpha is None
    known = before.alpha[0, 0] == 1
    assert int(known.sum()) == 21 * 30 - 7
    assert torch.equal(after.pixels[..., known], before.pixels[..., known])
    assert not after.pixels[..., ~known].any()


def test_transparency_that_does_not_mark_the_holes_is_kept(loud, tmp_path):
    alpha = torch.full((1, 1, 21, 30), 51 / 255)
    write(Picture(pixels=picture(21, 30).pixels, alpha=alpha), tmp_path / "photo.png")
    a_mask(tmp_path)
    assert loud("inpaint", "--mask", "mask.png").returncode == 0
    assert torch.equal(read(tmp_path / "out.png").alpha, alpha)


WRONG = {
    ("inpaint",): "where are the holes? Give --mask FILE",
    ("inpaint", "--mask", "small.png"): "the mask small.png is 4x3, the picture 30x21; make them one size",
    ("inpaint", "--mask", "missing.png"): "missing.png: No such file",
    ("inpaint", "--mask", "photo.txt"): "photo.txt is not a picture that can be read",
    ("inpaint", "--mask", "empty"): "empty holds no pictures",
    ("inpaint", "--mask", "mask.png", "--holes", "grey"): "option 'holes' does not fit: 'grey' is not one of ",
    ("inpaint", "--sigma", "5"): "task 'inpaint' has no option 'sigma'; it belongs to denoise, fade",
    ("denoise", "--mask", "mask.png"): "task 'denoise' has no option 'mask'; it belongs to inpaint",
    ("derain", "--scale", "2"): "task 'derain' has no option 'scale'; it belongs to sr",
    ("derain", "--set", "task.scale=2"): "task 'derain' has no option 'scale'; it belongs to sr",
    ("denoise", "--set", "task.sgima=5"): "task 'denoise' has no option 'sgima'; did you mean 'sigma'?",
    ("denoise", "--set", "sigma=5"): "method 'loud' has no option 'sigma'",
    ("denoise", "--sigma", "loud"): "'loud' is not a number",
    ("denoise", "--sigma", "999"): "sigma must be a number or two, 0 <= least <= most <= 255",
    ("denoise", "--set", 'task.sigma="5"'): "5: No such file",
    ("denoise", "--thickness", "1"): "No such option",
    ("sr", "--scale", "99"): "scale must be from 2 to 16, not 99",
    ("sr", "--scale", "1.5"): "'1.5' is not a whole number",
    ("deblur", "--kernel", "photo.txt"): "photo.txt is not a picture that can be read",
    ("deblur", "--kernel", "kernels.npz"): "kernels.npz: No such file",
    ("deblur", "--kernel", ""): "Invalid value for '--kernel': it is empty, as by a variable that is not set",
    ("inpaint", "--mask", ""): "Invalid value for '--mask': it is empty, as by a variable that is not set",
    ("inpaint", "--set", "task.mask="): "--mask is empty, as by a variable that is not set; name a file",
    ("denoise", "--sigma", ""): "'' is not a number, nor several as in 5,50, nor a file that is there",
}


def test_what_is_wrong_is_one_line_each_and_nothing_is_written(loud, tmp_path):
    a_mask(tmp_path, "small.png", size=(3, 4))
    a_mask(tmp_path)
    (tmp_path / "photo.txt").write_text("no picture")
    (tmp_path / "empty").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    for arguments, message in WRONG.items():
        assert message in one_line(loud(*arguments)), arguments
        assert sorted(path.name for path in tmp_path.iterdir()) == before, arguments


def test_an_opaque_picture_has_no_holes(loud, tmp_path):
    write(Picture(pixels=picture(21, 30).pixels, alpha=torch.ones(1, 1, 21, 30)), tmp_path / "photo.png")
    assert "where are the holes?" in one_line(loud("inpaint"))


def lost_rows(folder) -> dict[str, list[int]]:
    return {
        path.name.split(".")[0]: (read(path).pixels[0, 0] == 0).all(dim=1).nonzero().flatten().tolist()
        for path in sorted(folder.glob("*.png"))
    }


def test_a_folder_of_masks_in_the_folder_of_pictures_is_matched_by_name(loud, tmp_path):
    for seed, name in enumerate(("a", "b", "c")):
        (tmp_path / "in").mkdir(exist_ok=True)
        write(Picture(pixels=picture(21, 30, seed).pixels * 0.5 + 0.25), tmp_path / "in" / f"{name}.png")
        a_mask(tmp_path / "in", f"masks/{name}.png", row=3 + seed)
    done = loud("inpaint", "--mask", "in/masks", images=("in",), output="out/")
    assert done.stdout.splitlines() == ["out/a.png", "out/b.png", "out/c.png"], "masks are no pictures to restore"
    assert lost_rows(tmp_path / "out") == {"a": [3], "b": [4], "c": [5]}
    (tmp_path / "in" / "masks" / "b.png").rename(tmp_path / "in" / "masks" / "z.png")
    (tmp_path / "in" / "masks" / "a.png").rename(tmp_path / "in" / "masks" / "a0.png")
    assert loud("inpaint", "--mask", "in/masks", images=("in/b.png",), output="one/").returncode == 0
    assert lost_rows(tmp_path / "one") == {"b": [3]}, "or else by its place"
    (tmp_path / "in" / "masks" / "a0.png").rename(tmp_path / "in" / "masks" / "a.png")
    done = loud("inpaint", "--mask", "in/masks", images=("in",), output="two/")
    assert lost_rows(tmp_path / "two") == {"a": [3], "c": [5]}, "no picture gets the mask of another"
    wrong = "no --mask for in/b.png: none is called b, and in/masks/c.png goes with in/c.png"
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, f"error: {wrong}")


def test_a_mask_that_does_not_fit_fails_its_picture_only(loud, tmp_path):
    for name, size in {"a": (21, 30), "b": (9, 9), "c": (21, 30)}.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        write(picture(*size), tmp_path / "in" / f"{name}.png")
    a_mask(tmp_path)
    done = loud("inpaint", "--mask", "mask.png", images=("in",), output="out/")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["out/a.png", "out/c.png"]
    wrong = "the mask mask.png is 30x21, the picture 9x9; make them one size"
    assert done.stderr.splitlines()[0] == f"error: in/b.png: {wrong}"


def test_the_options_of_a_plugins_own_task_are_on_the_command_line(quick, loud, plugin, tmp_path):
    assert loud("fade", "--times", 51, "--set", "say=sigma").returncode == 0
    assert float((read(tmp_path / "out.png").pixels - 0.2).abs().max()) < 1e-6
    (tmp_path / "chart").write_text("102")
    degrade = ("--plugin", plugin, "degrade", "-t", "fade", "photo.png", "-o", "faded")
    options = ("--fade-by", "0.1,0.2", "--times", 3, "--tone", "light", "--chart", "chart", "--set", "hidden=true")
    done = quick(*degrade, *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert float((read(tmp_path / "faded/photo.png").pixels - 0.4).abs().max()) < 1e-6
    told = json.loads((tmp_path / "faded/photo.json").read_text())["options"]
    assert told == {"hidden": True, "fade_by": [0.1, 0.2], "times": 3, "tone": "light", "chart": "chart"}
    assert "option 'tone' does not fit" in one_line(quick(*degrade, "--tone", "grey", "--overwrite", cwd=tmp_path))
    assert "'two' is not a whole number" in one_line(quick(*degrade, "--times", "two", cwd=tmp_path))
    stranger = one_line(quick("--plugin", plugin, "degrade", "-t", "jpeg", "--tone", "dark", "x.png", "-o", "y"))
    assert "task 'jpeg' has no option 'tone'; it belongs to fade" in stranger


def test_what_is_observed_of_a_task_that_knows_nothing_is_its_picture_alone():
    x = picture().pixels
    rng = torch.Generator().manual_seed(1)
    seen = observe(make_task("jpeg", {"quality": 10}), x, rng)
    assert (seen.operator, seen.sigma, seen.measured) == (None, None, None)
    assert torch.equal(seen.y, make_task("jpeg", {"quality": 10})(x, torch.Generator().manual_seed(1)))
    assert describe(make_task("jpeg"), Picture(pixels=x)).y is x


def test_options_that_do_not_fit_are_told_before_any_picture_is_read():
    check_options("denoise", {"sigma": [5, 50], "kind": "mixed"})
    for task, options, message in (
        ("denoise", {"sigma": 300}, "sigma must be"),
        ("sr", {"scale": "loud"}, "does not fit"),
        ("denoise", {"mask": "x.png"}, "it belongs to inpaint"),
        ("nothing", {}, "no task is named 'nothing'"),
    ):
        with pytest.raises(RestorationError, match=message):
            check_options(task, options)


def test_a_file_stays_and_a_folder_becomes_the_file_of_its_picture(tmp_path):
    for name in ("b.png", "a.png", "sub/c.png"):
        a_mask(tmp_path, f"masks/{name}")
    folder = tmp_path / "masks"
    options = {"mask": str(folder), "holes": "white"}
    assert options_of("inpaint", options, tmp_path / "in" / "c.jpg", 0) == {**options, "mask": f"{folder}/sub/c.png"}
    places = [options_of("inpaint", options, None, place)["mask"] for place in range(4)]
    assert places == [f"{folder}/a.png", f"{folder}/b.png", f"{folder}/sub/c.png", f"{folder}/a.png"]
    assert options_of("inpaint", {"mask": "any.png"}, None, 0) == {"mask": "any.png"}
    assert options == {"mask": str(folder), "holes": "white"}


@pytest.mark.parametrize("command", ["run", "degrade", "score"])
def test_a_folder_of_masks_is_listed_once_for_all_pictures(quick, plugin, tmp_path, command):
    for name in ("a.png", "b.png", "c.png"):
        a_mask(tmp_path, f"masks/{name}")
        (tmp_path / "in").mkdir(exist_ok=True)
        write(picture(21, 30), tmp_path / "in" / name)
    (tmp_path / "masks/notes.txt").touch()
    how = ("-t", "inpaint", "--mask", "masks")
    rest = {
        "run": ("in", "-m", "loud", "-o", "out/", "--accept"),
        "degrade": ("in", "-o", "out/"),
        "score": ("-m", "loud", "--data", "in", "--metrics", "psnr"),
    }
    done = quick("--plugin", plugin, command, *how, *rest[command], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert notes == ["note: masks holds 1 files that are no pictures of a known format: .txt (1)"]


def test_a_finished_picture_keeps_what_was_known_whatever_the_method_says():
    before = Picture(pixels=picture().pixels, alpha=torch.full((1, 1, 24, 32), 0.5))
    mask = (torch.rand(1, 1, 24, 32, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    guess = picture(seed=1).pixels
    after = finished(before, Observation(y=before.pixels, operator=Masking(mask)), guess)
    known = mask.expand_as(guess) == 1
    assert torch.equal(after.pixels[known], before.pixels[known])
    assert torch.equal(after.pixels[~known], guess[~known])
    assert torch.equal(after.alpha, before.alpha)
    plain = finished(before, Observation(y=before.pixels), guess)
    assert torch.equal(plain.pixels, guess)


def test_a_task_alone_says_which_options_it_has():
    with pytest.raises(BadOption, match="has no option 'sgima'; did you mean 'sigma'"):
        make_task("denoise", {"sgima": 5})
