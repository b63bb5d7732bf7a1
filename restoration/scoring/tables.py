"""Tables of scores as text, CSV, JSON, Markdown and HTML; each explains how its numbers were computed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from restoration.scoring.page import scores

if TYPE_CHECKING:
    from restoration.scoring.measures import Measure
    from restoration.scoring.score import Compared
    from restoration.scoring.summary import Column, Mean, Summary

SUFFIXES = {".txt": "text", ".csv": "csv", ".json": "json", ".md": "markdown", ".html": "html", ".htm": "html"}
"""The format of a file, by its suffix."""
FIELDS = ("kind", "picture", "method", "against", "metric", "unit", "value", "low", "high", "p", "pictures", "protocol")
"""The columns of the CSV, which has one number in a row."""


def render(summary: Summary, form: str, *, pictures: bool = False) -> str:
    """Return a summary in one of `FORMATS`; with `pictures`, text and Markdown also have a row for each picture."""
    return FORMATS[form](summary, pictures)


def as_text(summary: Summary, pictures: bool = False) -> str:
    """Return aligned columns, the differences as sentences, and an explanation of the numbers."""
    parts = [
        summary.title,
        *([_align(_make_picture_rows(summary))] if pictures else []),
        _align(_make_mean_rows(summary)),
    ]
    if summary.differences:
        parts.append("\n".join(map(str, summary.differences)))
    return "\n\n".join([*parts, "\n".join(f"{name}: {words}" for name, words in _make_footnotes(summary))]) + "\n"


def as_markdown(summary: Summary, pictures: bool = False) -> str:
    """Return Markdown tables, with the best mean of several methods in bold, and lists of the rest."""
    rows, best = _make_mean_rows(summary), _find_best(summary)
    bold = [
        [f"**{c}**" if (y, x) in best else c for x, c in enumerate(map(_escape_markdown, r))]
        for y, r in enumerate(rows)
    ]
    parts = [f"**{_escape_markdown(summary.title)}**", _to_markdown_table(bold)]
    if summary.differences:
        parts.append("\n".join(f"* {_escape_markdown(str(one))}" for one in summary.differences))
    parts.append("\n".join(f"* `{name}`: {_escape_markdown(words)}" for name, words in _make_footnotes(summary)))
    if pictures:
        parts.append(_to_markdown_table([list(map(_escape_markdown, row)) for row in _make_picture_rows(summary)]))
    return "\n\n".join(parts) + "\n"


def as_csv(summary: Summary, pictures: bool = True) -> str:
    """Return one number in a row, of kind "picture", "mean" or "difference", with its protocol in the last column."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in _make_csv_rows(summary):
        if not _is_missing(row["value"]):
            writer.writerow({name: "" if _is_missing(value) else value for name, value in row.items()})
    return sheet.getvalue()


def as_json(summary: Summary, pictures: bool = True) -> str:
    """Return one line of JSON; numbers that are not finite are null, since JSON has none."""
    methods = {
        one.label: {
            "how": one.how,
            "metrics": {name: asdict(mean) for name, mean in one.means.items()},
            "seconds": one.seconds,
            "evaluations": one.evaluations,
        }
        for one in summary.columns
    }
    differences = [
        {"method": one.label, "against": one.against, "metric": one.measure.name, **asdict(one.test), "words": str(one)}
        for one in summary.differences
    ]
    value = {
        "title": summary.title,
        "protocol": summary.protocols,
        "notes": summary.notes,
        "methods": methods,
        "differences": differences,
        "pictures": [asdict(one) for one in summary.pictures],
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode() + "\n"


def as_html(summary: Summary, pictures: bool = True) -> str:
    """Return a self-contained page, with all pictures."""
    return scores(
        summary.title,
        _make_mean_rows(summary),
        _make_picture_rows(summary),
        best=_find_best(summary),
        meanings=list(summary.protocols.values()),
        differences=list(map(str, summary.differences)),
        footnotes=_make_footnotes(summary),
    )


FORMATS: dict[str, Callable[[Summary, bool], str]] = {
    "text": as_text,
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
    "html": as_html,
}


def format_for(path: Path) -> str | None:
    """Return the format for the suffix of a file, None for another suffix."""
    return SUFFIXES.get(path.suffix.lower())


def _make_mean_rows(summary: Summary) -> list[list[str]]:
    """Return the rows of the table of means, the first a header: a row for each metric, a column for each method."""
    columns = summary.columns
    rows = [["metric", *(one.label for one in columns)]]
    rows += [
        [_title(one), *(_format_mean(one, column.means[one.name]) for column in columns)] for one in summary.measures
    ]
    if any(one.seconds is not None for one in columns):
        rows.append(["evaluations", *(_format_number(one.evaluations) for one in columns)])
        rows.append(["seconds a picture", *(_format_number(one.seconds, 2) for one in columns)])
    return rows


def _find_best(summary: Summary) -> set[tuple[int, int]]:
    """Return the row and column of the best means in that table, if there are several methods; the input is not one."""
    found = set()
    for row, measure in enumerate(summary.measures, 1):
        means = {column: one.means[measure.name].mean for column, one in enumerate(summary.columns, 1) if column > 1}
        values = [value for value in means.values() if not math.isnan(value)]
        if len(values) > 1:
            top = min(values) if measure.less_is_better else max(values)
            found |= {(row, column) for column, value in means.items() if value == top}
    return found


def _make_picture_rows(summary: Summary) -> list[list[str]]:
    """Return the rows of the table of pictures, the first a header: a row for each picture and method."""
    measures = [one for one in summary.measures if one.of is not None]
    rows = [["picture", "method", *map(_title, measures), "seconds"]]
    for picture in summary.pictures:
        for column in summary.columns:
            values, seconds = _get_values(picture, column)
            rows.append(
                [picture.name, column.label, *(m.number(values[m.name]) for m in measures), _format_number(seconds, 2)]
            )
    return rows


def _get_values(picture: Compared, column: Column) -> tuple[dict[str, float], float | None]:
    if column.label in picture.restored:
        return picture.restored[column.label], picture.seconds[column.label]
    return picture.input, None


def _make_csv_rows(summary: Summary) -> Iterator[dict[str, Any]]:
    """Yield the rows of the CSV."""
    units = {one.name: one.unit for one in summary.measures}
    for picture in summary.pictures:
        for column in summary.columns:
            values, seconds = _get_values(picture, column)
            key: dict[str, Any] = {"kind": "picture", "picture": picture.name, "method": column.label}
            for name, value in values.items():
                yield {**key, "metric": name, "unit": units[name], "value": value, "protocol": summary.protocols[name]}
            yield {**key, "metric": "seconds", "unit": "s", "value": seconds, "protocol": column.how}
    for column in summary.columns:
        key = {"kind": "mean", "method": column.label}
        for name, one in column.means.items():
            row = {**key, "metric": name, "unit": units[name], "value": one.mean, "low": one.low, "high": one.high}
            yield {**row, "pictures": one.pictures, "protocol": summary.protocols[name]}
        yield {**key, "metric": "seconds", "unit": "s", "value": column.seconds, "protocol": column.how}
        yield {**key, "metric": "evaluations", "value": column.evaluations, "protocol": column.how}
    for pair in summary.differences:
        name, test = pair.measure.name, pair.test
        key = {"kind": "difference", "method": pair.label, "against": pair.against, "metric": name, "unit": units[name]}
        numbers = {"value": test.difference, "low": test.low, "high": test.high, "p": test.p, "pictures": test.pairs}
        yield {**key, **numbers, "protocol": summary.protocols[name]}


def _make_footnotes(summary: Summary) -> list[tuple[str, str]]:
    """Return what each metric and each method is, and the notes."""
    metrics = [(one.title, summary.protocols[one.name]) for one in summary.measures]
    methods = [(one.label, one.how) for one in summary.columns]
    return [*metrics, *methods, *(("note", words) for words in summary.notes)]


def _title(measure: Measure) -> str:
    return f"{measure.title} ({measure.unit})" if measure.unit else measure.title


def _format_mean(measure: Measure, one: Mean) -> str:
    interval = "" if math.isnan(one.low) else f" [{measure.number(one.low)}, {measure.number(one.high)}]"
    return measure.number(one.mean) + interval


def _format_number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits or int(value != int(value))}f}"


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _align(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _to_markdown_table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _escape_markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_").replace("<", "&lt;")
