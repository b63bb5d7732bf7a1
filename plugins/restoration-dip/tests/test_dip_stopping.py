"""When to stop: the published rules on a walk of the published code, ours in closed form.

`data/early_stopping.safetensors` holds 300 answers of 192 numbers, and the variances that the code of Wang et al.
(`sun-umn/Early_Stopping_for_DIP` at 877d994) finds along them with a window of 20, alpha 0.1 and a patience of 40: it
counts steps from 0, and sums the squares that ours takes the mean of. `curve` is a row of plain numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from restoration_dip.fit.stopping import AveragedVariance, FixedSteps, HeldOut, Moment, MovingVariance, Stopping
from safetensors.torch import load_file
from torch import Tensor

ENDLESS = 10**9
SHOWN = torch.zeros(1, 1, 1, 1)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    return load_file(Path(__file__).parent / "data" / "early_stopping.safetensors")


def moments(answers: Iterable[Tensor]) -> list[Moment]:
    return [Moment(step=step, output=answer, average=answer) for step, answer in enumerate(answers, start=1)]


def errors(values: Iterable[float]) -> list[Moment]:
    return [Moment(step=step, output=SHOWN, average=SHOWN, error=value) for step, value in enumerate(values, start=1)]


def stopped(rule: Stopping, walk: list[Moment]) -> tuple[int, int]:
    """Return the best step of a rule, and the one at which it stops."""
    for moment in walk:
        best = rule.update(moment)
        assert best is (rule.best == moment.step), "what it says about a step is what it remembers"
        if rule.done:
            return rule.best, moment.step
    raise AssertionError(f"it did not stop in {len(walk)} steps")


def lowest(rule: MovingVariance | AveragedVariance, walk: list[Moment]) -> Tensor:
    """Return the lowest variance that a rule knows after each step, infinite before the first."""
    numbers = []
    for moment in walk:
        rule.update(moment)
        numbers.append(rule.lowest)
    return torch.tensor(numbers, dtype=torch.float64)


def test_the_moving_variance_stops_where_the_published_code_does(published: dict[str, Tensor]) -> None:
    rule = MovingVariance(window=20, patience=40, pixels=None)
    assert stopped(rule, moments(published["answers"])) == (141, 181)


def test_the_moving_variance_is_that_of_the_published_code(published: dict[str, Tensor]) -> None:
    found = lowest(MovingVariance(window=20, patience=ENDLESS, pixels=None), moments(published["answers"]))
    assert found[:19].isinf().all(), "nothing is known before the window is full"
    torch.testing.assert_close(found[19:], published["moving"].cummin(dim=0).values, rtol=1e-5, atol=0)


def test_the_averaged_variance_stops_where_the_published_code_does(published: dict[str, Tensor]) -> None:
    rule = AveragedVariance(alpha=0.1, patience=40, warmup=21)
    assert stopped(rule, moments(published["answers"])) == (142, 182)


def test_the_averaged_variance_is_that_of_the_published_code(published: dict[str, Tensor]) -> None:
    found = lowest(AveragedVariance(alpha=0.1, patience=ENDLESS, warmup=21), moments(published["answers"]))
    assert found[:21].isinf().all()
    torch.testing.assert_close(found[21:], published["averaged"].cummin(dim=0).values / 192, rtol=1e-5, atol=0)


@pytest.mark.parametrize("make", [MovingVariance, AveragedVariance])
def test_a_rule_that_stopped_stays_so_although_the_variance_falls_again(
    published: dict[str, Tensor], make: type[MovingVariance | AveragedVariance]
) -> None:
    more = {"window": 20, "pixels": None} if make is MovingVariance else {"alpha": 0.1, "warmup": 21}
    walk = moments(published["answers"])
    latched, patient = make(patience=40, **more), make(patience=ENDLESS, **more)
    for moment in walk:
        latched.update(moment)
        patient.update(moment)
    assert patient.best > 250, "the network has learned the noise"
    assert latched.done and latched.best in (141, 142)


def test_the_variance_of_a_large_picture_is_that_of_some_of_its_pixels(published: dict[str, Tensor]) -> None:
    rule = MovingVariance(window=20, patience=ENDLESS, pixels=64)
    found = lowest(rule, moments(published["answers"]))
    every_third = MovingVariance(window=20, patience=ENDLESS, pixels=None)
    assert torch.equal(found, lowest(every_third, moments(published["answers"][:, ::3])))
    assert rule.ring is not None and rule.ring.shape == (20, 64)


def test_a_small_variance_of_bright_answers_keeps_its_digits() -> None:
    walk = moments(torch.full((1, 3, 2, 2), 0.9 + (-1) ** step * 1e-4) for step in range(50))
    moving = MovingVariance(window=10)
    assert float(lowest(moving, walk)[-1]) == pytest.approx(1e-8, rel=2e-3)


def test_the_averaged_variance_of_a_jump_decays_from_its_square() -> None:
    walk = moments([torch.zeros(1, 1, 1, 1), *[torch.full((1, 1, 1, 1), 2.0)] * 9])
    found = lowest(AveragedVariance(alpha=0.5, patience=ENDLESS, warmup=1), walk)
    v, change, expected = 0.0, 2.0, []
    for _ in range(9):
        v, change = 0.5 * (v + 0.5 * change**2), change / 2
        expected.append(v)
    torch.testing.assert_close(found[1:], torch.tensor(expected, dtype=torch.float64).cummin(dim=0).values)


def test_held_out_pixels_stop_where_the_published_patience_does_on_a_curve(published: dict[str, Tensor]) -> None:
    assert stopped(HeldOut(patience=50), errors(published["curve"].tolist())) == (119, 169)


@pytest.mark.parametrize(("lowest_at", "patience"), [(8, 100), (400, 100), (600, 150), (2000, 500)])
def test_the_patience_for_held_out_pixels_grows_with_the_fit(lowest_at: int, patience: int) -> None:
    walk = errors(abs(step - lowest_at) for step in range(1, 3000))
    assert stopped(HeldOut(), walk) == (lowest_at, lowest_at + patience)


def test_without_held_out_pixels_their_rule_says_so() -> None:
    with pytest.raises(ValueError, match="no pixels are held out; choose another stop"):
        HeldOut().update(Moment(step=1, output=SHOWN, average=SHOWN))


def test_errors_that_are_no_numbers_are_never_the_best() -> None:
    nan = float("nan")
    assert stopped(HeldOut(patience=3), errors([nan, 3.0, nan, 2.0, nan, nan, nan])) == (4, 7)


def test_a_lower_error_at_the_last_moment_still_counts_and_a_later_one_does_not() -> None:
    assert stopped(HeldOut(patience=3), errors([9, 9, 9, 8, 8, 8, 8, 1])) == (4, 7)
    assert stopped(HeldOut(patience=3), errors([9, 9, 9, 9, 1])) == (1, 4)


def test_a_number_of_steps_never_stops_and_the_last_is_the_best() -> None:
    rule = FixedSteps()
    assert all(rule.update(moment) and rule.best == moment.step for moment in errors([1.0, 2.0, 3.0]))
    assert not rule.done


def test_each_rule_says_what_it_stops_by() -> None:
    assert len({rule.name for rule in (HeldOut(), MovingVariance(), AveragedVariance(), FixedSteps())}) == 4
