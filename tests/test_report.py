"""The page of pictures before and after grows on the disk, and holds whole pairs only."""

from __future__ import annotations

import gc
import os
import weakref

import pytest
from small import picture

from restoration.errors import RestorationError
from restoration.scoring.report import FOOT, HEAD, Report, is_report


def add(report, name, size=16, **facts):
    before, after = picture(size, size), picture(size, size, 1)
    report.add(name, before, after, facts)
    return weakref.ref(before), weakref.ref(after)


def test_a_page_keeps_no_picture_in_memory(tmp_path):
    report = Report(tmp_path / "r.html", overwrite=False)
    gone = add(report, "a.png", seconds=1.5, weights=None)
    gc.collect()
    assert [one() for one in gone] == [None, None]
    (part,) = os.listdir(tmp_path)
    assert os.path.getsize(tmp_path / part) > len(HEAD)
    assert report.finish()
    page = (tmp_path / "r.html").read_text()
    assert page.startswith(HEAD) and page.endswith(FOOT) and page.count("data:image/png;base64,") == 2
    assert "<dt>seconds</dt><dd>1.5</dd>" in page and "weights" not in page


def test_what_was_being_added_when_work_was_interrupted_is_left_out(tmp_path):
    report = Report(tmp_path / "r.html", overwrite=False)
    add(report, "a.png")
    report._file.write(b"<figure><img src='data:image/png;base64,AAAA")
    assert report.finish()
    page = (tmp_path / "r.html").read_text()
    assert page.count("<figure>") == page.count("</figure>") == 1 and "AAAA<" not in page and page.endswith(FOOT)


def test_a_page_without_pictures_is_not_written(tmp_path):
    assert not Report(tmp_path / "new" / "r.html", overwrite=False).finish()
    assert os.listdir(tmp_path / "new") == []


def test_a_page_goes_on_and_one_that_is_not_ours_stays(tmp_path):
    path = tmp_path / "r.html"
    for number in range(3):
        report = Report(path, overwrite=False, go_on=True)
        add(report, f"{number}.png")
        assert report.finish() and is_report(path)
    assert [path.read_text().count(f"<figcaption>{number}.png") for number in range(3)] == [1, 1, 1]
    path.write_text(path.read_text() + "<!-- mine -->")
    assert not is_report(path) and not is_report(tmp_path / "none.html")
    report = Report(path, overwrite=False, go_on=True)
    add(report, "3.png")
    with pytest.raises(RestorationError, match="already there"):
        report.finish()
    assert path.read_text().endswith("<!-- mine -->") and os.listdir(tmp_path) == ["r.html"]


def test_names_and_facts_are_text_whatever_they_hold(tmp_path):
    report = Report(tmp_path / "r.html", overwrite=False)
    add(report, "<b>\udcff&", method="<script>")
    assert report.finish()
    page = (tmp_path / "r.html").read_text()
    assert "<figcaption>&lt;b&gt;\\udcff&amp;<dl>" in page and "&lt;script&gt;" in page


def test_a_page_that_cannot_grow_is_given_up(tmp_path):
    report = Report(tmp_path / "r.html", overwrite=False)
    add(report, "a.png")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, report._file.number)
    os.close(full)
    with pytest.raises(RestorationError, match=r"cannot write .*r\.html: No space left on device"):
        add(report, "b.png")
    add(report, "c.png")
    assert not report.finish()
    assert os.listdir(tmp_path) == []
