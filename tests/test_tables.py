"""Tables of scores, read back from every format."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from restoration.scoring.measures import Measure, choose
from restoration.scoring.score import Compared
from restoration.scoring.statistics import PairedTest
from restoration.scoring.summary import Column, Difference, Mean, Summary
from restoration.scoring.tables import FORMATS, format_for, render

(PSNR,) = choose(["psnr"])
GAP = Measure(name="gap", title="Gap", how="a gap", of=lambda image, clean: 0.0, less_is_better=True)


def mean(value: float, spread: float = 1.0) -> Mean:
    return Mean(mean=value, low=value - spread, high=value + spread, pictures=2)


def column(label: str, psnr: float, gap: float, seconds: float | None = None) -> Column:
    means = {"psnr": mean(psnr), "gap": Mean(mean=gap, low=math.nan, high=math.nan, pictures=2)}
    return Column(label=label, how=f"how {label}", means=means, seconds=seconds, evaluations=seconds and 3.0)


def difference(p: float = 0.0031, low: float = 0.05, value: float = 0.12) -> Difference:
    test = PairedTest(difference=value, low=low, high=0.19, p=p, pairs=2)
    return Difference(label="b|<i>", against="a", measure=PSNR, test=test)


@pytest.fixture
def summary() -> Summary:
    restored = {"a": {"psnr": 30.0, "gap": 0.5}, "b|<i>": {"psnr": math.inf, "gap": math.nan}}
    one = Compared(
        name='1 "x".png',
        side=24,
        input={"psnr": 20.0, "gap": 0.9},
        restored=restored,
        seconds={"a": 0.5, "b|<i>": 2.0},
        evaluations={"a": 3, "b|<i>": 3},
    )
    return Summary(
        title="photos & more: 2 pairs",
        measures=[PSNR, GAP],
        protocols={"psnr": "PSNR, RGB, border 0; photos", "gap": "a gap; photos"},
        columns=[column("input", 20, 0.9), column("a", 30, 0.5, 0.5), column("b|<i>", 31, 0.6, 2.0)],
        differences=[difference()],
        pictures=[one],
        notes=["a note"],
    )


def test_a_difference_is_a_sentence() -> None:
    assert str(difference()) == "b|<i> against a, PSNR: difference +0.12 dB [0.05, 0.19], p = 0.0031"
    assert str(difference(p=0.00005)).endswith("p < 0.0001")
    assert str(difference(p=1, low=math.nan)).endswith("difference +0.12 dB, p = 1")
    assert str(difference(p=math.nan, value=math.inf)).endswith("difference +inf dB, not finite, so not tested")


def test_text_has_aligned_columns_sentences_and_protocols(summary: Summary) -> None:
    lines = render(summary, "text").splitlines()
    assert lines[0] == "photos & more: 2 pairs"
    header, first, second = lines[2:5]
    assert header.split() == ["metric", "input", "a", "b|<i>"]
    for label, number in (("input", "20.00 [19.00, 21.00]"), ("a", "30.00 [29.00, 31.00]"), ("b|<i>", "31.00 [30.00")):
        assert first.index(number) == header.index(f"  {label}") + 2
    assert second.split() == ["Gap", "0.9000", "0.5000", "0.6000"]
    assert "evaluations" in lines[5] and lines[6].split() == ["seconds", "a", "picture", "0.50", "2.00"]
    assert str(difference()) in lines
    for note in ("PSNR: PSNR, RGB, border 0; photos", "Gap: a gap; photos", "a: how a", "note: a note"):
        assert note in lines
    assert '1 "x".png' not in "\n".join(lines)
    assert '1 "x".png  a       30.00      0.5000  0.50' in render(summary, "text", pictures=True)


def test_csv_has_one_number_a_row_and_its_protocol_beside_it(summary: Summary) -> None:
    rows = list(csv.DictReader(io.StringIO(render(summary, "csv"))))
    assert all(row["protocol"] and row["value"] for row in rows)
    means = {(row["method"], row["metric"]): row for row in rows if row["kind"] == "mean"}
    assert float(means["a", "psnr"]["low"]) == 29
    assert means["a", "psnr"]["protocol"] == "PSNR, RGB, border 0; photos"
    assert means["a", "seconds"]["protocol"] == "how a"
    assert ("input", "seconds") not in means
    pictures = {(row["method"], row["metric"]): row for row in rows if row["kind"] == "picture"}
    assert pictures["b|<i>", "psnr"]["value"] == "inf"
    assert ("b|<i>", "gap") not in pictures, "what is not there has no row"
    (test,) = (row for row in rows if row["kind"] == "difference")
    assert [float(test[name]) for name in ("value", "low", "high", "p")] == [0.12, 0.05, 0.19, 0.0031]
    assert (test["against"], test["pictures"]) == ("a", "2")


def test_json_is_one_line_without_infinities(summary: Summary) -> None:
    text = render(summary, "json")
    assert text.count("\n") == 1
    table = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert table["methods"]["a"]["metrics"]["psnr"] == {"mean": 30, "low": 29, "high": 31, "pictures": 2}
    assert table["methods"]["input"]["seconds"] is None
    assert table["pictures"][0]["restored"]["b|<i>"] == {"psnr": None, "gap": None}
    assert table["differences"][0]["words"] == str(difference())
    assert table["protocol"]["psnr"].startswith("PSNR, RGB")


def test_markdown_has_tables_and_the_best_mean_in_bold(summary: Summary) -> None:
    lines = render(summary, "markdown", pictures=True).splitlines()
    table = [line for line in lines if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table[:6]}
    assert widths == {5}, "names with a bar do not make columns"
    assert "| **31.00 [30.00, 32.00]** |" in table[2]
    assert table[3] == "| Gap | 0.9000 | **0.5000** | 0.6000 |", "less is better"
    assert "* `PSNR`: PSNR, RGB, border 0; photos" in lines
    assert table[6].startswith("| picture | method |")


class Page(HTMLParser):
    """Collects the cells of the tables, and looks whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.bold: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        if "b" in self.open:
            self.bold.append(data)


def test_html_is_one_page_that_needs_nothing_else(summary: Summary) -> None:
    text = render(summary, "html")
    page = Page()
    page.feed(text)
    assert page.open == [] and page.links == []
    assert "<script" not in text and "<i>" not in text
    assert page.rows[0] == ["metric", "input", "a", "b|<i>"]
    assert page.rows[1] == ["PSNR (dB)", *(f"{n}.00 [{n - 1}.00, {n + 1}.00]" for n in (20, 30, 31))]
    assert page.bold == ["31.00", "0.5000"]
    assert page.rows[-1] == ['1 "x".png', "b|<i>", "inf", "-", "2.00"]
    assert 'title="PSNR, RGB, border 0; photos"' in text
    assert "<dd>PSNR, RGB, border 0; photos</dd>" in text
    assert "color-scheme: light dark" in text
    assert not re.search(r"\b(TITLE|MEANS|NOTES|PICTURES|BEST|DIFFERENCES)\b", text)


def test_the_best_is_marked_only_where_there_is_a_choice(summary: Summary) -> None:
    alone = Summary(**{**vars(summary), "columns": summary.columns[:2], "differences": []})
    assert "**31" not in render(alone, "markdown") and "**30" not in render(alone, "markdown")
    assert "<b>" not in render(alone, "html") and "In bold" not in render(alone, "html")


@pytest.mark.parametrize(("name", "form"), [("a.MD", "markdown"), ("b.htm", "html"), ("c.txt", "text"), ("d", None)])
def test_a_name_says_its_format(name: str, form: str | None) -> None:
    assert format_for(Path(name)) == form
    assert form is None or form in FORMATS
