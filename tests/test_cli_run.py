"""`restore run`, as a process: files in, files out, one line for each thing that is wrong."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from forking import LITTLE_SPACE, start
from small import picture

from restoration.images import read, write
from restoration.picture import Picture

"""For processes that cannot write whole files: what they compiled would be cut, and break those after them."""
HOW = ("--method", "ir-sde", "--task", "derain")


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_a_picture_goes_in_and_its_path_comes_out(restore, weights, rainy):
    done = restore("run", rainy, *HOW, "--weights", weights)
    assert (done.returncode, done.stderr) == (0, "")
    target = rainy.with_name("rainy.restored.png")
    assert done.stdout == f"{target}\n"
    assert read(target).pixels.shape == read(rainy).pixels.shape
    assert not torch.equal(read(target).pixels, read(rainy).pixels)


def test_nothing_is_overwritten_unasked(restore, weights, rainy):
    target = rainy.with_name("rainy.restored.png")
    target.write_bytes(b"mine")
    refused = restore("run", rainy, *HOW, "--weights", weights)
    assert refused.returncode == 2
    assert "use --overwrite or --skip-existing" in one_line(refused.stderr)
    assert target.read_bytes() == b"mine"
    skipped = restore("run", rainy, *HOW, "--weights", weights, "--skip-existing")
    assert skipped.returncode == 0
    assert target.read_bytes() == b"mine"
    assert restore("run", rainy, *HOW, "--weights", weights, "--overwrite").returncode == 0
    assert read(target).pixels.shape == (1, 3, 24, 32)


def test_a_folder_goes_to_a_folder_with_its_sub_folders(restore, weights, tmp_path):
    for name in ("in/a.png", "in/sub/b.jpg", "in/IMG.restored.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(picture(), tmp_path / name)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    done = restore("run", tmp_path / "in", *HOW, "--weights", weights, "-o", f"{tmp_path}/out/", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    names = ("IMG.restored.png", "a.png", "sub/b.jpg")
    assert [line["output"] for line in lines] == [f"{tmp_path}/out/{name}" for name in names]
    assert done.stderr == "left alone: 1 other file (1 .txt)\ndone 3, skipped 0, failed 0\n"
    assert lines[0]["evaluations"] == 10
    assert {"seed", "device", "precision", "weights", "seconds", "tile", "size"} <= lines[0].keys()


def test_one_bad_picture_does_not_stop_the_others(restore, weights, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"no picture")
    write(picture(), tmp_path / "c.png")
    write(picture(200, 200), tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:5000])
    (tmp_path / "whole.png").unlink()
    names = ("a.png", "b.png", "c.png", "cut.png")
    done = restore("run", *(tmp_path / name for name in names), *HOW, "--weights", weights)
    assert done.returncode == 1
    assert done.stdout == f"{tmp_path}/c.restored.png\n"
    *errors, title, first, second, third, count = done.stderr.strip().splitlines()
    assert errors[0] == f"error: {tmp_path}/a.png is empty"
    assert "b.png is not a picture that can be read" in errors[1]
    assert "cut.png is damaged and cannot be read whole" in errors[2]
    assert title == "these failed:"
    assert [f"error:{line[1:]}" for line in (first, second, third)] == errors
    assert count == "done 1, skipped 0, failed 3"
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png", "c.png", "c.restored.png", "cut.png"]


def test_stdin_and_stdout_are_a_pipe(restore, weights, rainy):
    done = restore("run", "-", *HOW, "--weights", weights, input=rainy.read_bytes(), text=False)
    assert done.returncode == 0, done.stderr
    assert read(done.stdout).pixels.shape == (1, 3, 24, 32)


def test_a_template_names_the_results(restore, weights, rainy):
    done = restore("run", rainy, *HOW, "--weights", weights, "-o", f"{rainy.parent}/{{name}}.{{method}}.tif")
    assert done.stdout == f"{rainy.parent}/rainy.ir-sde.tif\n"
    wrong = restore("run", rainy, *HOW, "-o", "{nme}.png")
    assert wrong.returncode == 2
    assert "{name}, {ext}, {method} and {task}" in one_line(wrong.stderr)


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (1, 300)])
def test_tiny_and_thin_pictures_work(restore, weights, tmp_path, size):
    write(picture(*size), tmp_path / "tiny.png")
    done = restore("run", tmp_path / "tiny.png", *HOW, "--weights", weights)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "tiny.restored.png").pixels.shape[-2:] == size


def test_depth_grey_and_alpha_survive(restore, weights, tmp_path):
    grey = picture(bits=16)
    alpha = torch.rand(1, 1, 24, 32).mul(65535).round() / 65535
    write(Picture(pixels=grey.pixels[:, :1], alpha=alpha, bits=16), tmp_path / "deep.png")
    assert restore("run", tmp_path / "deep.png", *HOW, "--weights", weights).returncode == 0
    result = read(tmp_path / "deep.restored.png")
    assert result.bits == 16
    assert result.pixels.shape == (1, 1, 24, 32)
    assert torch.equal(result.alpha, alpha)


def test_the_same_seed_gives_the_same_bytes_and_windows_the_same_picture(restore, weights, tmp_path):
    write(picture(200, 300), tmp_path / "in.png")
    for name, more in {"a": (), "b": (), "c": ("--tile", "128"), "d": ("--seed", "1")}.items():
        sampler = ("--sampler", "posterior", "--precision", "fp32")
        done = restore(
            "run", tmp_path / "in.png", *HOW, "--weights", weights, *sampler, *more, "-o", tmp_path / f"{name}.png"
        )
        assert done.returncode == 0, done.stderr
    a, b, c, d = ((tmp_path / f"{name}.png").read_bytes() for name in "abcd")
    assert a == b
    assert a != d
    assert float((read(a).pixels - read(c).pixels).abs().max()) <= 1.01 / 255


def test_a_report_shows_before_and_after(restore, weights, rainy):
    page = rainy.with_name("page <1>.html")
    done = restore("run", rainy, *HOW, "--weights", weights, "--report", page)
    assert done.stdout.splitlines() == [str(rainy.with_name("rainy.restored.png")), str(page)]
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 2
    assert "http" not in text.replace("http-equiv", ""), "the page must be complete in itself"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(restore, weights, rainy):
    done = restore("run", rainy, *HOW, "--weights", weights, "--dry-run")
    assert done.returncode == 0
    assert f"{rainy} -> {rainy.with_name('rainy.restored.png')}" in done.stdout
    assert os.listdir(rainy.parent) == ["rainy.png"]


WRONG = {
    ("--method", "ir-sd", "--task", "derain"): "no method is named 'ir-sd'; did you mean 'ir-sde'?",
    ("--method", "ir-sde", "--task", "derian"): "no task is named 'derian'; did you mean 'derain'?",
    (*HOW, "--weights", "ir-sde/derainn"): "is not in the Hub's cache on this machine, and --offline was given",
    (*HOW, "--sampler", "dim"): "no sampler is named 'dim'; did you mean 'ddim'?",
    (*HOW, "--device", "cuda:77"): "device 'cuda:77' cannot be used here",
    (*HOW, "--device", "gpu"): "device must be auto, cpu, cuda, cuda:1 or mps, not 'gpu'",
    (*HOW, "--precision", "fp8"): "precision must be auto, fp32, bf16, fp16, not 'fp8'",
    (*HOW, "--tile", "7"): "a side of at least 64 pixels",
    (*HOW, "--set", "stps=3"): "method 'ir-sde' has no option 'stps'; did you mean 'steps'?",
    (*HOW, "--set", "steps=many"): "option 'steps' does not fit",
    (*HOW, "--steps", "0"): "0 is below 1",
}


@pytest.mark.parametrize("arguments", WRONG, ids=lambda arguments: " ".join(arguments[-2:]))
def test_wrong_usage_is_one_line_and_exit_code_2(restore, weights, rainy, arguments):
    more = () if "--weights" in arguments else ("--weights", weights)
    done = restore("run", rainy, *arguments, *more, "--offline")
    assert done.returncode == 2
    assert WRONG[arguments] in one_line(done.stderr)
    assert done.stdout == ""
    assert os.listdir(rainy.parent) == ["rainy.png"]


def test_without_a_task_there_must_be_weights_that_say_it(restore, weights, rainy):
    done = restore("run", rainy, "--method", "ir-sde", "--offline")
    assert done.returncode == 2
    assert "Missing option '-t' / '--task'; or name weights of your own" in one_line(done.stderr)
    assert restore("run", rainy, "--method", "ir-sde", "--weights", weights, "--dry-run").returncode == 0


def test_weights_for_another_task_are_refused(restore, weights, rainy):
    done = restore("run", rainy, "--method", "ir-sde", "--task", "denoise", "--weights", weights)
    assert done.returncode == 2
    assert "holds weights for --method ir-sde --task derain" in one_line(done.stderr)


def test_a_recipe_changed_by_hand_is_refused(restore, weights, rainy, tmp_path):
    import shutil

    changed = tmp_path / "changed"
    shutil.copytree(weights, changed)
    config = changed / "config.json"
    config.write_text(config.read_text().replace('"max_sigma": 10.0', '"max_sigma": 50.0'))
    done = restore("run", rainy, *HOW, "--weights", changed)
    assert done.returncode == 2
    assert "max_sigma = 50.0, but its weights were trained with 10.0" in one_line(done.stderr)


def test_an_input_is_never_written_over(restore, weights, rainy):
    done = restore("run", rainy, *HOW, "--weights", weights, "-o", rainy, "--overwrite")
    assert done.returncode == 2
    assert "would be written over itself" in one_line(done.stderr)


def test_two_results_never_share_a_place_and_the_others_are_made(restore, weights, tmp_path):
    for name in ("a/x.png", "b/x.png", "b/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(picture(), tmp_path / name)
    how = (*HOW, "--weights", weights, "-o", "out/")
    done = restore("run", "a/x.png", "b/x.png", *how, cwd=tmp_path)
    assert done.returncode == 2
    assert "a/x.png and b/x.png would both become out/x.png" in one_line(done.stderr)
    done = restore("run", "a/x.png", "b/x.png", "b/y.png", *how, "--json", cwd=tmp_path)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["input"], line.get("output")) for line in lines] == [
        ("a/x.png", None),
        ("b/x.png", None),
        ("b/y.png", "out/y.png"),
    ]
    assert "would both become" in lines[0]["error"]
    hint = done.stderr.splitlines()[0].partition("use -o ")[2].strip('"')
    done = restore("run", "a/x.png", "b/x.png", "b/y.png", *how[:-1], hint, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.split() == ["out/a/x.png", "out/b/x.png", "out/b/y.png"]


def test_a_folder_that_cannot_be_made_fails_that_picture_only(restore, weights, rainy):
    blocker = rainy.with_name("blocker")
    blocker.write_text("a file where a folder should be")
    done = restore("run", rainy, *HOW, "--weights", weights, "-o", f"{blocker}/out/")
    assert done.returncode == 1
    assert "cannot make" in one_line(done.stderr)


def test_a_full_disk_is_one_line_and_leaves_no_part_of_a_file(restore, weights, tmp_path):
    write(picture(128, 128), tmp_path / "in.png")
    done = restore("run", tmp_path / "in.png", *HOW, "--weights", weights, first=LITTLE_SPACE)
    assert done.returncode == 1
    assert "cannot write" in one_line(done.stderr)
    assert os.listdir(tmp_path) == ["in.png"]


def test_ctrl_c_in_a_batch_keeps_what_is_done_and_exits_with_130(weights, tmp_path):
    for index in range(30):
        write(picture(96, 96, index), tmp_path / f"{index:02}.png")
    command = ["-m", "restoration", "run", tmp_path, *HOW, "--weights", weights]
    process = start(*command, "--steps", "50", "-o", f"{tmp_path}/out/")
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    *_, count, last = filter(None, errors.splitlines())
    assert last == "interrupted"
    written = sorted(os.listdir(tmp_path / "out"))
    assert 0 < len(written) < 30
    assert count.startswith("done ") and count.endswith(
        f", skipped 0, failed 0, left {30 - int(count.split()[1][:-1])}"
    )
    assert [first, *rest.splitlines()] == [f"{tmp_path}/out/{name}" for name in written]
    for name in written:
        assert read(tmp_path / "out" / name).pixels.shape == (1, 3, 96, 96)


def test_out_of_memory_fails_that_picture_only(restore, tmp_path):
    (tmp_path / "greedy.py").write_text(
        "from restoration import RestorerCard, hookimpl\n"
        "class Greedy:\n"
        "    def __call__(self, observation, rng):\n"
        "        if observation.y.shape[-1] > 50:\n"
        "            raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory')\n"
        "        yield observation.y\n"
        "@hookimpl\n"
        "def register_restorers():\n"
        "    yield RestorerCard(name='greedy', factory='greedy:Greedy', summary='x', needs_weights=False)\n"
    )
    write(picture(24, 64), tmp_path / "large.png")
    write(picture(24, 32), tmp_path / "small.png")
    inputs = [tmp_path / "large.png", tmp_path / "small.png"]
    done = restore("--plugin", tmp_path / "greedy.py", "run", *inputs, "--method", "greedy", "--task", "denoise")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {inputs[0]}: out of memory") and done.stderr.endswith(
        "done 1, skipped 0, failed 1\n"
    )
    assert done.stdout == f"{tmp_path}/small.restored.png\n"


def test_a_plugin_of_one_file_works_for_one_run(restore, rainy, tmp_path):
    (tmp_path / "negative.py").write_text(
        "from restoration import RestorerCard, hookimpl\n"
        "class Negative:\n"
        "    def __call__(self, observation, rng):\n"
        "        yield 1 - observation.y\n"
        "@hookimpl\n"
        "def register_restorers():\n"
        "    yield RestorerCard(name='negative', factory='negative:Negative', summary='x', needs_weights=False)\n"
    )
    run = ("run", rainy, "--method", "negative", "--task", "denoise", "-o", tmp_path / "out.png")
    assert restore("--plugin", tmp_path / "negative.py", *run).returncode == 0
    assert torch.allclose(read(tmp_path / "out.png").pixels, 1 - read(rainy).pixels, atol=1e-6)
    assert restore(*run).returncode == 2


CARELESS = """
import torch
from restoration import RestorerCard, hookimpl


class Careless:
    def __call__(self, observation, rng):
        yield torch.nn.functional.{mistake}


@hookimpl
def register_restorers():
    yield RestorerCard(name="careless", factory='careless:Careless', summary='x', needs_weights=False)
"""


def careless(restore, rainy, tmp_path, mistake):
    (tmp_path / "careless.py").write_text(CARELESS.format(mistake=mistake))
    return restore("--plugin", tmp_path / "careless.py", "run", rainy, "--method", "careless", "--task", "denoise")


def test_an_error_says_whose_code_it_came_out_of(restore, rainy, tmp_path):
    done = careless(restore, rainy, tmp_path, "relu(observation.y).view(7)")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith("(a fault of the plugin careless; --debug shows where)\n")


def test_an_answer_that_is_no_picture_is_named_with_its_method(restore, rainy, tmp_path):
    done = careless(restore, rainy, tmp_path, "relu(observation.y)[0, 0, 0]")
    assert done.returncode != 0 and len(done.stderr.splitlines()) == 1
    assert (
        "method 'careless' of the plugin careless gave" in done.stderr
        and not (tmp_path / "rainy.restored.png").exists()
    )


def test_a_quality_that_changes_nothing_is_told(restore, weights, rainy):
    how = ("run", rainy, *HOW, "--weights", weights, "--dry-run", "--jpeg-quality", 80)
    assert "note: --jpeg-quality changes nothing here" in restore(*how).stderr
    assert "note" not in restore(*how, "--format", "webp").stderr
