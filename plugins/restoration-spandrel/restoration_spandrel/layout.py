"""What spandrel makes of a file: its architecture, and a network that can be built again without the file."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from spandrel import ImageModelDescriptor, canonicalize_state_dict
from spandrel.util import get_seq_len

from restoration import BadWeights, Converted, Part
from restoration_spandrel.architectures import architectures, is_extra, telling_names
from restoration_spandrel.network import Denoising, Enlarging, Restoring, measured, shapes_of

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger("restoration")
READ = re.compile(r"(layers\.0\.blocks\.0\.attn\.attns\.0\.rpe_biases|MetaUpsample|sub_mean\.bias)$")
"""The names of the few tensors of which the values, not only the shapes, determine options."""
MOST_VALUES = 8
"""How many of their last numbers are kept."""
TASKS: dict[str, tuple[str, ...]] = {
    "DnCNN": ("denoise",),
    "DRUNet": ("denoise",),
    "SCUNet": ("denoise",),
    "FBCNN": ("jpeg",),
    "MixDehazeNet": ("dehaze",),
    "FFTformer": ("deblur",),
}
"""The tasks of architectures whose files are all for one."""
ANY = ("denoise", "deblur", "derain", "dehaze", "jpeg")
"""Those of all others that keep the size of a picture: whoever has the file knows which."""
NAFNETS: dict[tuple[int, ...], tuple[str, ...]] = {(2, 2, 4, 8): ("denoise",), (1, 1, 1, 28): ("deblur",)}
"""The tasks of the published NAFNets, those of SIDD and of GoPro and REDS, by the blocks of their encoders."""
CLOSE = 1e-5
"""The largest difference between the outputs of the same network, built from a file and from its shapes."""


class SpandrelLayout:
    """Recognises what spandrel does."""

    def convert(self, tensors: Mapping[str, Tensor]) -> Converted | None:
        """Return the network of a file. Raises `BadWeights` for one that no method can use."""
        state = canonicalize_state_dict(dict(tensors))
        found = next((one for one in architectures().architectures("detection") if one.detect(state)), None)
        if found is None:
            return None
        name = found.architecture.id
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            described = found.architecture.load(dict(state))
        if not isinstance(described, ImageModelDescriptor):
            raise BadWeights(f"it is a {found.architecture.name}, which needs a mask beside the picture: not supported")
        if is_extra(str(name)):
            log.warning("%s is of spandrel_extra_arches, whose licences forbid commercial use", found.architecture.name)
        values = {key: state[key].flatten()[-MOST_VALUES:].tolist() for key in state if READ.search(key)}
        options: dict[str, Any] = {"architecture": str(name), "shapes": shapes_of(state)}
        options |= {"values": values} if values else {}
        takes_noise = _takes_noise(described, state)
        network = ("spandrel-denoising" if takes_noise else "spandrel") if described.scale == 1 else "spandrel-sr"
        options["bytes_per_pixel"] = _compare(described, options, network)
        of_task: dict[str, Any] = {"task_options": {"scale": described.scale}} if described.scale > 1 else {}
        if takes_noise:
            of_task = {
                "method": Part("denoising-ode", {"steps": 1}),
                "schedule": Part("noise-level"),
                "objective": Part("clean-matching"),
            }
        return Converted(
            title=_title(described, found.architecture.name),
            network=Part(network, options),
            tensors={f"model.{key}": value for key, value in described.model.state_dict().items()},
            tasks=("sr",) if described.scale > 1 else ("denoise",) if takes_noise else _tasks(str(name), state),
            license="other" if is_extra(str(name)) else "",
            source=f"architecture {found.architecture.name} of spandrel",
            **of_task,
        )

    def names(self) -> Mapping[str, Collection[str]]:
        """Return the names by which each architecture is recognised."""
        known = (one.architecture for one in architectures())
        return {f"{one.name} (spandrel)": names for one in known if (names := telling_names(one))}


def _takes_noise(described: ImageModelDescriptor[nn.Module], state: Mapping[str, Tensor]) -> bool:
    """Return whether a network has a map of the noise as a further channel of its input."""
    name = described.architecture.id
    return bool(name == "DRUNet" or (name == "DnCNN" and state["model.0.weight"].shape[1] > described.input_channels))


def _tasks(name: str, state: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the tasks that an architecture is known for; several if its files are for any."""
    blocks = tuple(get_seq_len(state, f"encoders.{level}") for level in range(4)) if name == "NAFNet" else ()
    return NAFNETS.get(blocks, TASKS.get(name, ANY))


def _title(described: ImageModelDescriptor[nn.Module], name: str) -> str:
    facts = [*described.tags, *(["grey"] if described.input_channels == 1 else [])]
    words = f"{name}{' (' + ', '.join(facts) + ')' if facts else ''}"
    return f"{words}, {described.scale} times larger" if described.scale > 1 else words


@torch.inference_mode()
def _compare(described: ImageModelDescriptor[nn.Module], options: dict[str, Any], network: str) -> int:
    """Check that the network that the options build maps as that of the file does; return its bytes a pixel.

    Raises `BadWeights`.
    """
    kind = {"spandrel": Restoring, "spandrel-sr": Enlarging, "spandrel-denoising": Denoising}[network]
    with torch.random.fork_rng(devices=[]):
        built = kind(**{**options, "shapes": {key: tuple(value) for key, value in options["shapes"].items()}}).eval()
    built.model.load_state_dict(described.model.state_dict())
    side = max(24, described.size_requirements.minimum)
    x = torch.rand(1, described.input_channels, side, side, generator=torch.Generator().manual_seed(0))
    level = () if not built.extra else (torch.full((1, 1, side, side), 15 / 255),)
    with measured(built) as bytes_of:
        answer = built.apply_to(x, *level).clamp(0, 1)
    difference = float((answer - described(x.clone())).abs().max())
    if not difference < CLOSE:
        raise BadWeights(f"it is a {described.architecture.name} that its shapes alone do not describe")
    return bytes_of(answer.shape[-2] * answer.shape[-1])
