"""The search by Ray Tune with HyperOpt: trials side by side, on this machine or on the machines of a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from restoration.errors import BadOption, RestorationError
from restoration_tune.space import Choice, Range, Space
from restoration_tune.trials import DONE, FAILED, PRUNED, RUNNING, Row, Search

NAME = "ray"


def search(
    of: Search,
    trials: int,
    *,
    seed: int,
    prune: bool,
    address: str | None = None,
    jobs: int = 1,
    observe: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """Run so many trials; return all. Raises `BadOption` where Ray or HyperOpt is not installed.

    A search that was killed goes on with its unfinished trials.

    * `of`: what is searched; on several machines its `data` and `out` are folders that all of them see.
    * `trials`: the number of trials.
    * `seed`: that of HyperOpt's tree-structured Parzen estimator, which proposes values.
    * `prune`: whether successive halving (ASHA, Li et al., 2020) stops trials that do worse.
    * `address`: that of a cluster, "auto" for the one of this machine; without one Ray is started here and ended again.
    * `jobs`: trials at the same time.
    * `observe`: called with all rows whenever one of them changes.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    if find_spec("hyperopt") is None or find_spec("ray") is None:
        raise BadOption("--engine ray needs Ray and HyperOpt: pip install 'restoration-tune[ray]'")
    try:
        import ray
        from ray import tune
        from ray.tune.search.hyperopt import HyperOptSearch  # noqa: F401  # it may fail where Ray does not
    except ImportError as error:
        raise BadOption(
            f"--engine ray needs Ray and HyperOpt: pip install 'restoration-tune[ray]' ({error})"
        ) from error

    threads = of.threads or 1
    ray.init(
        address=address,
        include_dashboard=False,
        logging_level="error",
        log_to_driver=False,
        **({} if address else {"num_cpus": threads * jobs}),
    )
    try:
        gpus = of.device.startswith("cuda") or (of.device == "auto" and ray.cluster_resources().get("GPU", 0) > 0)
        resources = {"cpu": threads, "gpu": int(gpus)}  # a trial that asks for no GPU would not see one
        trainable = tune.with_resources(_make_trial(of), resources)
        folder = of.out / NAME
        if tune.Tuner.can_restore(str(folder)):
            tuner = tune.Tuner.restore(str(folder), trainable, resume_unfinished=True, resume_errored=True)
        else:
            tuner = tune.Tuner(
                trainable,
                param_space=_space(of.space),
                tune_config=_tune_config(of, trials, seed=seed, prune=prune, jobs=jobs),
                run_config=tune.RunConfig(
                    storage_path=str(of.out), name=NAME, verbose=0, callbacks=[_observer(observe)]
                ),
            )
        rows = [_row(number, one.config, one.metrics, one.error) for number, one in enumerate(tuner.fit(), 1)]
    finally:
        ray.shutdown()
    observe(rows)
    return rows


def _make_trial(of: Search) -> Callable[[dict[str, Any]], None]:
    """Return a function that runs a trial with chosen values, and reports to Ray after each validation."""
    from ray import tune

    def trial(config: dict[str, Any]) -> None:
        last: dict[str, float] = {}

        def report(step: int, psnr: float, loss: float) -> None:
            last.update(step=step, loss=loss, psnr=max(psnr, last.get("psnr", psnr)))
            if step < of.settings.steps:
                tune.report({**last, "finished": False})

        try:
            psnr, loss, seconds = of.run(config, report)
        except RestorationError as error:
            tune.report({**last, "error": str(error), "finished": True})
            return
        tune.report({"step": of.settings.steps, "psnr": psnr, "loss": loss, "took": seconds, "finished": True})

    return trial


def _tune_config(of: Search, trials: int, *, seed: int, prune: bool, jobs: int) -> Any:
    """Return how Ray proposes, schedules and stops trials."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler
    from ray.tune.search import ConcurrencyLimiter
    from ray.tune.search.hyperopt import HyperOptSearch

    halving = ASHAScheduler(
        time_attr="step",
        metric="psnr",
        mode="max",
        grace_period=of.settings.validate_every,
        max_t=of.settings.steps + 1,
    )
    return tune.TuneConfig(
        num_samples=trials,
        search_alg=ConcurrencyLimiter(HyperOptSearch(metric="psnr", mode="max", random_state_seed=seed), jobs),
        scheduler=halving if prune else FIFOScheduler(),
        max_concurrent_trials=jobs,
    )


def _space(space: Space) -> dict[str, Any]:
    """Return a space as Ray has it."""
    from ray import tune

    def drawn(one: Choice | Range) -> Any:
        if isinstance(one, Choice):
            return tune.choice(list(one.values))
        if one.whole:
            low, high = int(one.low), int(one.high) + 1
            return tune.lograndint(low, high) if one.log else tune.randint(low, high)
        return tune.loguniform(one.low, one.high) if one.log else tune.uniform(one.low, one.high)

    return {name: drawn(one) for name, one in space.items()}


def _observer(observe: Callable[[list[Row]], None]) -> Any:
    """Return a callback of Ray that tells all rows whenever a trial reports."""
    from ray.tune import Callback

    def tell(trials: list[Any]) -> None:
        rows = [_row(number, one.config, one.last_result, None) for number, one in enumerate(trials, 1)]
        ended = [one.status in ("TERMINATED", "ERROR") for one in trials]
        observe([row if over else replace(row, state=RUNNING) for row, over in zip(rows, ended, strict=True)])

    class Observer(Callback):  # type: ignore[misc]  # of which mypy sees nothing
        def on_trial_result(self, iteration: int, trials: list[Any], **_: Any) -> None:
            tell(trials)

        def on_trial_complete(self, iteration: int, trials: list[Any], **_: Any) -> None:
            tell(trials)

    return Observer()


def _row(number: int, config: dict[str, Any] | None, metrics: dict[str, Any] | None, error: Exception | None) -> Row:
    metrics = metrics or {}
    problem = metrics.get("error") or (str(error).strip().splitlines()[-1] if error else "")
    state = FAILED if problem else DONE if metrics.get("finished") else PRUNED
    return Row(
        number=number,
        chosen=dict(config or {}),
        state=state,
        psnr=metrics.get("psnr"),
        loss=metrics.get("loss"),
        seconds=round(metrics.get("took", metrics.get("time_total_s", 0.0)), 1),
        error=problem,
    )
