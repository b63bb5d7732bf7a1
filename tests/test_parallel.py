"""Several processes train as one would."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import torch
from forking import Process, start
from safetensors.torch import load_file
from together import ALL, WHOLE, recipes, train_all, train_whole
from torch import nn

from restoration.cli.processes import OURS, launch
from restoration.errors import BadOption, RestorationError
from restoration.training.parallel import Processes, join, rank_and_world_size
from restoration.weights import MODEL

pytest.importorskip("accelerate")
psutil = pytest.importorskip("psutil")

HERE = Path(__file__).parent
PLUGIN = '''"""An objective that fails in the second process."""
import os
from restoration import ObjectiveCard, hookimpl

@hookimpl
def register_objectives():
    yield ObjectiveCard(name="failing", factory="failing:Failing", summary="fails", path=False)

class Failing:
    def loss(self, network, schedule, x, y, rng):
        if os.environ["RANK"] == "1":
            raise ZeroDivisionError("the second one fails\\nin two lines")
        return (network(y, y, y.new_ones(len(y))) - x).square().mean((1, 2, 3))

    def clean(self, network, schedule, x_t, y, t):
        return network(y, y, t)
'''


def take_back_environment(patch: pytest.MonkeyPatch) -> None:
    """What `launch` leaves in the environment goes after the test."""
    for name in (OURS, "OMP_NUM_THREADS", "TORCHELASTIC_SIGNALS_TO_HANDLE"):
        patch.setenv(name, "1")


@pytest.fixture(scope="module")
def together_in(tmp_path_factory):
    return tmp_path_factory.mktemp("together")


def start_as_launcher(rank: int, world_size: int, port: int, *arguments: object) -> Process:
    """Start `together.py` as one of several processes, with what a launcher of torch puts into the environment."""
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "LOCAL_WORLD_SIZE": world_size}
    variables = {**ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return start(HERE / "together.py", *arguments, env=os.environ | {name: str(one) for name, one in variables.items()})


@pytest.fixture(scope="module")
def alone_and_together(pictures, together_in):
    out = together_in / "result.pt"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    runs = [start_as_launcher(rank, 2, port, pictures, out) for rank in range(2)]
    alone = train_all(pictures, Processes(device=torch.device("cpu")))
    said = [run.communicate(timeout=200) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    return alone, torch.load(out)


@pytest.mark.parametrize("name", recipes())
def test_two_processes_have_the_losses_and_weights_of_one_with_the_same_batch(alone_and_together, name):
    alone, together = (run[name] for run in alone_and_together)
    assert len(alone["losses"]) == len(set(alone["losses"])) == ALL.steps
    assert together["losses"] == pytest.approx(alone["losses"], abs=2e-6)
    assert together["weights"].keys() == alone["weights"].keys()
    for key, value in alone["weights"].items():
        assert torch.allclose(together["weights"][key], value, rtol=1e-4, atol=1e-4), key
    first, second = together["sums"]
    assert first == second, "the processes have drifted apart"


def test_processes_that_begin_from_different_things_say_so(alone_and_together):
    alone, together = alone_and_together
    assert "disagreement" not in alone
    expected = "process 2 of 2 has another recipe than the first; give all of them the same"
    assert together["disagreement"] == expected


def numbers(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: line[name] for name in line.keys() - {"seconds", "steps_per_second"}} for line in lines]


def test_two_processes_leave_the_log_and_the_weights_of_one(alone_and_together, pictures, tmp_path, together_in):
    out = tmp_path / "out"
    train_whole(pictures, out)
    lines, expected = numbers(together_in / "out"), numbers(out)
    assert len(lines) == len(expected) == WHOLE.steps
    for line, other in zip(lines, expected, strict=True):
        assert line == pytest.approx(other, rel=1e-5)
    weights, others = (load_file(folder / MODEL) for folder in (together_in / "out", out))
    for name, value in weights.items():
        assert torch.allclose(value.float(), others[name].float(), rtol=2e-3, atol=1e-4), f"{name}, in half precision"
    assert json.loads((together_in / "out" / "config.json").read_text())["training"]["processes"] == 2


def test_a_batch_is_not_smaller_than_the_processes_that_share_it(pictures, tmp_path, restore):
    command = ("train", "regression", "--task", "denoise", "--batch", 5, "--processes", 6, "--device", "cpu")
    done = restore(*command, "--data", pictures, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr == "error: a batch of 5 is too small for 6 processes; use a larger --batch\n"


@pytest.mark.slow
def test_the_error_of_one_process_is_one_line_and_a_plugin_of_one_file_is_loaded_in_all(pictures, tmp_path, restore):
    (tmp_path / "failing.py").write_text(PLUGIN, encoding="utf-8")
    command = ["--plugin", tmp_path / "failing.py", "train", "regression", "--task", "denoise", "--network", "dncnn"]
    command += ["--set", "network.depth=2", "--objective", "failing", "--patch", 16, "--steps", 2]
    command += ["--device", "cpu", "--processes", 2]
    done = restore(*command, "--data", pictures, "--out", tmp_path / "out")
    assert done.returncode == 2
    failure = "process 2 of 2 failed: ZeroDivisionError: the second one fails"
    assert done.stderr == f"error: {failure} (--debug shows where)\n"
    assert done.stdout == ""


def started(folder: Path, number: int) -> list[int]:
    """The processes that have written themselves into a folder, once there are that many."""
    until = time.monotonic() + 100
    while time.monotonic() < until:
        numbers = [int(path.name) for path in folder.iterdir()]
        if len(numbers) == number:
            return numbers
        time.sleep(0.01)
    raise AssertionError(f"{number} processes did not start")


def ended(numbers: list[int]) -> bool:
    """Say whether processes are gone."""
    return not any(psutil.pid_exists(n) and psutil.Process(n).status() != psutil.STATUS_ZOMBIE for n in numbers)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("killed", "was ended by SIGKILL (out of memory, perhaps); the same command goes on where it was"),
        ("7", "ended with exit code 7; the same command goes on where it was"),
    ],
)
def test_a_process_that_ends_too_early_ends_the_others_and_is_named(tmp_path, monkeypatch, end, said):
    take_back_environment(monkeypatch)
    with pytest.raises(RestorationError) as caught:
        launch(2, 1, [str(HERE / "waiting.py"), str(tmp_path), end])
    assert str(caught.value) == f"process 2 of 2 {said}"
    assert ended(started(tmp_path, 2))


def test_ctrl_c_ends_all_processes(tmp_path, monkeypatch):
    take_back_environment(monkeypatch)
    numbers = []

    def press() -> None:
        numbers.extend(started(tmp_path, 2))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        launch(2, 1, [str(HERE / "waiting.py"), str(tmp_path)])
    assert len(numbers) == 2
    assert ended(numbers)


def test_a_launcher_of_torch_or_of_mpi_says_which_process_this_is(monkeypatch):
    assert rank_and_world_size() == (0, 1)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "3")
    assert rank_and_world_size() == (3, 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert rank_and_world_size() == (1, 2)
    with pytest.raises(BadOption, match="several processes train on cuda, a GPU each, or on cpu, not on cuda:1"):
        join("cuda:1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(torch.cuda.device_count() + 1))
    with pytest.raises(BadOption, match=r"processes need as many GPUs, and this machine has .*; or use --device cpu"):
        join("cuda")


def test_batch_norms_are_shared_on_gpus_and_refused_where_they_cannot_be(monkeypatch):
    class Special(nn.BatchNorm2d):
        pass

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    gpus = Processes(device=torch.device("cuda"), world_size=2)
    shared = gpus.synchronised(network)
    assert isinstance(shared[1], nn.SyncBatchNorm)
    assert list(shared.state_dict()) == list(network.state_dict())
    with pytest.raises(BadOption, match="a Special, which processes cannot share; train in one"):
        gpus.synchronised(nn.Sequential(Special(4)))
    cpus = Processes(device=torch.device("cpu"), world_size=2)
    network = nn.Sequential(nn.BatchNorm2d(4))
    with pytest.raises(BadOption, match="batch norms, which processes can share on GPUs only; train in one process"):
        cpus.synchronised(network)
    assert Processes(device=torch.device("cpu")).synchronised(network) is network
