"""Weights from a server that is slow, wrong or hostile: one line says what it is, and nothing is written astray."""

from __future__ import annotations

import hashlib
import http.server
import os
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from restoration.errors import BadWeights
from restoration.hub import Repository, Unreachable, is_repository
from restoration.hub.trouble import within

COMMIT = "0123456789" * 4


class Server(http.server.BaseHTTPRequestHandler):
    """A repository, `someone/small`, of a folder; `how` says what is wrong with it."""

    protocol_version = "HTTP/1.1"
    folder: Path
    how: str
    asked: list[str]
    tokens: ClassVar[list[tuple[str, str | None]]] = []

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.tokens.append((self.headers["Host"].partition(":")[0], self.headers["Authorization"]))
        file = self.folder / self.path.rpartition("/")[2]
        if not self.path.startswith("/someone/small/resolve/") or self.how in STATUS:
            self.told(STATUS.get(self.how, 404), {"Retry-After": "7"})
        elif self.how == "silent":
            self.rfile.read(1)  # until the other side has had enough
        elif self.how == "circle":
            self.told(302, {"Location": self.path})
        elif self.how == "elsewhere" and file.suffix == ".safetensors" and "127.0.0.1" in self.headers["Host"]:
            other = f"http://localhost:{self.server.server_address[1]}{self.path}"
            digest, size = hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size
            linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": size, "X-Repo-Commit": COMMIT}
            self.told(302, {**linked, "Location": other})
        elif self.how == "page":
            self.told(200, {}, b"<html>Please log in</html>")
        else:
            self.give(file, body)

    def give(self, file: Path, body: bool) -> None:
        data, model = file.read_bytes(), file.suffix == ".safetensors"
        etag = hashlib.sha256(data).hexdigest()
        if model and self.how == "changed":
            data = data[:-1] + bytes([data[-1] ^ 1])
        if model and self.how == "escape":
            etag = "../../../../escaped"
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": "../../.." if self.how == "commit" else COMMIT}
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if begin and self.how == "cut once":
            self.told(206, {**headers, "Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}, data[begin:])
        else:
            self.told(200, headers, data, body=body, cut=model and self.how in ("cut", "cut once"))

    def told(self, status, headers, data=b"", *, body=True, cut=False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = cut or self.close_connection

    def log_message(self, format: str, *args: object) -> None:
        pass


STATUS = {"busy": 429, "ill": 500, "away": 503, "teapot": 418}


@contextmanager
def served(folder, how, home):
    """The environment of a user of such a server, and the list of what it was asked."""
    asked: list[str] = []
    handler = type("Given", (Server,), {"folder": folder, "how": how, "asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        unset = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        yield {**unset, "HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_ETAG_TIMEOUT": "1"}, asked
        server.shutdown()


WRONG = {
    "busy": "429, Too Many Requests; try again in 7 s",
    "ill": "500, Internal Server Error; try again later",
    "away": "503, Service Unavailable; try again later",
    "teapot": "418, I'm a Teapot",
    "silent": "does not answer, it was silent for too long",
    "circle": "redirects in a circle",
    "page": "is no Hub",
    "escape": "it names no commit, ETag or size that can be used",
    "commit": "it names no commit, ETag or size that can be used",
    "changed": "came damaged, and nothing of it is kept: its SHA-256 is",
    "cut": "did not come whole: the connection was cut after",
}


@pytest.mark.parametrize("how", WRONG)
def test_a_server_that_is_wrong_is_named_as_what_it_is_in_one_line(restore, weights, tmp_path, how):
    home = tmp_path / "deep" / "home"
    with served(weights, how, home) as (env, _):
        done = restore("weights", "show", "someone/small", env=env, timeout=60)
    assert done.returncode == 2
    assert WRONG[how] in done.stderr
    assert "fault" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*escaped*"))
    assert not [path for path in home.rglob("*") if path.is_file() and path.stat().st_size > 5000]


def test_a_download_that_was_cut_goes_on_where_it_was(restore, weights, tmp_path):
    with served(weights, "cut once", tmp_path) as (env, asked):
        done = restore("weights", "show", "someone/small", "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert [line.partition("/")[0] for line in asked if "model" in line] == ["HEAD ", "GET ", "GET "]
    blob = tmp_path / "hub/models--someone--small/snapshots" / COMMIT / "model.safetensors"
    assert blob.read_bytes() == (weights / "model.safetensors").read_bytes()
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with served(weights, "well", tmp_path) as (env, _):
        again = restore("weights", "show", "someone/small", "--json", env=env)
    assert "was damaged, and is removed from the cache" in again.stderr
    assert blob.read_bytes() == (weights / "model.safetensors").read_bytes()
    assert blob.resolve().name == hashlib.sha256(blob.read_bytes()).hexdigest()


def test_large_files_come_from_another_host_which_is_not_shown_the_token(restore, weights, tmp_path):
    Server.tokens.clear()
    with served(weights, "elsewhere", tmp_path) as (env, _):
        done = restore("weights", "show", "someone/small", "--json", env={**env, "HF_TOKEN": "hf_secret"})
    assert done.returncode == 0, done.stderr
    assert ("127.0.0.1", "Bearer hf_secret") in Server.tokens
    assert {token for host, token in Server.tokens if host == "localhost"} == {None}


def test_offline_asks_nothing_at_all_and_a_server_that_is_ill_leaves_the_cache(restore, weights, tmp_path):
    with served(weights, "well", tmp_path) as (env, _):
        assert restore("weights", "show", "someone/small@v1.0", env=env).returncode == 0
    with served(weights, "away", tmp_path) as (env, asked):
        for which, code in (("someone/small@v1.0", 0), (f"someone/small@{COMMIT}", 0), ("someone/other", 2)):
            done = restore("weights", "show", which, "--offline", env=env)
            assert done.returncode == code, done.stderr
        assert restore("weights", "show", f"someone/small@{COMMIT}", env=env).returncode == 0
        assert asked == []
        done = restore("weights", "show", "someone/small@v1.0", env=env)
        assert done.returncode == 0
        assert "503, Service Unavailable; try again later; someone/small is that of the cache" in done.stderr


@pytest.mark.parametrize(
    "revision", ["../../x", "a/../../x", "/etc/passwd", "a//b", ".git", "a b", "-x", "a/.b", "x\n"]
)
def test_a_revision_that_could_leave_the_cache_is_refused(revision):
    with pytest.raises(BadWeights, match="cannot be a revision of owner/x"):
        Repository(name="owner/x", revision=revision)


@pytest.mark.parametrize("name", ["owner/a--b", "owner/a..b", "owner/x.git", "-/x"])
def test_a_name_that_no_repository_can_have_is_refused(name):
    with pytest.raises(BadWeights, match="cannot be a repository on the Hub"):
        Repository(name=name)


def test_revisions_of_all_kinds_are_taken():
    for revision in ("main", "v1.0", "refs/pr/12", "feature/new-net", COMMIT, "1.0.0+cpu"):
        assert Repository(name="owner/x", revision=revision).revision == revision
    assert is_repository("owner/x@refs/pr/1")
    assert not is_repository("../x")


def test_a_server_that_trickles_is_waited_for_only_so_long():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer"):
            within(begin + 0.3, listener.accept)
    assert within(time.monotonic() + 60, lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        within(time.monotonic() + 60, lambda: 1 // 0)
