"""Plots are SVG that says what it was given."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from restoration.training.plot import line_plot, log_ticks, stack, ticks

SVG = "{http://www.w3.org/2000/svg}"


def parts(svg: str, kind: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(SVG + kind))


def words(svg: str) -> list[str]:
    return [text.text or "" for text in parts(svg, "text")]


def lines(svg: str) -> list[str]:
    return [path.get("d", "") for path in parts(svg, "path") if path.get("stroke-width") == "1.8"]


def at(element: ElementTree.Element) -> tuple[float, float]:
    return float(element.get("cx", "")), float(element.get("cy", ""))


@pytest.mark.parametrize(
    ("low", "high", "number", "expected"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (100, 20000, 6, [0, 5000, 10000, 15000, 20000]),
        (17.8, 23.9, 5, [16, 18, 20, 22, 24]),
        (-0.03, 0.02, 5, [-0.03, -0.02, -0.01, 0, 0.01, 0.02]),
        (3, 3, 4, [1, 2, 3, 4, 5]),
        (0, 0, 2, [-0.5, 0, 0.5]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low, high, number, expected):
    assert ticks(low, high, number) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.03, 0.11, [0.02, 0.05, 0.1, 0.2]),
        (0.02, 0.1, [0.02, 0.05, 0.1]),
        (0.05, 0.05, [0.05, 0.1]),
        (0.0003, 4, [0.0001, 0.001, 0.01, 0.1, 1, 10]),
    ],
)
def test_ticks_of_a_logarithmic_axis_enclose_the_values(low, high, expected):
    assert log_ticks(low, high) == pytest.approx(expected)


def test_points_lie_where_their_values_are_on_the_axes():
    svg = line_plot({"one": [(0, 0), (50, 0.5), (100, 1)]}, width=640, height=320)
    dots = [at(circle) for circle in parts(svg, "circle")]
    assert dots == [(64, 274), (338, 154), (612, 34)]
    assert lines(svg) == ["M64.0 274.0L338.0 154.0L612.0 34.0"]
    svg = line_plot({"one": [(0, 0.001), (1, 0.01), (2, 1)]}, log_y=True, width=640, height=320)
    assert [at(circle)[1] for circle in parts(svg, "circle")] == pytest.approx([274, 194, 34])


def test_values_that_are_no_numbers_leave_a_gap():
    points = [(0, 1), (1, 2), (2, math.nan), (3, 2), (4, math.inf), (5, 1)]
    assert [re.sub(r"[^ML]", "", line) for line in lines(line_plot({"one": points}))] == ["MLMM"]
    below_zero = [(0, 1), (1, 0), (2, -1), (3, 2), (4, 3)]
    assert [re.sub(r"[^ML]", "", line) for line in lines(line_plot({"one": below_zero}, log_y=True))] == ["MML"]
    assert lines(line_plot({"nothing": [(0, math.nan)]})) == [""]
    assert lines(line_plot({})) == []


def test_names_titles_and_labels_are_there_and_cannot_break_the_svg():
    series = {"a < b & c": [(0, 1), (1, 2)], "second": [(0, 2), (1, 1)]}
    svg = line_plot(series, title="<Loss>", x_label='"step"', y_label="dB", span=(0, 4))
    assert {"a < b & c", "second", "<Loss>", '"step"', "dB", "0", "4"} <= set(words(svg))
    colours = [path.get("stroke") for path in parts(svg, "path") if path.get("stroke-width") == "1.8"]
    assert len(set(colours)) == 2
    assert "second" not in words(line_plot({"second": [(0, 1), (1, 2)]})), "one series needs no legend"


def test_a_legend_of_many_names_takes_lines_above_the_axes_and_nothing_lies_outside():
    series = {f"a method with a long name, number {index}": [(0, index), (10, index + 1)] for index in range(9)}
    svg = line_plot(series, width=640, height=400)
    places = {text.text: (float(text.get("x", "")), float(text.get("y", ""))) for text in parts(svg, "text")}
    assert len({places[name] for name in series}) == 9
    top = min(at(circle)[1] for circle in parts(svg, "circle"))
    assert max(places[name][1] for name in series) < top
    for x, y in [*places.values(), *(at(circle) for circle in parts(svg, "circle"))]:
        assert 0 <= x <= 640
        assert 0 <= y <= 400


def test_plots_can_be_stacked_on_one_page():
    page = stack([line_plot({"a": [(0, 1)]}), line_plot({"b": [(0, 1)]}, place=320)])
    assert [svg.get("y") for svg in parts(page, "svg")] == [None, "0", "320"]


def test_a_logarithmic_axis_gives_every_decade_the_same_room():
    svg = line_plot({"one": [(1, 0), (10, 1), (100, 0)]}, log_x=True, width=640, height=320)
    assert [at(c)[0] for c in parts(svg, "circle")] == [64, 338, 612]
