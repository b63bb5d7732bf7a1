"""Several processes train as one would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small import SMALL
from together import STEPS, fail, recipes, train_all
from torch import nn
from waiting import die, refuse, wait

from restoration.cli.processes import free_port, launch
from restoration.errors import BadOption, RestorationError
from restoration.training.parallel import own_device, place, whole_batch
from restoration.weights import MODEL

pytest.importorskip("accelerate")
psutil = pytest.importorskip("psutil")

TRAIN = (
    *("train", "ir-sde", "--task", "derain", "--device", "cpu", "--precision", "fp32", "--patch", "16", "--batch", "5"),
    *("--steps", "10", "--validate-every", "5", "--log-every", "1", "--lr", "0.01"),
    *(word for name, value in SMALL.items() for word in ("--set", f"network.{name}={json.dumps(value)}")),
)


@pytest.fixture(scope="module")
def alone_and_together(pictures):
    threads = torch.get_num_threads()
    seen: list[str] = []
    alone = train_all(pictures, seen.append)
    assert seen == list(recipes())
    torch.set_num_threads(threads)
    shared = launch(2, 1, partial(train_all, pictures), seen.append)
    assert seen == [*recipes(), *recipes()], "the first process speaks, and it alone"
    return alone, shared


@pytest.mark.parametrize("name", recipes())
def test_two_processes_have_the_losses_and_weights_of_one_with_the_same_batch(alone_and_together, name):
    (losses, state, _, _), (shared_losses, shared_state, checks, same_draws) = (run[name] for run in alone_and_together)
    assert len(losses) == len(set(losses)) == STEPS
    assert shared_losses == pytest.approx(losses, rel=1e-5)
    for key, value in state.items():
        assert torch.allclose(shared_state[key], value, rtol=1e-4, atol=1e-4), key
    assert len(checks) == 2
    assert checks[0] == checks[1], "the processes have drifted apart"
    assert same_draws


def numbers(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: line[name] for name in line.keys() - {"seconds", "steps_per_second"}} for line in lines]


def test_two_machines_under_accelerate_launch_train_as_one_process(pictures, tmp_path, restore):
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2"]
    command += ["--num_processes", "2", "--main_process_ip", "127.0.0.1", "--main_process_port", str(free_port())]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    machines = []
    for rank in range(2):
        here = ("--data", str(pictures), "--out", str(tmp_path / f"machine{rank}"))
        arguments = [*command, "--machine_rank", str(rank), "-m", "restoration", *TRAIN, *here]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        machines.append(subprocess.Popen(arguments, env=environment, **pipes))
    alone = restore(*TRAIN, "--data", pictures, "--out", tmp_path / "alone", env=environment)
    said = [machine.communicate(timeout=300) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert alone.returncode == 0, alone.stderr
    assert [answer for answer, _ in said] == [f"{tmp_path}/machine0\n", ""], "the first speaks for all"
    assert "step 10 of 10" in said[0][1]
    assert "step" not in said[1][1]
    assert not (tmp_path / "machine1").exists()
    lines, expected = numbers(tmp_path / "machine0"), numbers(tmp_path / "alone")
    assert len(lines) == len(expected) == 10
    for line, other in zip(lines, expected, strict=True):
        assert line == pytest.approx(other, rel=1e-5)
    weights, others = (load_file(tmp_path / name / MODEL) for name in ("machine0", "alone"))
    for name, value in weights.items():
        assert torch.allclose(value.float(), others[name].float(), rtol=2e-3, atol=1e-4), f"{name}, in half precision"
    assert json.loads((tmp_path / "machine0" / "config.json").read_text())["training"]["processes"] == 2


def test_processes_that_begin_from_different_things_say_so(alone_and_together):
    alone, shared = alone_and_together
    assert "disagreement" not in alone
    assert shared["disagreement"] == "process 2 of 2 has another recipe; give all the same"


def test_a_batch_is_not_smaller_than_the_processes_that_share_it(pictures, tmp_path, restore):
    done = restore(*TRAIN, "--processes", 2, "--batch", 1, "--data", pictures, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr == "error: a batch of 1 is too small for 2 processes; use a larger --batch\n"


def test_what_is_wrong_in_every_process_is_said_once_and_as_it_is():
    with pytest.raises(RestorationError) as caught:
        launch(2, 1, refuse, print)
    assert str(caught.value) == "no picture is large enough"


def test_the_error_of_a_process_is_told_and_not_that_others_miss_it():
    with pytest.raises(RestorationError) as caught:
        launch(2, 1, fail, print)
    assert str(caught.value) == "process 2 of 2 failed: ZeroDivisionError: the second one fails"
    assert "Traceback" in caught.value.__notes__[0]


def started(folder: Path, number: int) -> list[int]:
    """The processes that have written themselves into a folder, once there are that many."""
    until = time.monotonic() + 100
    while time.monotonic() < until:
        numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        if len(numbers) == number:
            return numbers
        time.sleep(0.01)
    raise AssertionError(f"{number} processes did not start")


def ended(numbers: list[int]) -> bool:
    """Say whether processes are gone; those of another parent may take a moment."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if not any(psutil.pid_exists(n) and psutil.Process(n).status() != psutil.STATUS_ZOMBIE for n in numbers):
            return True
        time.sleep(0.05)
    return False


def test_a_process_that_is_killed_ends_the_others_and_is_named(tmp_path):
    with pytest.raises(RestorationError) as caught:
        launch(2, 1, partial(die, tmp_path), print)
    assert str(caught.value).startswith("process 2 of 2 was ended by SIGKILL; out of memory, perhaps")
    assert all(ended([int(path.name)]) for path in tmp_path.iterdir())


def test_ctrl_c_ends_all_processes(tmp_path):
    numbers = []

    def press() -> None:
        numbers.extend(started(tmp_path, 2))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        launch(2, 1, partial(wait, tmp_path), print)
    assert len(numbers) == 2
    assert ended(numbers)


def test_processes_do_not_outlive_the_one_that_started_them(tmp_path):
    process = subprocess.Popen([sys.executable, Path(__file__).with_name("waiting.py"), tmp_path])
    numbers = started(tmp_path, 2)
    process.kill()
    process.wait()
    assert ended(numbers)


def test_a_launcher_of_torch_or_of_mpi_says_which_process_this_is(monkeypatch):
    assert place() == (0, 1)
    assert own_device("cuda") == "cuda"
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "3")
    assert place() == (3, 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert place() == (1, 2)
    assert own_device("cpu") == "cpu"
    assert own_device("cuda:1") == "cuda:1"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert own_device("auto") == "cpu"


def test_a_layer_that_needs_the_whole_batch_and_is_not_known_is_refused():
    with pytest.raises(BadOption, match="SyncBatchNorm, which needs the whole batch; train in one process"):
        whole_batch(nn.SyncBatchNorm(3))
