"""What a training leaves in its folder: weights with a record of how they were made, log, curves and checkpoint."""

from __future__ import annotations

import dataclasses
import logging
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from msgspec.structs import replace

from restoration import weights
from restoration.engine.hardware import precision
from restoration.engine.observed import placed
from restoration.errors import BadOption, BadWeights
from restoration.recipe import Parts, build_restorer, required
from restoration.training import checkpoint
from restoration.training.batches import DRAWN_SINCE
from restoration.training.divergence import Divergence
from restoration.training.modelcard import model_card
from restoration.training.records import CHECKPOINT, Records, read_log

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from torch import Tensor

    from restoration.engine.adapter import Adapted
    from restoration.interfaces import Observation
    from restoration.recipe import Recipe
    from restoration.training.trainer import Trainer
    from restoration.training.validation import Validation

log = logging.getLogger("restoration")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training is after `step` steps and `seconds`; `psnr` is that of the last validation, in dB."""

    step: int
    psnr: float | None
    seconds: float
    running_loss: Tensor

    @property
    def loss(self) -> float:
        """The mean loss of the last steps. To read it waits for a GPU: not after every step."""
        return float(self.running_loss)


class Outcome:
    """The folder of a training, which holds weights to use from the first validation on.

    * `out`: the folder.
    * `trainer`: the training.
    * `validation`: the pictures to validate with, and the weights that did best on them so far.
    * `facts`: what the record says about the data, as plain values.
    * `pictures`: the fingerprint of the pictures.
    * `state`: the checkpoint that the training goes on from; None where it begins.
    """

    def __init__(
        self,
        out: Path,
        trainer: Trainer,
        validation: Validation,
        facts: dict[str, Any],
        pictures: str = "",
        state: dict[str, Any] | None = None,
    ) -> None:
        self.out, self.trainer, self.validation, self.facts = out, trainer, validation, facts
        self.changes: list[dict[str, Any]] = []
        self.edited = False
        self._begin = time.perf_counter()
        if state is not None:
            self._begin -= state["seconds"]
            self.changes = checkpoint.changes(state, trainer.settings, pictures)
            if not validation.load_state(state["validation"]):
                if trainer.step == trainer.settings.steps:
                    raise BadOption(
                        f"{out} holds a training that was finished with other pictures for validation; ask for more "
                        "--steps, or another --out"
                    )
                log.info("the pictures for validation are others than before; which weights are best is found anew")
        self.records = Records(out, trainer.step, self.seconds)
        self.divergence = Divergence(read_log(out))

    @property
    def seconds(self) -> float:
        """The seconds that the training has taken."""
        return time.perf_counter() - self._begin

    def progress(self) -> Progress:
        """Return where the training is."""
        trainer, psnr = self.trainer, self.validation.psnr
        return Progress(step=trainer.step, psnr=psnr, seconds=self.seconds, running_loss=trainer.loss)

    def report(self, loss: float, due: Collection[str]) -> None:
        """Do what is due after a step: "validate", which also writes the weights, and a line of the "log"."""
        trainer, step, seconds = self.trainer, self.trainer.step, self.seconds
        validate = "validate" in due
        if validate and self.validation.pictures:
            self.validate()
        if validate or "log" in due:
            psnr = self.validation.psnr if validate else None
            self.records.add(step=step, loss=loss, lr=trainer.settings.rate(step - 1), seconds=seconds, psnr=psnr)
            self.warn(loss)
        if validate:
            if step < trainer.settings.steps:
                self.write()
            self.records.draw(step, self.validation.preview)
            self.records.seconds = self.seconds  # the time of validation is none of steps

    def warn(self, loss: float) -> None:
        """Say so where the loss rose so far that what was learned is lost."""
        least = self.divergence.least
        if self.divergence.seen(self.trainer.step, loss):
            log.warning(
                "the loss rose from %.4g to %.4g before step %d, and what was learned is lost: begin again, in another "
                "--out, with a lower learning rate, say --lr %g, or a smaller --clip",
                *(least, loss, self.trainer.step, self.trainer.settings.lr / 2),
            )

    @torch.inference_mode()
    def validate(self) -> None:
        """Restore the pictures for validation with the weights that would be kept now; remember the best."""
        trainer, network = self.trainer, self.trainer.blended()
        restorer = build_restorer(trainer.recipe, Parts(**{**vars(trainer.parts), "network": network}))

        def restored(seen: Observation) -> Tensor:
            there = placed(seen, trainer.device, seen.y.shape[1])
            there = dataclasses.replace(there, mean=trainer.means(there.y))
            with precision(trainer.settings.precision, trainer.device):
                *_, guess = restorer(there, torch.Generator().manual_seed(0))
            return guess

        self.validation(restored, network, trainer.step)

    def save(self, header: dict[str, Any], state: dict[str, Any]) -> None:
        """Write the checkpoint: what it belongs to, and the state of the trainer. Raises `RestorationError`."""
        own = {"validation": self.validation.state(), "changes": self.changes, "seconds": self.seconds}
        own["facts"] = self.facts
        checkpoint.write({**header, **own, "trainer": state}, self.out / CHECKPOINT)

    def write(self) -> weights.Folder:
        """Write the folder of weights, those to be kept. Raises `RestorationError`."""
        recipe = self.recipe()
        return weights.save(self.out, recipe, self.network().network, self._card(recipe))

    def _card(self, recipe: Recipe) -> str:
        """Return the model card of a recipe; if somebody has edited the one that is there, that one."""
        path = self.out / weights.CARD
        try:
            there = path.read_text(encoding="utf-8")
            written = model_card(weights.Folder(path=self.out, origin=str(self.out)).recipe())
        except (OSError, ValueError, BadWeights):
            return model_card(recipe)
        if there == written:
            return model_card(recipe)
        if not self.edited:
            log.warning("%s was edited, or is of another version: it is left as it is", path)
        self.edited = True
        return there

    def close(self) -> None:
        """Write the folder of weights as it stays, unless it is there already."""
        if not self._is_whole():
            self.write()
        self.records.close()

    def _is_whole(self) -> bool:
        """Return whether no step was made, and the weights of a finished training are there, under their licence."""
        if self.trainer.step > self.records.start or not all((self.out / name).is_file() for name in weights.FILES):
            return False
        try:
            there = weights.Folder(path=self.out, origin=str(self.out)).recipe()
        except BadWeights:
            return False
        wanted, record = self.trainer.recipe, there.training
        same = (there.realism, there.mean) == (wanted.realism, wanted.mean)
        return same and "unfinished" not in record and record.get("license") == self.facts.get("license")

    def network(self) -> Adapted:
        """Return the averaged weights that did best in validation, or the last if so chosen or there was none."""
        network = self.trainer.blended()
        if self.validation.best is None or self.trainer.settings.keep == "last":
            return network
        best: Adapted = deepcopy(network)
        best.load_state_dict(self.validation.best.weights)
        return best

    def recipe(self) -> Recipe:
        """Return the recipe with a record of the training in it."""
        trainer, world_size = self.trainer, self.trainer.processes.world_size
        record = {**trainer.settings.record(), "batches": DRAWN_SINCE, **self.facts, "seconds": round(self.seconds)}
        optional = {
            "unfinished": trainer.step if trainer.step < trainer.settings.steps else None,
            "validation": self.validation.record(trainer.settings.keep),
            "start": trainer.initial_name,
            "changes": self.changes,
            "processes": world_size if world_size > 1 else None,
        }
        record |= {name: value for name, value in optional.items() if value}
        return replace(trainer.recipe, training=record, requires=required(trainer.recipe))
