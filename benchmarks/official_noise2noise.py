"""How far our networks with the published weights of Noise2Noise are from the published answers.

    python benchmarks/official_noise2noise.py --pytorch ckpts/ --tensorflow results/

`--pytorch` is the folder `ckpts` of joeylitalien/noise2noise-pytorch, `--tensorflow` one with the files
`network_final-*.pickle` of NVlabs/noise2noise. Neither is in this repository; the answers are.
"""

from __future__ import annotations

import argparse
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from restoration_noise2noise.networks import SharedUNet, StackUNet, from_tensorflow
from safetensors.torch import load_file
from torch import Tensor, nn

ANSWERS = Path(__file__).parent.parent / "plugins/restoration-noise2noise/tests/data/published.safetensors"
ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""All that a pickle of NVlabs may name: arrays; its network becomes a container that runs nothing."""


class Container:
    """What the network was, as it was pickled: its state."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


class Arrays(pickle.Unpickler):
    """Reads arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a name that is allowed, or the container."""
        if (module, name) in ALLOWED:
            return getattr(import_module(module.replace("numpy.core", "numpy._core")), name)
        if (module, name) == ("dnnlib.tflib.network", "Network"):
            return Container
        raise pickle.UnpicklingError(f"{module}.{name} is not read")


def read_tensorflow(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        variables = dict(Arrays(file, encoding="latin1").load().state["variables"])
    return from_tensorflow({name: torch.tensor(value) for name, value in variables.items()})


def compare(network: nn.Module, state: dict[str, Tensor], answers: dict[str, Tensor], name: str) -> None:
    network.load_state_dict(state)
    with torch.inference_mode():
        answer = network.eval()(answers["noisy"][None])
    print(f"{name:20} {float((answer - answers[name]).abs().max()):.1e}")


def main() -> None:
    """Print a line for each set of weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pytorch", type=Path)
    parser.add_argument("--tensorflow", type=Path)
    chosen, answers = parser.parse_args(), load_file(ANSWERS)
    for kind in ("gaussian", "gaussian-clean", "text", "text-clean") if chosen.pytorch else ():
        file = chosen.pytorch / kind / f"n2n-{kind.partition('-')[0]}.pt"
        state = torch.load(file, map_location="cpu", weights_only=True)
        compare(SharedUNet(), state, answers, f"joey_{kind.replace('-', '_')}")
    for kind in ("gaussian-n2n", "gaussian-n2c", "poisson-n2n", "poisson-n2c") if chosen.tensorflow else ():
        state = read_tensorflow(chosen.tensorflow / f"network_final-{kind}.pickle")
        compare(StackUNet(), state, answers, f"nv_{kind.replace('-', '_')}")


if __name__ == "__main__":
    main()
