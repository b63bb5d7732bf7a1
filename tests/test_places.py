"""What a command is going to do with its arguments: inputs, the names of results, and what is refused before work."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import click
import pytest
from small import picture

from restoration.cli.inputs import find
from restoration.cli.places import Places
from restoration.cli.plan import plan
from restoration.cli.preview import MARK
from restoration.degradation import files_beside
from restoration.images import write


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def files(*paths: str) -> None:
    for path in paths:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        Path(path).write_bytes(b"x")


def planned(*arguments: str, output: str | None = None, **more: object):
    return plan(arguments, Places(output, "ir-sde", "derain"), **more)


def results(*arguments: str, output: str | None = None) -> dict[str | None, str | None]:
    return {job.source: job.target for job in planned(*arguments, output=output).jobs}


def test_results_lie_beside_their_pictures_or_below_a_folder_as_they_were():
    files("A/x.PNG", "A/s/y.jpg", "B/x.png")
    assert results("A/x.PNG") == {"A/x.PNG": "A/x.restored.png"}
    assert results("A") == {"A/s/y.jpg": "A/s/y.restored.jpg", "A/x.PNG": "A/x.restored.png"}
    assert results("A", output="o/") == {"A/s/y.jpg": "o/s/y.jpg", "A/x.PNG": "o/x.png"}
    assert results("A/x.PNG", "A/s/y.jpg", output="o/") == {"A/x.PNG": "o/x.png", "A/s/y.jpg": "o/y.jpg"}
    assert results(".", output="o/")["B/x.png"] == "o/B/x.png"
    assert results("-", output="o/") == {None: "o/stdin.png"}
    assert results("-") == {None: None} and results("A/x.PNG", output="-") == {"A/x.PNG": None}
    assert results("B", output="one.png") == {"B/x.png": "one.png"}


def test_several_folders_keep_their_names_as_seen_from_what_they_have_in_common():
    files("2023/A/x.png", "2023/A/s/x.png", "2024/A/x.png")
    assert results("2023/A", "2024/A", output="o/") == {
        "2023/A/s/x.png": "o/2023/A/s/x.png",
        "2023/A/x.png": "o/2023/A/x.png",
        "2024/A/x.png": "o/2024/A/x.png",
    }
    assert results("2023/A", "2023/A/s", "2023/A/", output="o/") == {
        "2023/A/s/x.png": "o/s/x.png",
        "2023/A/x.png": "o/x.png",
    }, "each picture once"


def test_a_pattern_that_the_shell_left_alone_is_looked_up():
    files("A/x.png", "A/y.jpg", "A/[z].png", "B/s/x.png")
    assert list(results("A/*.png")) == ["A/[z].png", "A/x.png"]
    assert list(results("A/[z].png")) == ["A/[z].png"], "the file of that name"
    assert list(results("?")) == ["A/[z].png", "A/x.png", "A/y.jpg", "B/s/x.png"], "folders are gone through"


TEMPLATES = {
    "o/{name}-{method}{ext}": "o/s/x-ir-sde.jpg",
    "o/{method}/{name}{ext}": "o/ir-sde/s/x.jpg",
    "{name}/{task}.png": "s/x/derain.png",
    "o/{method}.png": "o/s/ir-sde.png",
    "o/{method}/": "o/ir-sde/s/x.jpg",
    "o/{folder}/{name}.tif": "o/A/s/x.tif",
    "{folder}/{name}.clean{ext}": "A/s/x.clean.jpg",
    "{{o}}/{name}{ext}": "{o}/s/x.jpg",
    "/tmp/{name}{ext}": "/tmp/s/x.jpg",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_name_results_and_keep_sub_folders_apart(template):
    files("A/s/x.jpg")
    assert results("A", output=template) == {"A/s/x.jpg": TEMPLATES[template]}


def test_a_folder_in_a_template_stays_below_what_it_is_put_into(tmp_path):
    files("A/x.png", "B/C/y.png")
    os.chdir("B/C")
    assert results("../../A", output="o/{folder}/{name}{ext}") == {"../../A/x.png": "o/A/x.png"}
    assert results("../../A", output="{folder}/{name}.new{ext}") == {"../../A/x.png": "../../A/x.new.png"}
    inside = f"o{tmp_path}/A/x.png"
    assert results(str(tmp_path / "A"), output="o/{folder}/{name}{ext}") == {f"{tmp_path}/A/x.png": inside}


@pytest.mark.parametrize(
    "template", ["{nme}.png", "{name.x}.png", "{name:5}.png", "{name!r}.png", "{}.png", "{name", "}"]
)
def test_a_template_with_anything_else_is_refused_with_what_there_is(template):
    with pytest.raises(click.UsageError, match=r"knows \{folder\}, \{name\}, \{ext\}, \{method\} and \{task\}"):
        Places(template, "ir-sde", "derain")


def test_a_folder_with_braces_is_a_folder_if_it_is_there():
    files("x.png", "My {pics}/old.txt")
    assert results("x.png", output="My {pics}/") == results("x.png", output="My {pics}") == {"x.png": "My {pics}/x.png"}


def test_what_lies_in_the_folder_of_results_is_not_taken_again():
    files("A/a.png", "A/s/b.png", "A/out/a.png", "A/out/s/old.png")
    made = planned("A", output="A/out/")
    assert [job.source for job in made.jobs] == ["A/a.png", "A/s/b.png"]
    assert made.notes == ["left alone: 2 pictures in the folder that results go to"]
    os.symlink("A/out", "link")
    assert [job.source for job in planned("A", output="link/").jobs] == ["A/a.png", "A/s/b.png"]
    assert len(planned("A/out", output="o/").jobs) == 2, "of another command they are pictures like others"


@pytest.mark.parametrize(
    "output", [None, "{folder}/{name}-new{ext}", "A/{name}.{method}{ext}", "A/{method}/{name}{ext}"]
)
def test_results_of_the_same_command_are_no_inputs(output):
    files("A/a.png", "A/s/b.JPG", "A/a.b.png")
    before = results("A", output=output)
    files(*before.values())
    made = planned("A", output=output)
    assert {job.source: job.target for job in made.jobs} == before
    assert all(job.there for job in made.jobs)
    assert "left alone: 3 files with names that this command gives to results" in made.notes
    made.settle(overwrite=True)
    assert len(made.jobs) == 3
    made.settle(overwrite=False, skip_existing=True)
    assert (len(made.jobs), len(made.skipped)) == (0, 3)


def test_results_of_another_method_are_known_by_a_template_with_its_name():
    files("A/a.png", "A/a.regression.png", "A/a.holiday.png")
    assert list(results("A", output="A/{name}.{method}{ext}")) == ["A/a.holiday.png", "A/a.png"]


def test_a_picture_that_is_merely_called_like_a_result_is_a_picture():
    files("A/IMG.restored.png", "A/b.png", "B/IMG.png", "B/IMG.restored.png", "C/a.preview.png")
    assert results("A")["A/IMG.restored.png"] == "A/IMG.restored.restored.png"
    assert len(results("B", output="o/")) == 2
    assert len(results("B/IMG.restored.png")) == 1
    assert len(results("C")) == 1


def test_a_result_named_among_the_inputs_is_skipped_or_kept_but_never_written_over():
    files("a.png", "a.restored.png", "b.png")
    made = planned("a.png", "a.restored.png", "b.png")
    made.settle(overwrite=False, skip_existing=True)
    assert [job.source for job in made.jobs] == ["b.png"]
    made = planned("a.png", "a.restored.png", "b.png")
    made.settle(overwrite=True)
    assert [job.source for job in made.jobs] == ["b.png"]
    assert made.refused == [("a.png", "a.png: its result a.restored.png is an input; leave it out")]


def test_the_preview_of_a_killed_process_is_no_input_and_is_cleared_and_a_users_own_stays():
    files("a.png", "b.png", "b.restored.preview.png")
    Path("a.restored.preview.png").write_bytes(b"PNG" + MARK)
    made = planned(".")
    assert [job.source for job in made.jobs] == ["a.png", "b.png", "b.restored.preview.png"]
    made.clear_leftovers()
    assert sorted(os.listdir()) == ["a.png", "b.png", "b.restored.preview.png"]


SAME = {"folder link": "L/", "detour": "S/../S/", "the folder": "S/", "file link": "f.png", "hard link": "h.png"}


@pytest.mark.parametrize("output", SAME.values(), ids=SAME)
def test_an_input_is_never_a_result_by_whatever_name(output):
    files("S/p.png")
    os.symlink("S", "L")
    os.symlink("S/p.png", "f.png")
    os.link("S/p.png", "h.png")
    with pytest.raises(click.UsageError, match=r"S/p\.png would be written over itself; choose another -o"):
        planned("S/p.png", output=output)
    with pytest.raises(click.UsageError, match="would be written over itself"):
        planned("S/../S/p.png", output=output)


def test_another_input_a_mask_and_a_device_are_never_results():
    files("a.jpg", "a.png", "b.png", "mask.png", "masks/b.png")
    made = planned("a.jpg", "a.png", "b.png", "-", output="{folder}/{name}.png")
    assert [job.target for job in made.jobs] == ["stdin.png"]
    assert made.refused[0][1] == "a.jpg: its result a.png is an input; choose another -o"
    with pytest.raises(click.UsageError, match=r"b\.png: its result mask\.png is an input"):
        planned("b.png", output="mask.png", files=["mask.png"])
    with pytest.raises(click.UsageError, match=r"b\.png: its result masks/b\.png lies in a folder of inputs"):
        planned("b.png", output="masks/", folders=["masks"])
    os.mkfifo("pipe.png")
    with pytest.raises(click.UsageError, match="is no regular file"):
        planned("b.png", output="pipe.png")
    os.mkdir("folder.png")
    with pytest.raises(click.UsageError, match="is a folder"):
        planned("b.png", output="{folder}/folder.png")


def test_a_link_to_nothing_counts_as_there():
    files("a.png")
    os.symlink("nowhere", "o.png")
    with pytest.raises(click.UsageError, match=r"o\.png is already there; use --overwrite or --skip-existing"):
        planned("a.png", output="o.png").settle(overwrite=False)


CLASHES = {
    ("A/x.png", "B/x.png", "A/y.png"): "o/",
    ("A/x.png", "A/x.jpg", "A/y.png"): "o/{name}.png",
    ("A/x.png", "B/x.png", "B/y.tif"): "{{o}}/{name}{ext}",
}


@pytest.mark.parametrize("inputs", CLASHES)
def test_only_inputs_with_one_result_are_refused_and_the_hint_works(inputs):
    files(*inputs)
    made = planned(*inputs, output=CLASHES[inputs])
    assert [job.source for job in made.jobs] == [inputs[2]]
    assert made.jobs[0].place == 2
    assert [name for name, _ in made.refused] == list(inputs[:2])
    assert made.refused[0][1].startswith(f"{inputs[0]} and {inputs[1]} would both become ")
    files(*(str(job.target) for job in made.jobs))
    hint = re.search(r"; use (-o .*)$", made.refused[0][1])
    assert hint is not None
    _, template, *skip = shlex.split(hint[1])
    again = planned(*inputs, output=template)
    again.settle(overwrite=False, skip_existing=bool(skip))
    assert again.refused == [] and {job.source for job in again.jobs} >= set(inputs[:2])


def test_where_all_inputs_have_one_result_nothing_is_done():
    files("A/x.png", "B/x.png")
    with pytest.raises(
        click.UsageError, match=r'would both become o/x\.png; use -o "o/\{folder\}/\{name\}\{ext\}" \(and 1'
    ):
        planned("A/x.png", "B/x.png", output="o/")
    with pytest.raises(click.UsageError, match=r"2 pictures cannot all go to one\.png; give a folder: -o DIR/"):
        planned("A", "B", output="one.png")


def test_names_that_differ_in_the_case_of_their_suffixes_keep_it():
    files("C/IMG_1.png", "C/IMG_1.PNG", "C/IMG_2.PNG")
    assert results("C", output="o/") == {
        "C/IMG_1.PNG": "o/IMG_1.PNG",
        "C/IMG_1.png": "o/IMG_1.png",
        "C/IMG_2.PNG": "o/IMG_2.png",
    }
    files(*map(str, results("C").values()))
    assert list(results("C")) == ["C/IMG_1.PNG", "C/IMG_1.png", "C/IMG_2.PNG"]


def test_names_that_a_file_system_takes_for_one_are_refused():
    files("A/x.png", "B/X.png")
    os.mkdir("Out")
    assert len(results("A/x.png", "B/X.png", output="Out/")) == 2
    os.symlink("Out", "oUT")  # what a file system that ignores case would show
    with pytest.raises(click.UsageError, match="would both become"):
        planned("A/x.png", "B/X.png", output="Out/")


def test_two_damaged_pictures_never_share_a_recipe():
    files("A/x.jpg", "A/x.tif", "A/y.webp")
    made = plan(["A"], Places("o/", "degrade", "jpeg", lossless=True), beside=files_beside)
    assert [(job.source, job.target, job.place) for job in made.jobs] == [("A/y.webp", "o/y.png", 2)]
    assert [name for name, _ in made.refused] == ["A/x.jpg", "A/x.tif"]


def test_names_that_are_too_long_and_formats_that_are_not_written_are_refused_alone():
    long = "z" * 251 + ".png"
    files("a.png", long)
    made = planned("a.png", long)
    assert [job.source for job in made.jobs] == ["a.png"]
    assert made.refused[0][1].endswith(".restored.png has a name of 264 bytes, too long for a file; choose another -o")
    assert len(planned("a.png", long, output="o/").jobs) == 2
    with pytest.raises(click.UsageError, match=r"cannot write a\.docx: use one of \.png, "):
        planned("a.png", output="a.docx")


def test_what_is_left_alone_in_a_folder_is_said_and_counted(tmp_path):
    files("A/a.png", "A/s/b.txt", "A/s/c.txt", "A/._a.png", "A/README", "A/d.PNG/e.raw")
    os.symlink("nowhere", "A/gone.png")
    os.symlink("circle.png", "A/circle.png")
    os.symlink(tmp_path, "A/round")
    os.mkfifo("A/pipe.png")
    found = find(["A"])
    assert [source.path for source in found.sources] == ["A/a.png"]
    assert found.others == {
        ".txt": 2, "links": 3, "._ of macOS": 1, "without a suffix": 1, ".raw": 1, "pipes and devices": 1
    }  # fmt: skip
    assert found.notes()[0].startswith("left alone: 9 other files (3 links, 2 .txt, ")
    with pytest.raises(click.UsageError, match=r"no pictures found; .*; left alone: 2 other files \(2 \.txt\)"):
        planned("A/s")


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_is_taken():
    files("A/a.png", "A/secret/b.png")
    os.chmod(".", 0o755)
    os.chmod("A/secret", 0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root reads everything
    try:
        made = planned("A")
    finally:
        os.seteuid(user)
    assert [job.source for job in made.jobs] == ["A/a.png"]
    assert made.refused == [("A/secret", "A/secret cannot be read: Permission denied")]


def test_an_input_that_is_not_there_stays_an_input_whatever_it_is_called():
    names = ["missing.png", "x" * 300 + ".png", "a" * 5000]
    assert [source.path for source in find(names).sources] == names
    assert list(results(names[0])) == names[:1]


def test_a_tree_deeper_than_pythons_stack_is_gone_through():
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    files("a.png")
    os.chdir("../" * 1200)
    assert len(find(["d"]).sources) == 1
    os.chdir("d/" * 1200)
    os.unlink("a.png")
    for _ in range(1200):  # pytest could not
        os.chdir("..")
        os.rmdir("d")


def test_a_file_that_is_no_picture_does_not_take_the_name_of_a_result_from_one(tmp_path):
    write(picture(), tmp_path / "one.png")
    (tmp_path / "one.json").write_text("{}")
    made = plan([str(tmp_path / "one.json"), str(tmp_path / "one.png")], Places(None, "regression", "denoise"))
    assert [job.name for job in made.jobs] == [str(tmp_path / "one.png")]
    assert made.refused == [(str(tmp_path / "one.json"), f"{tmp_path / 'one.json'} is not a picture that can be read")]
