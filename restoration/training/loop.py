"""The loop that any objective trains with: from a recipe and pictures to a folder of weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from restoration.errors import BadOption
from restoration.images.folders import pairs_in
from restoration.recipe import build_task
from restoration.registry import registry
from restoration.registry.cards import ObjectiveCard, RestorerCard
from restoration.training import checkpoint
from restoration.training.apart import learnt_from
from restoration.training.asked import check_asked
from restoration.training.batches import Batches
from restoration.training.cache import usual_limit
from restoration.training.enlarging import Enlarging
from restoration.training.folder import check_apart, claimed
from restoration.training.outcome import Outcome, Progress
from restoration.training.parallel import join, local_world_size, together
from restoration.training.patches import Patches, split
from restoration.training.records import CHECKPOINT
from restoration.training.sources import Sources, check_undamaged
from restoration.training.trainer import Trainer
from restoration.training.validation import Validation
from restoration.training.workers import check_not_a_worker, usual_workers
from restoration.weights import Folder

if TYPE_CHECKING:
    import torch

    from restoration.recipe import Recipe
    from restoration.training.settings import Training

log = logging.getLogger("restoration")


@together()
def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    settings: Training,
    *,
    degraded: str | Path | None = None,
    templates: tuple[str, str] = ("", ""),
    noisy: bool = False,
    validation: str | Path | None = None,
    device: str = "cpu",
    start: Folder | None = None,
    license: str = "",
    asked: Collection[str] = (),
    observe: Callable[[Progress], None] = lambda progress: None,
) -> Folder:
    """Train a recipe on pictures; go on where `out` holds a checkpoint of the same training. Raises `RestorationError`.

    * `recipe`: the method, the task, and the network, schedule and objective to train.
    * `data`: a folder or shards of clean pictures, or of pairs.
    * `degraded`: a folder or shards of degraded pictures; then those in `data` are the clean ones of the pairs.
    * `templates`: how clean and degraded files are named, as `("{name}", "{name}x4")`; else their names tell.
    * `noisy`: whether no picture is clean, for objectives that need none, see `Sources`.
    * `out`: the folder of weights, written at every validation; the checkpoint and what `Records` writes are beside.
    * `settings`: the numbers; those in `settings.CHANGEABLE` need not be those of the checkpoint.
    * `validation`: a folder of pictures, or of pairs, to validate with; without one some are held out of the data.
    * `device`: "cpu", "cuda", "auto"..., see `parallel.join`.
    * `start`: initial weights.
    * `license`: what the weights are licensed under, for their record and model card.
    * `asked`: settings and options of the task, as "undamaged" and "task.sigma", of which each must have an effect.
    * `observe`: called after every step.

    Where a launcher has started several processes, each calls this; rank 0 alone validates, writes and observes.
    """
    check_not_a_worker()
    data, out = Path(data), Path(out)
    degraded, validation = (None if one is None else Path(one) for one in (degraded, validation))
    objective, sources = _objective(recipe), Sources(data=data, degraded=degraded, templates=templates, noisy=noisy)
    alone = noisy and degraded is None and objective.learns_from == "degraded"
    if validation is not None or alone:  # a picture that stands alone has nothing to be compared with
        settings = replace(settings, held_out=0)
    check_undamaged(objective, settings.undamaged)
    processes = join(device)
    rank, world_size = processes.rank, processes.world_size
    check_apart(out, (data, degraded, validation))
    if settings.batch < world_size:
        raise BadOption(f"a batch of {settings.batch} is too small for {world_size} processes; use a larger --batch")
    with claimed(out, recipe, settings) if rank == 0 else nullcontext():
        trainer = Trainer(recipe, settings, processes, out)
        task, channels = build_task(recipe), len(recipe.channels)
        pairs = sources.pairs(objective, out)
        degrades = noisy and validation is not None  # which then shapes the pictures for validation
        check_asked([one for one in asked if not degrades or "task." not in one], recipe, pairs, noisy=noisy)
        pairs, judges = split(pairs, settings.held_out, settings.seed, sources.scene())
        judges = judges if validation is None else pairs_in(validation, without=out)
        pairs = learnt_from(pairs, judges)
        workers, cache = _shares(settings, processes.device)
        enlarges = bool(trainer.network.enlarges)
        patches = Patches(
            pairs,
            task,
            size=settings.patch,
            channels=channels,
            working_size=recipe.working_size,
            cache=cache,
            augmentation=settings.augmentation,
            enlarging=Enlarging(recipe, settings.patch, settings.augmentation) if enlarges else None,
            turns=settings.turns,
            learns_from=objective.learns_from,
            noisy=noisy,
        )
        header = checkpoint.header(recipe, settings, patches.fingerprint())
        processes.agree(
            {"recipe": header["recipe"], "setting": header["settings"], "set of pictures": header["pictures"]}
        )
        state = _go_on(trainer, header, out / CHECKPOINT)
        if state is None:
            _begin(trainer, start)

        outcome = None
        if rank == 0:
            facts: dict[str, Any] = {"data": data.name, "pictures": len(patches) - patches.small}
            if license:
                facts["license"] = license
            if noisy and validation is None and judges:
                facts["validation_against"] = "noisy pictures"
                log.info("validation is against noisy pictures: its PSNR says which weights are better, not how good")
            if validation is not None:
                facts["validation_data"] = validation.name
            judged = Validation(judges, task, channels=channels, working_size=recipe.working_size, enlarges=enlarges)
            outcome = Outcome(out, trainer, judged, facts, header["pictures"], state)
        batches = Batches(
            patches,
            batch=settings.batch,
            seed=settings.seed,
            steps=settings.steps,
            start_step=trainer.step,
            rank=rank,
            world_size=world_size,
            workers=workers,
            pin=processes.device.type == "cuda",
        )
        _run(batches, trainer, header, outcome, observe)
        processes.gather(None)  # none goes on before the folder is whole
    return Folder(path=out, origin=str(out))


def _objective(recipe: Recipe) -> ObjectiveCard:
    """Return the card of the objective. Raises `BadOption` where there is none, or it does not fit the schedule."""
    if recipe.objective is None:
        raise BadOption(f"method {recipe.method.name!r} has no network to train, or no objective to train it by")
    card, method = registry().card(ObjectiveCard, recipe.objective.name), recipe.method.name
    if card.path and recipe.schedule is None:
        raise BadOption(
            f"objective {card.name!r} learns along a path, and method {method!r} has none; name its --schedule, or "
            "another --objective"
        )
    if recipe.schedule is not None and not card.path:
        if "schedule" not in registry().card(RestorerCard, method).options():
            raise BadOption(
                f"neither method {method!r} nor objective {card.name!r} looks at a schedule; leave "
                f"{recipe.schedule.name} out, or name another --objective"
            )
        log.warning(
            "objective %r has no path: what is trained gives the same answer at each step of method %r; a method of "
            "one evaluation, such as regression, gives it at once",
            *(card.name, method),
        )
    return card


def _run(
    batches: Batches,
    trainer: Trainer,
    header: dict[str, Any],
    outcome: Outcome | None,
    observe: Callable[[Progress], None],
) -> None:
    """Make all steps, and what is due after each; only one process has an outcome."""
    with closing(iter(batches)) as drawn:
        for x, y, rng in drawn:
            trainer.advance(x, y, rng)
            due = trainer.settings.due(trainer.step)
            if due:
                loss = trainer.checked_loss()
                if outcome:
                    outcome.report(loss, due)
            if "checkpoint" in due:
                state = trainer.state()
                if outcome:
                    outcome.save(header, state)
            if outcome:
                observe(outcome.progress())
    if outcome:
        outcome.close()


def _shares(settings: Training, device: torch.device) -> tuple[int, int]:
    """Return how many workers this process has, and the bytes of the cache of each: processes share the machine."""
    local = local_world_size()
    workers = usual_workers(device, local) if settings.workers is None else settings.workers
    cache = usual_limit() if settings.cache is None else settings.cache
    return workers, cache // (local * max(1, workers))


def _go_on(trainer: Trainer, header: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """Bring a training to where its checkpoint is, in all processes, and return what the checkpoint holds, if it is."""
    processes = trainer.processes
    saved = processes.broadcast(checkpoint.read(path) if processes.rank == 0 else None)
    if saved is None:
        return None
    state = checkpoint.load(saved, path)
    checkpoint.check(state, header, trainer.settings, path)
    trainer.load_state(state["trainer"])
    return state


def _begin(trainer: Trainer, start: Folder | None) -> None:
    """Take the initial weights, if there are any. Raises `BadOption` where some are missing."""
    if start is not None:
        trainer.begin_with(start)
    elif trainer.settings.blend:
        raise BadOption("there are no initial weights to blend with: name some with --start, or leave out --blend")
