"""What is installed is found in folders as `importlib.metadata` finds it, which is asked where it may know more."""

from __future__ import annotations

import importlib.metadata
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from restoration.errors import BadPlugin
from restoration.registry.metadata import Distribution, Folder, canonical, distributions, entry_points, headers, load

ENTRIES = "[restoration]\nmine = a.b:c\n# nothing\n[other]\nx = y\n\n[restoration]\nyours=d [more]\n"


def write(folder: Path, name: str, version: str, *more: str) -> Path:
    """Write the metadata of a distribution, as an installer does."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *more, "", "Requires-Dist: a description"]
    (info / "METADATA").write_text("\n".join(lines), encoding="utf-8")
    return info


def facts(found: Iterable[Distribution]) -> list[tuple[str, str, list[str], list[tuple[str, str]]]]:
    """What plugins are asked for, of each distribution, sorted."""
    told = []
    for one in found:
        about, text = headers(one), one.read_text("entry_points.txt") or ""
        name, version = (about.get(key, [""])[0] for key in ("Name", "Version"))
        told.append((name, version, about.get("Requires-Dist", []), list(entry_points(text, "console_scripts"))))
    return sorted(told)


def test_all_that_is_installed_here_is_found_as_python_finds_it() -> None:
    expected = [
        (
            one.metadata["Name"],
            one.version,
            one.metadata.get_all("Requires-Dist", []),
            [(point.name, point.value) for point in one.entry_points.select(group="console_scripts")],
        )
        for one in importlib.metadata.distributions()
    ]
    found = list(distributions())
    assert all(isinstance(one, Folder) for one in found) and len(found) > 20
    assert facts(found) == sorted(expected)
    for name in ("torch", "restoration_toolbox", "Import.Linter"):
        assert headers(next(distributions(name)))["Version"] == [importlib.metadata.version(name)]
    assert list(distributions("no-such-distribution-anywhere")) == []


def test_the_first_on_the_path_counts_and_what_is_installed_later_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path / part) for part in ("nowhere", "a", "b")])
    write(
        tmp_path / "b", "some_thing", "2.0", "Requires-Dist: torch (>=2)\n  ; python_version > '3'", "requires-dist: b"
    )
    assert [headers(one) for one in distributions("Some.Thing")] == [
        {
            "Metadata-Version": ["2.1"],
            "Name": ["some_thing"],
            "Version": ["2.0"],
            "Requires-Dist": ["torch (>=2) ; python_version > '3'", "b"],
        }
    ]
    info = write(tmp_path / "a", "some_thing", "1.0")
    assert [headers(one)["Version"] for one in distributions("some-thing")] == [["1.0"], ["2.0"]]
    assert next(distributions()).locate_file(info.name) == str(info)
    assert next(distributions()).read_text("no such file") is None


def test_an_archive_on_the_path_is_left_to_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = write(tmp_path / "sources", "zipped", "3.0")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.write(info / "METADATA", f"{info.name}/METADATA")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "all.zip")])
    assert [headers(one)["Name"] for one in distributions()] == [["zipped"]]
    assert next(distributions("zipped")).read_text("entry_points.txt") is None


def test_another_finder_is_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        find_spec = staticmethod(lambda *arguments: None)

        @staticmethod
        def find_distributions(context: object) -> list[importlib.metadata.Distribution]:
            return [importlib.metadata.PathDistribution(write(tmp_path, "hidden", "1.0"))]

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert ["hidden"] in [headers(one).get("Name") for one in distributions()]


def test_entry_points_are_those_of_the_group_and_load_what_they_name() -> None:
    assert list(entry_points(ENTRIES, "restoration")) == [("mine", "a.b:c"), ("yours", "d [more]")]
    assert load("collections.abc") is sys.modules["collections.abc"]
    assert load("collections : OrderedDict.fromkeys [more]")("a") == {"a": None}
    for wrong in ("", "???", "a b", ":c", "a:b:c"):
        with pytest.raises(BadPlugin, match=r"^its entry point is .*, not a module$"):
            load(wrong)


def test_names_are_compared_as_indexes_do() -> None:
    assert canonical("Some_Thing.-x") == "some-thing-x"
