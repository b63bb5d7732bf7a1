"""Which weights a command may use: those of some licences, or those of a lock, to the byte, wherever they come from."""

from __future__ import annotations

import json
import shutil
import tomllib

import pytest
from hub import hub
from small import picture

from restoration import load
from restoration.errors import BadOption, BadWeights
from restoration.hub.licenses import Licenses
from restoration.hub.lock import Lock, Locked
from restoration.hub.terms import current_terms, under_terms
from restoration.images import write
from restoration.weights import resolve

HASH = "a" * 64


@pytest.fixture
def project(tmp_path, weights):
    """A folder with a small picture, and weights of a licence that is not for everybody."""
    write(picture(), tmp_path / "small.png")
    own = shutil.copytree(weights, tmp_path / "own")
    (own / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    return tmp_path


def run(restore, project, *more, env=None):
    how = ("-m", "ir-sde", "-t", "derain", "--steps", 1, "--accept", "--overwrite", "-q")
    return restore("run", *how, *more, "small.png", cwd=project, env=env)


def test_permissive_is_a_word_for_many_licences_and_names_can_be_given_too():
    permissive = Licenses.parsed("permissive, CC-BY-NC-4.0")
    for name in ("mit", "MIT", "apache-2.0", "cc0-1.0", "cc-by-nc-4.0"):
        permissive.check("x", name)
    for name in ("gpl-3.0", "openrail", "cc-by-nc-sa-4.0", "other"):
        with pytest.raises(BadWeights, match=f"weights x have the licence {name}, and only permissive"):
            permissive.check("x", name)
    with pytest.raises(BadWeights, match="weights x state no licence"):
        permissive.check("x", "")
    with pytest.raises(BadOption, match="names no licence"):
        Licenses.parsed(" , ")


def test_terms_hold_until_their_end_and_for_what_is_within_them(project):
    with under_terms(license="mit"):
        assert resolve("ir-sde/derain", "ir-sde", "derain") is not None
        with under_terms(license="cc-by-nc-4.0"):
            assert resolve(str(project / "own"), "", "") is not None
            with pytest.raises(BadWeights, match="ir-sde/derain have the licence mit"):
                resolve(None, "ir-sde", "derain")
        with pytest.raises(BadWeights, match=r"have the licence cc-by-nc-4\.0"):
            load(str(project / "own"))
    assert current_terms().licenses is None
    assert load(str(project / "own"), device="cpu").task == "derain"


def test_a_method_that_is_not_installed_is_named_with_what_brings_it(project):
    recipe = json.loads((project / "own" / "config.json").read_text())
    recipe["method"], recipe["requires"] = {"name": "nobody"}, ["restoration-nobody>=1"]
    (project / "own" / "config.json").write_text(json.dumps(recipe))
    with pytest.raises(BadWeights, match=r"no method is named 'nobody'.*pip install 'restoration-nobody>=1'"):
        load(str(project / "own"))
    with pytest.raises(BadOption, match="a revision is for the name of a repository"):
        load(str(project / "own"), revision="v1")


def test_run_score_and_train_take_weights_of_some_licences_only(restore, project, pictures):
    assert "names no licence" in run(restore, project, "--license", "").stderr
    words = "have the licence cc-by-nc-4.0, and only permissive is taken"
    assert words in run(restore, project, "--weights", "own", "--license", "permissive").stderr
    assert run(restore, project, "--weights", "own", "--license", "cc-by-nc-4.0").returncode == 0
    assert run(restore, project, "--license", "permissive").returncode == 0
    known = ("-m", "ir-sde", "-t", "derain", "--data", pictures, "--weights", "own", "--license", "permissive")
    assert words in restore("score", *known, cwd=project).stderr
    begin = ("ir-sde", "-t", "derain", "--data", pictures, "--out", "out", "--start", "own")
    assert words in restore("train", *begin, "--start-license", "permissive", cwd=project).stderr
    assert not (project / "out").exists()
    sample = restore("sample", "--locked", "-n", 1, "-o", "sheet.png", cwd=project)
    assert "there is no restoration.lock" in sample.stderr, "as for commands of plugins"


def test_what_is_not_taken_is_not_fetched(restore, project):
    with hub() as one:
        one.put("someone/own", project / "own")
        done = restore("weights", "pull", "someone/own", "--license", "permissive", env=one.env(project / "home"))
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "have the licence cc-by-nc-4.0" in done.stderr
        assert one.requests("GET", "model.safetensors") == []


def test_a_lock_names_commits_and_bytes_and_nothing_else_runs_under_it(restore, project, weights):
    with hub() as one:
        commit, env = one.put("someone/derain", weights), one.env(project / "home")
        locked = restore("weights", "lock", "someone/derain", "ir-sde/derain", "own", env=env, cwd=project)
        assert locked.returncode == 0, locked.stderr
        found = tomllib.loads((project / "restoration.lock").read_text())["weights"]
        assert [one["name"] for one in found] == ["ir-sde/derain", "own", "someone/derain"]
        assert found[2]["revision"] == commit and found[0]["sha256"].keys() == {"config.json", "model.safetensors"}
        (changed := project / "changed").mkdir()
        (changed / "config.json").write_bytes((weights / "config.json").read_bytes() + b"\n")
        moved = one.put("someone/derain", changed)
        one.asked.clear()
        assert run(restore, project, "--weights", "someone/derain", "--locked", env=env).returncode == 0
        assert one.asked == [], "the commit is that of the lock, and in the cache"
        for name in (f"someone/derain@{moved}", "someone/other", "regression/derain", str(weights)):
            done = run(restore, project, "--weights", name, "--locked", env=env)
            assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
            assert f"weights {name} are not in restoration.lock" in done.stderr
        assert run(restore, project, "--locked", env=env).returncode == 0, "the default is in the lock"
        assert run(restore, project, "--weights", "./own", "--locked", env=env).returncode == 0
        shutil.rmtree(project / "home")
        again = restore("weights", "pull", "--locked", "--json", env=env, cwd=project)
        assert json.loads(again.stdout)["origin"] == f"someone/derain@{commit}"
        (project / "own/config.json").write_bytes((project / "own/config.json").read_bytes() + b" ")
        done = run(restore, project, "--weights", "own", "--locked", env=env)
        assert "config.json of own is not that of restoration.lock: its SHA-256 is" in done.stderr
        verified = restore("weights", "verify", env=env, cwd=project)
        assert verified.returncode == 1
        assert "own: config.json of own is not that" in verified.stderr or "config.json of own" in verified.stderr
        assert len(verified.stdout.splitlines()) == 4


def test_weights_that_are_not_in_a_lock_that_is_not_there_are_told_how_to_get_there(restore, project):
    done = run(restore, project, "--locked")
    assert done.stderr == "error: there is no restoration.lock; `restore weights lock NAME...` writes one\n"
    for text in ("weights = 5", "[[weights]]\nname = 'x'", "[[weights", "[[weights]]\nname=1\nrevision=''\nsha256={}"):
        (project / "restoration.lock").write_text(text)
        done = run(restore, project, "--locked")
        assert done.stderr.startswith("error: restoration.lock is no lock: ")
        assert len(done.stderr.splitlines()) == 1


def test_a_lock_is_read_back_as_it_was_written(tmp_path):
    names = ['a"b', "ä/ö", "x\\y", "owner/name@v1"]
    sets = [Locked(name=name, revision="1" * 40, sha256={"model.safetensors": HASH}) for name in names]
    lock = Lock(path=tmp_path / "restoration.lock").with_sets(*sets)
    lock.path.write_text(lock.text())
    assert Lock.read(lock.path) == lock
    assert lock.with_sets(sets[0]) == lock
    assert lock.pinned("owner/name@v1") == f"owner/name@{'1' * 40}"
    assert lock.find(f"owner/name@{'1' * 40}").name == "owner/name@v1"
    with pytest.raises(BadWeights, match=r"weights owner/name are not in .*; did you mean 'owner/name@v1'"):
        lock.find("owner/name")


def test_a_set_is_verified_against_its_recipe_its_cache_and_the_hub(restore, project, weights):
    with hub() as one:
        commit, env = one.put("someone/derain", weights), one.env(project / "home")
        done = restore("weights", "verify", "someone/derain", "ir-sde/derain", env=env, cwd=project)
        assert done.returncode == 0, done.stderr
        assert [line.split("  ")[1:] for line in done.stdout.splitlines()] == [
            [f"someone/derain@{commit}", "config.json"],
            [f"someone/derain@{commit}", "model.safetensors"],
            ["ir-sde/derain", "config.json"],
            ["ir-sde/derain", "model.safetensors"],
        ]
        one.how = "other commit"
        wrong = restore("weights", "verify", f"someone/derain@{commit}", env=env, cwd=project)
        assert (wrong.returncode, len(wrong.stderr.splitlines())) == (1, 1)
    (project / "own/model.safetensors").write_bytes((weights / "model.safetensors").read_bytes()[:-4])
    broken = restore("weights", "verify", "own", cwd=project)
    assert (broken.returncode, broken.stdout) == (1, "")


def without(path, name):
    """Write a lock again without one of its sets."""
    lock = Lock.read(path)
    path.write_text(Lock(path=path, sets=tuple(one for one in lock.sets if one.name != name)).text())


@pytest.mark.parametrize("mean", ["", "regression/derain", "./mean"])
def test_the_mean_that_weights_go_with_is_locked_with_them(restore, project, mean):
    recipe = json.loads((project / "own" / "config.json").read_text()) | {"realism": 0.5, "mean": mean}
    (project / "own" / "config.json").write_text(json.dumps(recipe))
    if mean == "./mean":
        shutil.copytree(resolve("regression/derain", "", "").path, project / "own" / "mean")
    where, lock = "own/mean" if mean == "./mean" else "regression/derain", project / "restoration.lock"
    locked = restore("weights", "lock", "own", cwd=project)
    assert [line.split("\t")[0] for line in locked.stdout.splitlines()] == ["own", where], locked.stderr
    assert run(restore, project, "--weights", "own", "--locked").returncode == 0
    verified = restore("weights", "verify", "--offline", cwd=project)
    assert (verified.returncode, len(verified.stdout.splitlines())) == (0, 4), verified.stderr
    without(lock, where)
    (project / "small.restored.png").unlink()
    done = run(restore, project, "--weights", "own", "--locked")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"weights {where} are not in restoration.lock" in done.stderr
    assert f"weights {where} are not in" in restore("weights", "verify", "own", "--offline", cwd=project).stderr
    assert not (project / "small.restored.png").exists()
    assert restore("weights", "lock", where, cwd=project).returncode == 0
    assert run(restore, project, "--weights", "own", "--locked").returncode == 0
    without(lock, "own")
    assert "weights own are not in restoration.lock" in run(restore, project, "--weights", "own", "--locked").stderr


def test_a_mean_that_a_recipe_names_and_that_is_not_there_cannot_be_locked(restore, project):
    recipe = json.loads((project / "own" / "config.json").read_text()) | {"realism": 0.5, "mean": "./mean"}
    (project / "own" / "config.json").write_text(json.dumps(recipe))
    done = restore("weights", "lock", "own", cwd=project)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "own/mean: there is no such folder, with the weights of the mean" in done.stderr
    assert not (project / "restoration.lock").exists()
