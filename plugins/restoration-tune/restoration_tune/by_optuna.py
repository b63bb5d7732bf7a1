"""The search by Optuna, one trial after the other on this machine: kept in SQLite, so that it goes on when killed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from restoration.errors import RestorationError, one_line
from restoration_tune.space import Choice, Range
from restoration_tune.trials import DONE, FAILED, PRUNED, RUNNING, Pruned, Row, Search

if TYPE_CHECKING:
    import optuna

TRIES = 3
"""How often a trial is begun whose process ends, as for want of memory, before there was a validation."""
STARTUP = 5
"""The trials that are drawn at random, and never pruned, before others are judged by them."""


def search(
    of: Search, trials: int, *, seed: int, prune: bool, observe: Callable[[list[Row]], None] = lambda rows: None
) -> list[Row]:
    """Run trials until so many are finished, those of before included; return all, in their order.

    Values are proposed by the tree-structured Parzen estimator (Bergstra et al., 2011), from `seed` and what is known.
    A trial whose PSNR is below the median of those before at the same step is pruned, if `prune`. A trial that was
    interrupted goes on from its checkpoint. `observe` is called with all rows whenever one of them changes.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP) if prune else optuna.pruners.NopPruner()
    study = optuna.create_study(
        study_name="search",
        storage=f"sqlite:///{of.out / 'study.db'}",
        direction="maximize",
        load_if_exists=True,
        pruner=pruner,
    )
    _begin_interrupted_again(study)
    while len(_finished(study)) < trials:
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials), n_startup_trials=STARTUP)
        _run(of, study, observe)
    rows = _rows(study)
    observe(rows)
    return rows


def _run(of: Search, study: optuna.Study, observe: Callable[[list[Row]], None]) -> None:
    """Run the next trial and keep what came of it. What is no error, as Ctrl-C, leaves it as running."""
    import optuna

    trial = study.ask()
    chosen = {name: _value(trial, name, dimension) for name, dimension in of.space.items()}
    if words := trial.user_attrs.get("given up"):
        trial.set_user_attr("error", words)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    observe(_rows(study))

    def report(step: int, psnr: float, loss: float) -> None:
        trial.report(psnr, step)
        trial.set_user_attr("loss", loss)
        observe(_rows(study))
        if trial.should_prune() and step < of.settings.steps:
            raise Pruned

    try:
        psnr, loss, seconds = of.run(chosen, report)
    except Pruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except Exception as error:  # of a part that a plugin brings, or of torch: the next trial may have another
        trial.set_user_attr("error", str(error) if isinstance(error, RestorationError) else one_line(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        trial.set_user_attr("loss", loss)
        trial.set_user_attr("seconds", seconds)
        study.tell(trial, psnr)
    observe(_rows(study))


def _value(trial: optuna.Trial, name: str, dimension: Choice | Range) -> Any:
    """Return what Optuna proposes for a dimension; choices are JSON for it, which may be of any kind."""
    if isinstance(dimension, Choice):
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in dimension.values]))
    if dimension.whole:
        return trial.suggest_int(name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def _begin_interrupted_again(study: optuna.Study) -> None:
    """Put the trials that ended without a result, as their process did, before all others; but not for ever."""
    import optuna

    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        known: dict[str, Any] = {"in vain": 0 if trial.intermediate_values else trial.user_attrs.get("in vain", 0) + 1}
        if known["in vain"] == TRIES:
            known["given up"] = f"its process ended {TRIES} times before any validation, for want of memory perhaps"
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs=known)


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that have an end of their own."""
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    return [one for one in study.get_trials(deepcopy=False) if one.state in ended or "error" in one.user_attrs]


def _rows(study: optuna.Study) -> list[Row]:
    """Return the finished trials and the running one, numbered in their order."""
    from optuna.trial import TrialState

    states = {
        TrialState.COMPLETE: DONE,
        TrialState.PRUNED: PRUNED,
        TrialState.RUNNING: RUNNING,
        TrialState.FAIL: FAILED,
    }
    running = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    rows = []
    for number, trial in enumerate([*_finished(study), *running], 1):
        values = trial.intermediate_values
        chosen = {name: json.loads(value) if isinstance(value, str) else value for name, value in trial.params.items()}
        took = trial.duration.total_seconds() if trial.duration else 0.0
        rows.append(
            Row(
                number=number,
                chosen=chosen,
                state=states[trial.state],
                psnr=trial.value if trial.state == TrialState.COMPLETE else max(values.values(), default=None),
                loss=trial.user_attrs.get("loss"),
                seconds=round(trial.user_attrs.get("seconds", took), 1),
                error=trial.user_attrs.get("error", ""),
            )
        )
    return rows
