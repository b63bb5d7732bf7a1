"""The folder of a training holds nothing of others, is its own alone, and its record tells what was done."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from msgspec.structs import replace
from small import SMALL, picture

from restoration.errors import BadOption, BadPicture, RestorationError
from restoration.images import write
from restoration.recipe import Part, default_recipe
from restoration.training.folder import claimed
from restoration.training.loop import train
from restoration.training.records import CHECKPOINT, LOG, PREVIEW
from restoration.training.settings import Training
from restoration.weights import CARD, CONFIG, FILES, MODEL, Folder

QUICK = Training(
    steps=4, batch=1, patch=16, held_out=1, validate_every=2, checkpoint_every=2, precision="fp32", workers=0
)


def small(method="regression", task="derain"):
    return replace(default_recipe(method, task), network=Part("nafnet-compact", SMALL))


def others(folder, number=3):
    """Make a folder of other pictures."""
    folder.mkdir()
    for seed in range(number):
        write(picture(40, 48, 100 + seed), folder / f"other-{seed}.png")
    return folder


def contents(folder):
    """Return what a folder holds, by name; TensorBoard's files are left out."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def stopped_after(step):
    """Return an observer that ends a training."""

    def observe(progress):
        if progress.step == step:
            raise Stopped

    return observe


class Stopped(Exception):
    pass


def test_a_finished_training_is_not_rewritten_by_the_same_command_with_other_data(pictures, tmp_path):
    out = tmp_path / "out"
    train(small(), pictures, out, QUICK)
    before, times = contents(out), {path: path.stat().st_mtime_ns for path in out.iterdir()}
    other = others(tmp_path / "other")
    for data, settings, more, why in (
        (other, QUICK, {}, "a finished training, which did not have other pictures; ask for more --steps"),
        (pictures, replace(QUICK, lr=1e-5), {}, "did not have --lr 1e-05"),
        (pictures, QUICK, {"validation": other}, "--held-out 1, not 0"),
    ):
        with pytest.raises(BadOption, match=why):
            train(small(), data, out, settings, **more)
        assert contents(out) == before
    judged, judges = tmp_path / "judged", tmp_path / "judges"
    judges.mkdir()
    write(picture(40, 48, 200), judges / "judge.png")
    train(small(), pictures, judged, QUICK, validation=judges)
    with pytest.raises(BadOption, match="finished with other pictures for validation"):
        train(small(), pictures, judged, QUICK, validation=other)
    train(small(), pictures, out, QUICK)
    assert contents(out) == before
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == times


def test_a_training_that_goes_on_with_other_data_says_so_in_its_record(pictures, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Stopped):
        train(small(), pictures, out, QUICK, observe=stopped_after(2))
    train(small(), others(tmp_path / "other"), out, QUICK)
    record = Folder(path=out, origin="").recipe().training
    assert record["data"] == "other"
    assert record["changes"] == [{"step": 2, "data": pictures.name, "pictures": 3}]
    assert f"Until step 2 some settings were others: `data` {pictures.name}, `pictures` 3." in (out / CARD).read_text()


@pytest.mark.parametrize("name", [*FILES, PREVIEW, LOG, "curves.svg"])
def test_files_of_others_are_not_written_over(pictures, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_bytes(b"mine")
    with pytest.raises(BadOption, match=f"{name} is not of this training"):
        train(small(), pictures, out, QUICK)
    assert contents(out) == {name: b"mine"}


def test_a_checkpoint_of_another_program_is_not_written_over(pictures, tmp_path):
    import torch

    for mine in ([1, 2], {"state_dict": torch.zeros(3)}):
        torch.save(mine, tmp_path / CHECKPOINT)
        before = contents(tmp_path)
        with pytest.raises(RestorationError, match="choose another --out"):
            train(small(), pictures, tmp_path, QUICK)
        assert contents(tmp_path) == before


def test_weights_of_another_recipe_are_not_written_over_finished_or_not(pictures, tmp_path, weights):
    done = shutil.copytree(weights, tmp_path / "done")
    with pytest.raises(BadOption, match="holds weights already"):
        train(small(), pictures, done, QUICK)
    begun = tmp_path / "begun"
    early = replace(QUICK, checkpoint_every=4)
    with pytest.raises(Stopped):
        train(small(), pictures, begun, early, observe=stopped_after(3))
    before = contents(begun)
    assert CHECKPOINT not in before
    with pytest.raises(BadOption, match="another recipe"):
        train(small("ir-sde"), pictures, begun, early)
    with pytest.raises(BadOption, match="begun with --batch 1, not 2"):
        train(small(), pictures, begun, replace(early, batch=2))
    assert contents(begun) == before
    train(small(), pictures, begun, replace(early, lr=1e-4))  # as the error of a loss that is not finite advises
    assert Folder(path=begun, origin="").recipe().training["lr"] == 1e-4


def test_results_in_the_folder_of_the_pictures_are_no_pictures(pictures, tmp_path):
    data = shutil.copytree(pictures, tmp_path / "data")
    (tmp_path / "link").symlink_to(data)
    for out in (data, tmp_path / "link", data / ".." / "data"):
        with pytest.raises(BadOption, match="is the folder of the pictures"):
            train(small(), data, out, QUICK)
    assert contents(data) == contents(pictures)
    inside = data / "weights"
    train(small(), data, inside, QUICK)
    assert (inside / PREVIEW).exists()
    train(small(), data, inside, replace(QUICK, steps=6))
    record = Folder(path=inside, origin="").recipe().training
    assert record["pictures"] == 3
    assert [change for change in record["changes"] if "data" in change] == []


def test_only_one_training_at_a_time_has_a_folder(pictures, tmp_path):
    out = tmp_path / "out"
    with claimed(out, small(), QUICK), pytest.raises(BadOption, match="another training is writing to"):
        train(small(), pictures, out, QUICK)
    assert not out.exists()


def test_a_killed_process_leaves_no_lock_behind(pictures, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    hold = "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_EX); "
    hold += "print(1, flush=True); time.sleep(99)"
    with subprocess.Popen([sys.executable, "-c", hold, str(out)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BadOption, match="another training"):
            train(small(), pictures, out, QUICK)
        process.send_signal(signal.SIGKILL)
    train(small(), pictures, out, QUICK)
    number = os.open(out, os.O_RDONLY)
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(number)
    assert {*FILES, CHECKPOINT} <= set(contents(out))


def test_a_training_that_was_killed_anywhere_is_begun_again(pictures, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for left in ({LOG: b""}, {LOG: b'{"st'}, {LOG: b'{"step": 2, "loss": 1}\n', PREVIEW: b"", MODEL: b""}):
        for name, data in left.items():
            (out / name).write_bytes(data)
        with claimed(out, small(), QUICK):
            pass
    train(small(), pictures, out, QUICK)
    assert (out / CONFIG).exists()


def test_a_pair_of_unequal_size_is_met_before_the_first_step(tmp_path):
    for side in ("GT", "LQ"):
        (tmp_path / "set" / side).mkdir(parents=True)
        for number in range(1100):
            target = tmp_path / "set" / side / f"{number:04}.png"
            uneven = side == "LQ" and number == 777
            with suppress(FileExistsError):
                source = tmp_path / ("uneven.png" if uneven else "even.png")
                if not source.exists():
                    write(picture(32, 30 if uneven else 32), source)
                os.link(source, target)
    seen = []
    with pytest.raises(BadPicture, match=r"a pair has different sizes: .*0777.png is 32x32, .*0777.png is 30x32"):
        train(small(), tmp_path / "set", tmp_path / "out", replace(QUICK, held_out=0), observe=seen.append)
    assert seen == []
    assert not (tmp_path / "out").exists()


def test_what_is_left_out_is_counted_and_said(pictures, tmp_path, caplog):
    data = shutil.copytree(pictures, tmp_path / "data")
    for name in ("a.psd", "b.psd", "c.cr2"):
        (data / name).write_bytes(b"?")
    write(picture(8, 40), data / "narrow.png")
    with caplog.at_level("INFO", logger="restoration"):
        train(small(), data, tmp_path / "out", replace(QUICK, held_out=0))
    assert "data holds 3 files that are no pictures of a known format: .psd (2), .cr2 (1)" in caplog.text
    assert "1 of 5 pictures are smaller than a patch of 16x16 and are left out" in caplog.text
    assert Folder(path=tmp_path / "out", origin="").recipe().training["pictures"] == 4


def test_the_licence_is_what_was_said_and_nothing_by_default(restore, pictures, tmp_path):
    words = ["train", "regression", "-t", "derain", "--data", pictures, "--set", "network.width=8", "--steps", "1"]
    words += ["--batch", "1", "--patch", "16", "--held-out", "1", "--threads", "1", "-q", "--out"]
    for name, more in (("plain", ()), ("licensed", ("--license", "cc-by-nc-4.0"))):
        done = restore(*words, tmp_path / name, *more)
        assert done.returncode == 0, done.stderr
        card, record = (tmp_path / name / CARD).read_text(), Folder(path=tmp_path / name, origin="").recipe().training
        assert ("\nlicense: cc-by-nc-4.0\n" in card) == ("`cc-by-nc-4.0`" in card) == bool(more)
        assert record.get("license") == (more[1] if more else None)
    again = restore(*words, tmp_path / "plain", "--license", "mit")
    assert again.returncode == 0
    assert "\nlicense: mit\n" in (tmp_path / "plain" / CARD).read_text()
    wrong = restore(*words, tmp_path / "new", "--license", "a\nb")
    assert wrong.returncode == 2
    assert "is not the name of a licence" in wrong.stderr


def test_a_model_card_that_somebody_edited_stays_as_it_is(pictures, tmp_path, caplog):
    out = tmp_path / "out"
    train(small(), pictures, out, QUICK)
    written = (out / CARD).read_text()

    train(small(), pictures, out, replace(QUICK, steps=6))
    assert (out / CARD).read_text() != written and not caplog.records

    (out / CARD).write_text("# My weights\n")
    train(small(), pictures, out, replace(QUICK, steps=8))
    assert (out / CARD).read_text() == "# My weights\n"
    assert Folder(path=out, origin="out").recipe().training["steps"] == 8
    assert [record.getMessage() for record in caplog.records] == [
        f"{out / CARD} was edited, or is of another version: it is left as it is"
    ]
