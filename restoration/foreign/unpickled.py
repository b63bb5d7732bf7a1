"""Reads a pickle of tensors in a process of its own, which has limits, and writes the tensors as safetensors.

    python -m restoration.foreign.unpickled FILE OUT

Only `weights_only` unpickling is done, which builds tensors and plain values and calls nothing else. The last line of
stderr says what is wrong with a file.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MOST_TENSORS = 10_000
"""Tensors that a network may have; the largest of all have a few thousand."""
DEEPEST = 4
"""How many dicts deep the tensors of a network may lie."""
LONGEST = 8
"""The parts of a list that the tensors of a network may lie in; longer ones are of numbers."""
SPARE = 1 << 30
"""The bytes of memory that are allowed beyond a few times those of the file."""
LIKELY = ("params_ema", "ema", "generator", "netG", "net_g", "params", "state_dict", "model", "net")
"""Parts of the names that dicts with the wanted network have in files of several, the likeliest first."""
OTHERS = ("optim", "discriminator", "netD", "net_d", "schedulers")
"""Parts of the names of what no picture is restored by."""


class Refused(Exception):
    """Says what is wrong with the file."""


def limit(size: int) -> None:
    """Limit the memory, the time and the files of this process, for a file of so many bytes."""
    try:
        import resource
    except ImportError:  # only Unix has it
        return
    used = 0
    with suppress(OSError, ValueError, IndexError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_CPU: 60 + size // 10_000_000, resource.RLIMIT_FSIZE: 4 * size + SPARE}
    if used:
        limits[resource.RLIMIT_AS] = used + 4 * size + SPARE
    for kind, most in limits.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def unpickle(path: str) -> Any:
    """Return what a file holds, of tensors and plain values only. Raises `Refused`."""
    import pickle

    import torch

    torch.serialization.add_safe_globals([argparse.Namespace])  # of options, which some files have: plain values
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError as error:
        raise Refused("it asks for more memory than a file of its size may need") from error
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        needs = f"it needs code, {named[1]}," if named else "it needs code"
        if "Weights only load failed" in str(error) and (named or "Unsupported" in str(error)):
            raise Refused(f"{needs} and no code of a file is run") from error
        raise Refused("it is no file of tensors, or a damaged one") from error
    except Exception as error:
        text = str(error)
        if "TorchScript" in text:
            raise Refused("it is TorchScript, which is code, and no code of a file is run") from error
        if "alloc" in text or "memory" in text:
            raise Refused("it asks for more memory than a file of its size may need") from error
        raise Refused("it is no file of tensors, or a damaged one") from error


def groups(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yield the tensors of every dict of a file, with the names of the dicts that it lies in.

    Of a list the last is first: averaged weights come after those that they are averages of.
    """
    from torch import Tensor

    if len(path) > DEEPEST:
        return
    if isinstance(value, list | tuple) and len(value) <= LONGEST:
        for place, one in reversed([*enumerate(value)]):
            yield from groups(one, (*path, str(place)))
    if not isinstance(value, Mapping):
        return
    own = {str(name): one for name, one in value.items() if isinstance(one, Tensor)}
    if own:
        yield path, own
    for name, one in value.items():
        yield from groups(one, (*path, str(name)))


def wanted(value: Any) -> dict[str, Tensor]:
    """Return the tensors of the network that restores, of all that a file holds. Raises `Refused`."""
    found = [(path, own) for path, own in groups(value) if not any(word in ".".join(path) for word in OTHERS)]
    if not found:
        raise Refused("it holds no tensors by names")

    def rank(one: tuple[tuple[str, ...], dict[str, Tensor]]) -> tuple[int, int]:
        path = ".".join(one[0])
        return next((place for place, word in enumerate(LIKELY) if word in path), len(LIKELY)), -len(one[1])

    most = max(len(own) for _, own in found)
    return min((one for one in found if 2 * len(one[1]) >= most), key=rank)[1]


def main() -> int:
    """Read the one file, write the other; return 1, with a line, for a file that is refused."""
    import torch  # before there are limits: it takes much more than a file
    from safetensors.torch import save_file

    path, out = sys.argv[1:]
    try:
        limit(Path(path).stat().st_size)
        tensors = wanted(unpickle(path))
        if len(tensors) > MOST_TENSORS:
            raise Refused(f"it holds {len(tensors)} tensors; no network has so many")
        plain = {name: value.detach().to(torch.device("cpu")) for name, value in tensors.items()}
        save_file({name: value.clone(memory_format=torch.contiguous_format) for name, value in plain.items()}, out)
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError, ValueError, OSError) as error:
        known = isinstance(error, MemoryError) or "alloc" in str(error) or "memory" in str(error)
        print("it asks for more memory than a file of its size may need" if known else f"{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
