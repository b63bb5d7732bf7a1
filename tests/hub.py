"""A Hub of our own on 127.0.0.1: what the real client asks for to push and pull, and all the ways to answer wrongly."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import yaml
from huggingface_hub import ModelCard

TOKEN = "hf_right"
"""The one that may write, and read what is private."""
LICENSES = ("mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "other", "openrail")
PIPELINES = ("image-to-image", "unconditional-image-generation", "image-feature-extraction")
STATUS = {"busy": 429, "ill": 500, "away": 503, "teapot": 418}


@cache
def git_id(data: bytes) -> str:
    """What git calls the contents of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@cache
def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def header(readme: bytes) -> dict[str, Any]:
    """The header of a model card, {} if it has none; each is parsed once, as every list of models asks for all."""
    match = re.match(rb"---\n(.*?)\n---\n", readme, re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(match[1]) if match else {}
    return found


@dataclass
class Repo:
    """A repository: its commits, each the files of it, its branches and tags, and whose it is."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, files: Mapping[str, bytes], branch: str = "main", message: str = "") -> str:
        """Add files on a branch; return the commit."""
        tree = {**self.commits.get(self.refs.get(branch, ""), {}), **files}
        ids = sorted((path, git_id(data)) for path, data in tree.items())
        name = hashlib.sha1(f"{len(self.commits)}{ids}".encode()).hexdigest()
        self.commits[name] = tree
        self.refs[branch] = name
        self.messages.append(message)
        return name

    def find(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a commit."""
        return self.refs.get(revision) or (revision if revision in self.commits else None)


class Hub:
    """Repositories by name, what was asked, and `how` it answers wrongly; "" for rightly."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.agents: list[str] = []
        self.ranges: list[str] = []
        self.tokens: list[tuple[str, str | None]] = []
        self.how = ""
        self.url = ""
        self.meanwhile: Callable[[], None] | None = None

    def put(self, name: str, folder: Path, **about: bool) -> str:
        """Hold a folder as a repository; return the commit."""
        repo = self.repos.setdefault(name, Repo(**about))
        return repo.commit({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})

    def env(self, home: Path, token: str | None = None) -> dict[str, str]:
        """The environment of a user of this Hub."""
        unset = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        own = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_ETAG_TIMEOUT": "1", "HF_HUB_DISABLE_XET": "1"}
        return {**unset, **own, **({"HF_TOKEN": token} if token else {})}

    def requests(self, *words: str) -> list[str]:
        """What was asked that has all words in it."""
        return [line for line in self.asked if all(word in line for word in words)]


@contextmanager
def hub() -> Iterator[Hub]:
    """A Hub that runs."""
    made = Hub()
    handler = type("Given", (Answer,), {"hub": made})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield made
        server.shutdown()


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        self.hub.agents.append(self.headers.get("User-Agent", ""))
        self.hub.tokens.append((self.headers["Host"].partition(":")[0], self.headers["Authorization"]))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.hub.how in STATUS:
            self.tell(STATUS[self.hub.how], headers={"Retry-After": "7"})
            return
        if self.hub.how == "silent":
            self.rfile.read(1)  # until the other side has had enough
            return
        path = unquote(urlsplit(self.path).path)
        for command, pattern, name in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in command.split():
                getattr(self, name)(*match.groups())
                return
        self.tell(404)

    def tell(self, status: int, value: Any = b"", headers: Mapping[str, Any] | None = None, *, cut: int = -1) -> None:
        """Send an answer; of its body, if it is cut, only the first bytes."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Length": len(data), **(headers or {})}.items():
            self.send_header(name, str(text))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if cut < 0 else data[:cut])
        self.close_connection = self.close_connection or cut >= 0

    def error(self, status: int, code: str) -> None:
        self.tell(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})

    def allowed(self, name: str, revision: str = "main", *, write: bool = False) -> tuple[Repo, str] | None:
        """The repository and the commit that are asked for, if there are such and they may be seen."""
        repo, knows = self.hub.repos.get(name), self.headers["Authorization"] == f"Bearer {TOKEN}"
        if repo is None or (repo.private and not knows):
            self.error(404 if knows else 401, "RepoNotFound")
        elif write and not knows:
            self.error(401 if self.headers["Authorization"] is None else 403, "")
        elif repo.gated and not knows:
            self.error(403, "GatedRepo")
        elif (commit := repo.find(revision)) is None:
            self.error(404, "RevisionNotFound")
        else:
            return repo, commit
        return None

    # files

    def resolve(self, name: str, revision: str, file: str) -> None:
        how, large = self.hub.how, file.endswith(".safetensors")
        if how == "page":
            self.tell(200, b"<html>Please log in</html>")
            return
        if how == "gone" and large and self.command == "GET":
            self.hub.how, self.close_connection = "", True  # as one that closes connections which were kept for long
            return
        if how == "circle":
            self.tell(302, headers={"Location": self.path})
            return
        found = self.allowed(name, revision)
        if found is None:
            return
        repo, commit = found
        if file not in repo.commits[commit]:
            self.error(404, "EntryNotFound")
            return
        data = repo.commits[commit][file]
        etag = sha256(data) if large else git_id(data)
        if large and (how == "astray" or (how == "elsewhere" and "127.0.0.1" in self.headers["Host"])):
            other = self.hub.url.replace("127.0.0.1", "localhost") + self.path
            other = other if how == "elsewhere" else "file:///etc/passwd"
            linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": len(data), "X-Repo-Commit": commit}
            self.tell(302, headers={**linked, "Location": other})
            return
        self.give(data, etag, commit, large=large)

    def give(self, data: bytes, etag: str, commit: str, *, large: bool) -> None:
        """Send a file, in the way that is wrong."""
        how, length = self.hub.how, None
        if how == ("changed" if large else "changed recipe"):
            data = data[:-1] + bytes([data[-1] ^ 1])
        elif how == "escape" and large:
            etag = "../../../../escaped"
        elif how == "no etag":
            etag = ""
        elif how == "commit":
            commit = "../../.."
        elif how == "other commit" and large:
            commit = "f" * 40
        elif how == "short" and large and self.command == "HEAD":
            length = len(data) - 100
        elif how == "long" and large and self.command == "HEAD":
            length = len(data) + 100
        elif how == "endless" and large and self.command == "HEAD":
            length = 1 << 50
        elif how == "huge recipe" and not large and self.command == "HEAD":
            length = 1 << 30
        elif how == "slow" and large and self.command == "GET":
            self.trickle(data, etag, commit)
            return
        headers: dict[str, Any] = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if self.headers.get("Range"):
            self.hub.ranges.append(self.headers["Range"])
        cut = len(data) // 2 if large and how in ("cut", "cut once", "halt") and not begin else -1
        if begin and how != "cut":
            ranged = {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
            self.tell(206, data[begin:], {**headers, **ranged})
        elif begin:
            self.tell(200, data, headers, cut=len(data) // 2)
        else:
            self.tell(200, data, {**headers, **({"Content-Length": length} if length else {})}, cut=cut)
            if how == "halt" and cut >= 0 and self.command == "GET":
                self.wfile.flush()
                self.rfile.read(1)  # until the other side is gone

    def trickle(self, data: bytes, etag: str, commit: str) -> None:
        """Send a byte now and then."""
        self.send_response(200)
        for name, text in {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Content-Length": len(data)}.items():
            self.send_header(name, str(text))
        self.end_headers()
        try:
            for place in range(len(data)):
                self.wfile.write(data[place : place + 1])
                time.sleep(0.2)
        except OSError:
            self.close_connection = True

    # questions

    def info(self, name: str, revision: str | None = None) -> None:
        found = self.allowed(name, revision or "main")
        if found is not None:
            self.tell(200, self.described(name, *found))

    def described(self, name: str, repo: Repo, commit: str) -> dict[str, Any]:
        files = repo.commits[commit]
        card = header(files.get("README.md", b""))
        tags = [card.get("library_name"), card.get("pipeline_tag"), *card.get("tags", [])]
        tags += [f"license:{card['license']}"] if "license" in card else []
        siblings = []
        for path, data in files.items():
            lfs = {"size": len(data), "sha256": sha256(data), "pointerSize": 130}
            own = {"lfs": lfs} if path.endswith(".safetensors") else {}
            siblings.append({"rfilename": path, "size": len(data), "blobId": git_id(data), **own})
        facts = {"id": name, "sha": commit, "private": repo.private, "downloads": 3, "likes": 0, "siblings": siblings}
        return {**facts, "tags": [tag for tag in tags if tag], "lastModified": "2026-01-02T03:04:05.000Z"}

    def models(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        wanted, owner = set(asked.get("filter", [])), asked.get("author", [""])[0]
        start = int(asked.get("cursor", ["0"])[0])
        if self.hub.how == "no list":
            self.tell(200, b"<html>")
            return
        found = [self.described(n, r, r.refs["main"]) for n, r in self.hub.repos.items() if r.refs and not r.private]
        found = [one for one in found if wanted <= set(one["tags"]) and one["id"].startswith(owner)]
        page, rest = found[start : start + 4], found[start + 4 :]
        query = "&".join(f"filter={quote(one)}" for one in wanted)
        more = {"Link": f'<{self.hub.url}/api/models?{query}&cursor={start + 4}>; rel="next"'} if rest else {}
        self.tell(200, page, more)

    # changes

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.error(401 if self.headers["Authorization"] is None else 403, "")
        elif name in self.hub.repos:
            self.tell(409, {"url": f"{self.hub.url}/{name}"})
        else:
            private = bool(asked.get("private")) or asked.get("visibility") == "private"
            self.hub.repos[name] = Repo(private=private)
            self.hub.repos[name].commit({".gitattributes": b"*.safetensors filter=lfs\n"})
            self.tell(200, {"url": f"{self.hub.url}/{name}"})

    def branch(self, name: str, branch: str) -> None:
        found = self.allowed(name, write=True)
        if found is not None:
            found[0].refs[branch] = found[1]
            self.tell(200, {})

    def validate(self) -> None:
        """Look at a card as the Hub does, as far as that is known."""
        errors = []
        try:
            card = ModelCard(json.loads(self.body)["content"]).data
            if card.get("license") not in (None, *LICENSES):
                errors.append(f'"license" must be one of {LICENSES}')
            if card.get("pipeline_tag") not in (None, *PIPELINES):
                errors.append(f'"pipeline_tag" must be one of {PIPELINES}')
            if not all(isinstance(one, str) and one for one in card.get("tags") or []):
                errors.append('"tags" must be an array of texts')
        except Exception as error:
            errors.append(str(error))
        self.tell(400 if errors else 200, {"errors": [{"message": one} for one in errors], "warnings": []})

    def preupload(self, name: str, revision: str) -> None:
        found = self.allowed(name, revision, write=True)
        if found is None:
            return
        tree = found[0].commits[found[1]]
        files = []
        for one in json.loads(self.body)["files"]:
            path, there = one["path"], tree.get(one["path"])
            large = path.endswith(".safetensors")
            oid = there and (sha256(there) if large else git_id(there))
            files.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid})
        self.tell(200, {"files": files})

    def batch(self, name: str) -> None:
        if self.allowed(name, write=True) is None:
            return
        objects = []
        for one in json.loads(self.body)["objects"]:
            actions = (
                {}
                if one["oid"] in self.hub.objects
                else {"actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}}
            )
            objects.append({"oid": one["oid"], "size": one["size"], **actions})
        self.tell(200, {"transfer": "basic", "objects": objects}, {"Content-Type": "application/vnd.git-lfs+json"})

    def upload(self, oid: str) -> None:
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.hub.objects[oid] = self.body
        self.tell(200)

    def change(self, name: str, revision: str) -> None:
        if self.hub.meanwhile is not None:
            self.hub.meanwhile()
        found = self.allowed(name, revision, write=True)
        if found is None:
            return
        files, header = {}, {}
        for line in self.body.splitlines():
            one = json.loads(line)
            value = one["value"]
            if one["key"] == "header":
                header = value
            elif one["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
        if header.get("parentCommit", found[1]) != found[1]:
            self.error(412, "")
            return
        made = found[0].commit(files, revision, header["summary"])
        made = "\x1b[31mred" if self.hub.how == "no commit" else made
        self.tell(200, {"commitOid": made, "commitUrl": f"{self.hub.url}/{name}/commit/{made}", "success": True})

    def log_message(self, format: str, *args: object) -> None:
        pass


NAME = r"([\w.-]+/[\w.-]+)"
ROUTES = (
    ("HEAD GET", rf"/{NAME}/resolve/(.+)/([^/]+)", "resolve"),
    ("GET", rf"/api/models/{NAME}", "info"),
    ("GET", rf"/api/models/{NAME}/revision/(.+)", "info"),
    ("GET", r"/api/models", "models"),
    ("POST", r"/api/repos/create", "create"),
    ("POST", rf"/api/models/{NAME}/branch/(.+)", "branch"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("POST", rf"/api/models/{NAME}/preupload/(.+)", "preupload"),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch", "batch"),
    ("PUT", r"/lfs/([0-9a-f]{64})", "upload"),
    ("POST", rf"/api/models/{NAME}/commit/(.+)", "change"),
)
"""What can be asked: the commands, the path, and who answers."""
