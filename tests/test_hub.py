"""Weights from a Hub that is slow, wrong or hostile: one line says what it is, and nothing is written astray."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from forking import start
from hub import TOKEN, hub

from restoration.errors import BadWeights
from restoration.hub import Repository, Unreachable, is_repository
from restoration.hub.trouble import within
from restoration.images.parts import Part, part_name

COMMIT = "0123456789" * 4
NAME = "someone/small"


@pytest.fixture
def served(weights):
    """A Hub that has the small weights, and their commit."""
    with hub() as one:
        yield one, one.put(NAME, weights)


WRONG = {
    "busy": "429, Too Many Requests; try again in 7 s",
    "ill": "500, Internal Server Error; try again later",
    "away": "503, Service Unavailable; try again later",
    "teapot": "418, I'm a Teapot",
    "silent": "does not answer, it was silent for too long",
    "circle": "redirects in a circle",
    "page": "is no Hub",
    "astray": "is at an address that cannot be used, or redirects to one",
    "escape": "it names no commit, ETag or size that can be used",
    "no etag": "it names no commit, ETag or size that can be used",
    "commit": "it names no commit, ETag or size that can be used",
    "other commit": "the Hub (http://127.0.0.1:",
    "changed": "came damaged, and nothing of it is kept: its SHA-256 is",
    "changed recipe": "came damaged, and nothing of it is kept: its SHA-1 of git is",
    "cut": "did not come whole: the connection was cut after",
    "short": "bytes it should have",
    "long": "did not come whole: the connection was cut after",
    "endless": "of someone/small has 1125899.9 GB, and",
    "huge recipe": "has 1074 MB, too long for such a file",
}


@pytest.mark.parametrize("how", WRONG)
def test_a_server_that_is_wrong_is_named_as_what_it_is_in_one_line(restore, served, tmp_path, how):
    home = tmp_path / "deep" / "home"
    before = everything_beside(home)
    served[0].how = how
    done = restore("weights", "pull", NAME, "-q", env=served[0].env(home), timeout=60)
    assert done.returncode == 2
    assert WRONG[how] in done.stderr
    assert "fault" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert everything_beside(home) == before
    assert not list(home.rglob("*.part"))
    assert not [path for path in home.rglob("*") if path.is_file() and path.stat().st_size > 5000]


def everything_beside(home):
    """All that is around a cache, which nothing may be added to."""
    return {path for path in home.parents[1].rglob("*") if home not in path.parents and path not in (home, home.parent)}


def test_a_server_that_sends_a_byte_now_and_then_is_left(restore, served, tmp_path):
    served[0].how = "slow"
    slow = "import restoration.hub.download as download; download.STRETCH = 0.5"
    done = restore("weights", "pull", NAME, "-q", env=served[0].env(tmp_path), first=slow)
    assert done.returncode == 2
    assert "is too slow: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_connection_that_the_server_has_closed_meanwhile_is_opened_again(restore, served, tmp_path):
    hub, _commit = served
    hub.how = "gone"
    done = restore("weights", "pull", NAME, env=hub.env(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [line.partition(" ")[0] for line in hub.requests("model.safetensors")] == ["HEAD", "GET", "GET"]


def test_a_download_that_was_cut_goes_on_where_it_was(restore, served, weights, tmp_path):
    hub, commit = served
    hub.how = "cut once"
    done = restore("weights", "pull", NAME, env=hub.env(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [line.partition(" ")[0] for line in hub.requests("model.safetensors")] == ["HEAD", "GET", "GET"]
    blob = tmp_path / "hub/models--someone--small/snapshots" / commit / "model.safetensors"
    assert done.stdout == f"{blob.parent}\n"
    assert blob.read_bytes() == (weights / "model.safetensors").read_bytes()
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    hub.how = ""
    again = restore("weights", "pull", NAME, env=hub.env(tmp_path))
    assert "was damaged, and is removed from the cache" in again.stderr
    assert blob.read_bytes() == (weights / "model.safetensors").read_bytes()
    assert blob.resolve().name == hashlib.sha256(blob.read_bytes()).hexdigest()


def half_pulled(served, home, end):
    """Pull until half of the tensors are there, end the process by a signal, and return what it left of them."""
    hub, _ = served
    hub.how = "halt"
    process = start("-m", "restoration", "weights", "pull", NAME, env=hub.env(home))
    half, left = len(hub.repos[NAME].commits[served[1]]["model.safetensors"]) // 2, []
    until = time.monotonic() + 60
    while not left and time.monotonic() < until:
        time.sleep(0.02)
        with suppress(FileNotFoundError):  # the parts of small files get their names meanwhile
            left = [path for path in (home / "hub").rglob("*.part") if path.stat().st_size == half]
    process.send_signal(end)
    process.communicate(timeout=60)
    hub.how = ""
    hub.asked.clear()
    return left[0], half


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_pull_that_was_killed_goes_on_where_it_was(restore, served, weights, tmp_path, end):
    left, half = half_pulled(served, tmp_path, end)
    assert left.stat().st_size == half
    done = restore("weights", "pull", NAME, env=served[0].env(tmp_path))
    assert done.returncode == 0, done.stderr
    assert served[0].ranges == [f"bytes={half}-"], "the server was to send the rest only"
    assert served[0].requests("GET", "model.safetensors") == [f"GET /{NAME}/resolve/{served[1]}/model.safetensors"]
    model = Path(done.stdout.strip()) / "model.safetensors"
    assert model.read_bytes() == (weights / "model.safetensors").read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_what_a_killed_pull_left_is_fetched_anew_where_it_does_not_fit(restore, served, weights, tmp_path):
    left, half = half_pulled(served, tmp_path, signal.SIGKILL)
    left.write_bytes(b"?" * half)
    done = restore("weights", "pull", NAME, env=served[0].env(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "model.safetensors").read_bytes() == (
        weights / "model.safetensors"
    ).read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_what_another_process_fetches_at_the_moment_is_left_to_it(restore, served, weights, tmp_path):
    sha256 = hashlib.sha256((weights / "model.safetensors").read_bytes()).hexdigest()
    blobs = tmp_path / "hub/models--someone--small/blobs"
    blobs.mkdir(parents=True)
    other = Part(blobs / sha256, resumed=part_name(sha256))
    other.write(b"?")
    done = restore("weights", "pull", NAME, env=served[0].env(tmp_path))
    assert done.returncode == 0, done.stderr
    assert served[0].ranges == []
    assert other.part.read_bytes() == b"?"
    other.discard()


def test_large_files_come_from_another_host_which_is_not_shown_the_token(restore, served, tmp_path):
    hub, _ = served
    hub.how = "elsewhere"
    done = restore("weights", "pull", NAME, env=hub.env(tmp_path, "hf_secret"))
    assert done.returncode == 0, done.stderr
    assert ("127.0.0.1", "Bearer hf_secret") in hub.tokens
    assert {token for host, token in hub.tokens if host == "localhost"} == {None}


def test_offline_asks_nothing_at_all_and_a_server_that_is_ill_leaves_the_cache(restore, served, tmp_path):
    hub, commit = served
    hub.repos[NAME].refs["v1.0"] = commit
    env = hub.env(tmp_path)
    assert restore("weights", "pull", f"{NAME}@v1.0", env=env).returncode == 0
    hub.asked.clear()
    for which, code in ((f"{NAME}@v1.0", 0), (f"{NAME}@{commit}", 0), ("someone/other", 2)):
        for offline in (("--offline",), ()):
            variable = {} if offline else {"HF_HUB_OFFLINE": "1"}
            done = restore("weights", "pull", which, *offline, env={**env, **variable})
            assert done.returncode == code, done.stderr
    assert restore("weights", "pull", f"{NAME}@{commit}", env=env).returncode == 0
    assert hub.asked == [], "a full commit that is in the cache needs nobody"
    hub.how = "away"
    done = restore("weights", "pull", f"{NAME}@v1.0", env=env)
    assert done.returncode == 0
    assert "503, Service Unavailable; try again later; someone/small is that of the cache" in done.stderr


def test_a_branch_that_moved_brings_the_new_commit_and_an_old_one_stays_where_it_is(restore, served, tmp_path, weights):
    hub, first = served
    env = hub.env(tmp_path)
    assert first in restore("weights", "pull", NAME, env=env).stdout
    changed = shutil.copytree(weights, tmp_path / "changed")
    (changed / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Other words\n")
    second = hub.put(NAME, changed)
    moved = restore("weights", "pull", NAME, "--json", env=env)
    assert second in moved.stdout
    assert moved.stderr == "", "the tensors are the same, so nothing large is fetched"
    assert len(hub.requests("GET", "model.safetensors")) == 1
    assert first in restore("weights", "pull", f"{NAME}@{first}", env=env).stdout
    gone = restore("weights", "pull", f"{NAME}@v9", env=env)
    assert (gone.returncode, gone.stderr) == (2, f"error: {NAME} on the Hub has no revision 'v9'\n")


def test_what_is_private_gated_or_gone_is_told_from_what_is_there(restore, served, weights, tmp_path):
    hub, _ = served
    hub.put("someone/hidden", weights, private=True)
    hub.put("someone/asking", weights, gated=True)
    (bare := tmp_path / "bare").mkdir()
    (bare / "README.md").write_text("# nothing\n")
    hub.put("someone/bare", bare)
    for name, words in {
        "someone/hidden": "is not on the Hub, or is private (then `hf auth login`)",
        "someone/asking": "is gated: ask for access on its page, then `hf auth login`",
        "someone/gone": "is not on the Hub, or is private",
        "someone/bare": "is not a set of weights: it lacks config.json",
        "ir-sde/derian": "did you mean 'ir-sde/derain'?",
        "folder/none.pth": "there is no such file or folder",
    }.items():
        done = restore("weights", "pull", name, env=hub.env(tmp_path / "home"))
        assert done.returncode == 2 and words in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1
    for name in ("someone/hidden", "someone/asking"):
        assert restore("weights", "pull", name, env=hub.env(tmp_path / "owner", TOKEN)).returncode == 0


def test_the_first_pull_says_what_from_where_how_large_and_under_which_licence(restore, weights, tmp_path):
    own = shutil.copytree(weights, tmp_path / "own")
    with hub() as one:
        for text, words in (
            ("---\nlicense: cc-by-4.0\n---\n", "licence cc-by-4.0"),
            ("---\nlicense: other\nlicense_name: Ours\n---\n", "licence ours"),
            ("# nothing\n", "no licence stated"),
            ('---\nlicense: "\\e[31mred"\n---\n', "[31mred"),
        ):
            (own / "README.md").write_text(text)
            home = tmp_path / f"home {words}" / str(len(text))
            commit = one.put("someone/own", own)
            done = restore("weights", "pull", "someone/own", env=one.env(home))
            assert done.returncode == 0, done.stderr
            size = (own / "model.safetensors").stat().st_size / 1e6
            assert done.stderr.startswith(
                f"note: fetching someone/own@{commit[:12]} from the Hub ({one.url}): {size:.1f} MB"
            )
            assert done.stderr.strip().endswith(words)
            assert "\x1b" not in done.stderr
            assert len(done.stderr.splitlines()) == 1
        again = restore("weights", "pull", "someone/own", env=one.env(home))
        assert (again.returncode, again.stderr) == (0, "")
        del one.repos["someone/own"]
        gone = restore("weights", "pull", "someone/own", env=one.env(home))
        assert (
            "is not on the Hub, or is private" in gone.stderr and "--offline takes what is in the cache" in gone.stderr
        )


def test_a_repository_is_looked_at_without_its_tensors(restore, served, tmp_path, weights):
    hub, commit = served
    done = restore("weights", "show", NAME, "--json", env=hub.env(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f'"origin": "{NAME}@{commit}", "path": null, "mb": ' in done.stdout
    assert hub.requests("GET", "model.safetensors") == []
    assert len(hub.requests("HEAD", "model.safetensors")) == 1
    assert "# ir-sde/derain" in restore("weights", "show", NAME, env=hub.env(tmp_path)).stdout
    assert restore("weights", "show", NAME, "--offline", env=hub.env(tmp_path)).returncode == 0
    lacking = restore("weights", "pull", NAME, "--offline", env=hub.env(tmp_path))
    assert (lacking.returncode, "is not in the Hub's cache" in lacking.stderr) == (2, True)


def test_a_dry_run_says_what_would_be_fetched_and_fetches_nothing(restore, served, tmp_path, rainy):
    hub, commit = served
    how = ("run", "-m", "ir-sde", "-t", "derain", "--weights", NAME, rainy, "--dry-run")
    dry = restore(*how, env=hub.env(tmp_path / "home"))
    assert dry.returncode == 0, dry.stderr
    assert f"weights {NAME}@{commit}, 0.0 MB to be fetched)" in dry.stdout
    assert hub.requests("GET", "model.safetensors") == []
    assert "state no licence" in restore(*how, "--license", "mit", env=hub.env(tmp_path / "home")).stderr
    assert restore("weights", "pull", NAME, env=hub.env(tmp_path / "home")).returncode == 0
    here = restore(*how, "--json", env=hub.env(tmp_path / "home"))
    assert f'"weights": "{NAME}@{commit}", "weights_mb"' in here.stdout


def test_the_hub_is_told_who_asks_and_for_what(restore, served, tmp_path, rainy):
    hub, _ = served
    how = ("-m", "ir-sde", "-t", "derain", "--weights", NAME, "--steps", 1)
    done = restore("run", *how, rainy, env=hub.env(tmp_path))
    assert done.returncode == 0, done.stderr
    agent = next(agent for agent in hub.agents if "method/" in agent)
    assert agent.startswith("restoration/") and agent.endswith("; method/ir-sde; task/derain")
    assert "; hf_hub/" in agent


def test_code_that_lies_in_a_repository_is_neither_fetched_nor_run(restore, weights, tmp_path):
    own = shutil.copytree(weights, tmp_path / "own")
    for name in ("evil.py", "pytorch_model.bin", "__init__.py", "setup.py"):
        (own / name).write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    with hub() as one:
        one.put("someone/own", own)
        done = restore("weights", "pull", "someone/own", "-o", tmp_path / "here", env=one.env(tmp_path / "home"))
        assert done.returncode == 0, done.stderr
        assert {line.rpartition("/")[2] for line in one.requests("resolve")} == {
            "config.json",
            "README.md",
            "model.safetensors",
        }
        assert sorted(os.listdir(tmp_path / "here")) == ["README.md", "config.json", "model.safetensors"]
        assert not (tmp_path / "run").exists()
        twice = restore("weights", "pull", "someone/own", "-o", tmp_path / "here", env=one.env(tmp_path / "home"))
        assert (twice.returncode, "is already there; name another folder with -o" in twice.stderr) == (2, True)


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
