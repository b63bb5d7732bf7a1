"""How much memory is free, and whether an error is that it ran out."""

from __future__ import annotations

import torch


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a device, of the system for "cpu"; 8 GB if the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return 8_000_000_000


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch is that memory ran out, on a GPU or in the system's allocator."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error) or "alloc_cpu" in str(error)
