"""What several tests need: small weights, a small picture, and the command line as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small import make_weights, picture

from restoration.images import write

Restore = Callable[..., "subprocess.CompletedProcess[str]"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # shells start background jobs so; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights of ir-sde for derain."""
    return make_weights(tmp_path_factory.mktemp("weights") / "ir-sde")


@pytest.fixture
def rainy(tmp_path: Path) -> Path:
    """The path of a small picture."""
    path = tmp_path / "rainy.png"
    write(picture(), path)
    return path


@pytest.fixture(scope="session")
def restore() -> Restore:
    """Run `restore` as a process; keywords are those of `subprocess.run`."""

    def run(*arguments: object, **keywords: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "restoration", *map(str, arguments)]
        settings: dict[str, object] = {"capture_output": True, "text": True, "timeout": 300}
        return subprocess.run(command, check=False, **{**settings, **keywords})  # type: ignore[call-overload,no-any-return]

    return run


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four small clean pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(4):
        write(picture(40, 48, seed), folder / f"{seed}.png")
    return folder
