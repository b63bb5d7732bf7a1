"""`--realism`: the mean of all likely pictures, one of them, or what lies on the line between the two."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from small import make_weights, picture
from torch import Tensor
from torch.testing import assert_close

from restoration import BadOption, BadPlugin, BadWeights, Observation, Restoration, read, restore, write
from restoration.realism import choose, mix
from restoration.recipe import Recipe
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, WeightsCard
from restoration.registry.validation import checked
from restoration.weights import Folder, bundled

HOPPER = Path(__file__).parent.parent / "examples" / "derain" / "clean" / "hopper.png"
PLUGIN = """
from restoration import RestorerCard, WeightsCard, hookimpl


class Drawing:
    '''Draws noise around what it is given.'''

    def __call__(self, observation, rng):
        import torch

        yield observation.y + 0.1 * torch.randn(observation.y.shape, generator=rng)


@hookimpl
def register_restorers():
    yield RestorerCard(
        name="drawing", factory="mine:Drawing", summary="draws", needs_weights=False, uses=(), draws=True, mean="ir-sde"
    )


@hookimpl
def register_weights():
    for task, realism in (("derain", 0.5), ("dehaze", 0)):
        where = {"name": f"mine/{task}", "factory": f"brought:weights/{task}", "method": "ir-sde", "task": task}
        yield WeightsCard(**where, summary="draws", realism=realism)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A method that draws, and weights of `ir-sde` that do, installed until the end of the test; no others that do."""
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    known = registry()
    ours = {card.name for card in known.cards(WeightsCard) if card.method == "ir-sde" and card.realism is not None}
    cards = {kind: {n: card for n, card in cards.items() if n not in ours} for kind, cards in known._cards.items()}
    monkeypatch.setattr(known, "_cards", cards)
    monkeypatch.setattr(known, "plugins", list(known.plugins))
    known.add_file(path)
    yield path
    known.hooks.unregister(sys.modules.pop("mine"))


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Small weights of ir-sde for derain that draw, beside them those of their mean."""
    path = make_weights(tmp_path_factory.mktemp("drawing") / "real", realism=0.25, mean="./mean")
    make_weights(path / "mean", "regression")
    return str(path)


def made(weights: str | None, realism: float | None = None, task: str = "derain", **how: Any) -> Restoration:
    walk = {} if realism == 0 and str(weights).endswith("real") else {"sampler": "posterior", "steps": 3}
    how = {**walk, "precision": "fp32", **how}
    return Restoration("ir-sde", task, weights=weights, realism=realism, **how)


def pixels(weights: str | None, realism: float | None = None, **how: Any) -> Tensor:
    return made(weights, realism, **how)(picture()).picture.pixels


def test_a_result_lies_on_the_line_from_the_mean_to_the_walk(drawing: str) -> None:
    mean, walk = pixels(drawing, 0), pixels(drawing, 1)
    assert_close(
        mean, restore(picture(), "regression", "derain", weights=f"{drawing}/mean", precision="fp32").image.pixels
    )
    assert float((mean - walk).abs().mean()) > 0.002
    for realism in (0.3, 0.75):
        # where neither is cut off at black or white
        line = mean + realism * (walk - mean)
        inside = (mean > 0) & (mean < 1) & (walk > 0) & (walk < 1)
        assert inside.float().mean() > 0.3
        assert_close(pixels(drawing, realism)[inside], line[inside], atol=1e-6, rtol=0)
    assert_close(mix(torch.zeros(1), torch.ones(1), 0.3), torch.tensor([0.3]))


def test_what_has_no_part_in_a_result_is_not_computed(drawing: str) -> None:
    results = {realism: made(drawing, realism)(picture()) for realism in (0, 0.5, 1)}
    assert {realism: one.evaluations for realism, one in results.items()} == {0: 1, 0.5: 4, 1: 3}
    assert {realism: one.realism for realism, one in results.items()} == {0: 0.0, 0.5: 0.5, 1: 1.0}
    assert [one.mean is None for one in results.values()] == [False, False, True]
    assert all(one.weights == drawing for one in results.values())


def test_at_1_the_mean_need_not_even_be_there(tmp_path: Path) -> None:
    path = str(make_weights(tmp_path / "real", realism=0.5, mean="./none"))
    assert made(path, 1)(picture()).evaluations == 3
    with pytest.raises(BadWeights, match="there is no such folder, with the weights of the mean"):
        made(path, 0.5)


def test_a_path_from_the_mean_begins_at_its_answer(tmp_path: Path) -> None:
    refining = make_weights(tmp_path / "real", realism=0.25, mean="./mean", from_mean=True)
    make_weights(refining / "mean", "regression")
    same = make_weights(tmp_path / "walk" / "real", realism=0.25)
    seen = Observation(y=picture().pixels, mean=made(str(refining), 0)(picture()).picture.pixels)
    walk = made(str(same), 1.0)(seen).picture.pixels
    result = made(str(refining), 1.0)(picture())
    assert_close(result.picture.pixels, walk, rtol=0, atol=2e-6)
    assert result.evaluations == 4 and result.mean == str(refining / "mean")
    for other in (Observation(y=seen.y), Observation(y=seen.mean, mean=seen.mean)):  # both have a part in it
        assert not torch.allclose(walk, made(str(same), 1.0)(other).picture.pixels, atol=1e-3)
    (same / "config.json").write_text((refining / "config.json").read_text().replace('"./mean"', '""'))
    with pytest.raises(BadWeights, match="from_mean"):
        made(str(same), 1.0)


def test_weights_that_draw_say_their_own_realism_and_another_can_be_asked_for(drawing: str) -> None:
    assert made(drawing).realism == 0.25
    assert made(drawing, 0).realism == 0
    recipe = Folder(path=Path(drawing), origin="").recipe()
    assert (recipe.realism, recipe.mean) == (0.25, "./mean")
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_walk_that_does_not_draw_is_its_own_answer(weights: Path) -> None:
    for realism in (None, 0, 0.0):
        restoration = made(str(weights), realism)
        assert (restoration.realism, restoration(picture()).evaluations) == (0, 3)
    with pytest.raises(BadWeights, match="does not draw, so it has realism 0 alone; train some: `restore train ir-sde"):
        made(str(weights), 0.5)


def test_without_a_word_every_method_gives_what_it_always_gave() -> None:
    found = {name: bundled(registry().card(WeightsCard, name)).recipe() for name in ("ir-sde/derain", "ir-sde/sr")}
    assert {(one.realism, one.mean) for one in found.values()} == {(None, "")}
    chosen = choose("ir-sde", "derain", realism=0)
    assert chosen.folder is not None and chosen.folder.origin == "ir-sde/derain" and chosen.mean is None
    ode = choose("denoising-ode", "denoise")
    assert ode.folder is not None and (ode.folder.origin, ode.realism, ode.mean) == ("denoising-ode/denoise", 1, None)
    assert choose("regression", "denoise").realism is None


@pytest.mark.parametrize("how", [{"steps": 3}, {"sampler": "ddim"}, {"options": {"network.width": 4}}])
def test_options_of_a_walk_are_refused_where_there_is_only_the_mean(drawing: str, how: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match=r"at realism 0 the answer is that of .*mean.*which has no part in it"):
        Restoration("ir-sde", "derain", weights=drawing, realism=0, **how)


@pytest.mark.parametrize("method", ["denoising-ode", "denoising-sde"])
def test_the_same_weights_walk_for_noise_and_regression_is_their_mean(method: str) -> None:
    y = picture(32, 40)
    how: dict[str, Any] = {"task_options": {"sigma": 20}, "precision": "fp32"}
    walk, half = (Restoration(method, "denoise", realism=one, steps=4, **how)(y) for one in (None, 0.5))
    mean = Restoration(method, "denoise", realism=0, **how)(y)
    assert (walk.evaluations, half.evaluations, mean.evaluations) == (4, 5, 1)
    assert (walk.mean, half.mean, mean.mean) == (None, "regression/denoise", "regression/denoise")
    alone = Restoration("regression", "denoise", precision="fp32")(y)
    assert torch.equal(mean.picture.pixels, alone.picture.pixels)
    # results are cut off at black and white, the line is not
    line = (walk.picture.pixels + mean.picture.pixels) / 2
    assert float((half.picture.pixels - line).abs().mean()) < 1e-3


def test_cards_say_which_weights_serve_which_realism(plugin: Path, tmp_path: Path, monkeypatch: Any) -> None:
    for task in ("derain", "dehaze"):
        make_weights(tmp_path / "brought" / "weights" / task, "ir-sde", task, realism=0.75, mean=f"regression/{task}")
    (tmp_path / "brought" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    known = {card.name: card for card in registry().cards(WeightsCard)}
    assert known["mine/derain"].realism == 0.5 and known["ir-sde/derain"].realism is None

    def weights(task: str, realism: float | None, method: str = "ir-sde") -> tuple[str, float | None]:
        chosen = choose(method, task, realism=realism)
        assert chosen.folder is not None
        return chosen.folder.origin, chosen.realism

    assert weights("derain", None) == ("mine/derain", 0.5)
    assert weights("derain", 0) == ("ir-sde/derain", 0)
    assert weights("derain", 1) == ("mine/derain", 1)
    assert weights("dehaze", None) == ("ir-sde/dehaze", 0)
    assert weights("dehaze", 0.1) == ("mine/dehaze", 0.1)
    assert choose("ir-sde", "derain", weights="mine/derain").realism == 0.75
    with pytest.raises(BadWeights, match="no weights of ir-sde draw pictures for deblur, only for dehaze, derain"):
        choose("ir-sde", "deblur", realism=0.5)


def test_a_method_without_weights_draws_too(plugin: Path) -> None:
    y = Observation(y=picture().pixels)
    one, mean, half = (Restoration("drawing", "derain", realism=r, precision="fp32")(y) for r in (None, 0, 0.5))
    assert (one.realism, one.evaluations, mean.evaluations, half.mean) == (1, 0, 10, "ir-sde/derain")
    assert torch.equal(
        mean.picture.pixels, Restoration("ir-sde", "derain", realism=0, precision="fp32")(y).picture.pixels
    )


def test_the_same_seed_gives_the_same_bytes_and_windows_the_same_picture(drawing: str) -> None:
    large = picture(150, 200)
    one, again, other = (made(drawing, 0.5, tile=0)(large, seed=seed).picture.pixels for seed in (3, 3, 4))
    assert torch.equal(one, again) and not torch.equal(one, other)
    tiled, tiled_again = (made(drawing, 0.5, tile=64)(large, seed=3) for _ in range(2))
    assert torch.equal(tiled.picture.pixels, tiled_again.picture.pixels)
    assert (tiled.tile, tiled.evaluations) == (64, 4)
    assert float((tiled.picture.pixels - one).abs().max()) < 0.5 / 255


def test_threads_do_not_disturb_one_another(drawing: str) -> None:
    restoration = made(drawing, 0.5)
    seen = [picture(24, 32, seed) for seed in range(4)]
    alone = [restoration(one, seed=5) for one in seen]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: restoration(one, seed=5), seen))
    assert all(torch.equal(a.picture.pixels, b.picture.pixels) for a, b in zip(alone, together, strict=True))
    assert {one.evaluations for one in together} == {4}


def test_estimates_that_are_seen_lead_to_the_result(drawing: str) -> None:
    seen: list[Tensor] = []
    result = made(drawing, 0.5)(picture(), observe=seen.append)
    assert len(seen) == 4
    assert_close(seen[0].clamp(0, 1), pixels(drawing, 0))
    assert_close(seen[-1].clamp(0, 1), result.picture.pixels)


def test_an_ensemble_is_the_mix_of_two_ensembles(drawing: str) -> None:
    results = [made(drawing, realism, ensemble=True)(picture()) for realism in (0, 0.5, 1)]
    mean, half, walk = (one.picture.pixels for one in results)
    assert [one.evaluations for one in results] == [2, 8, 6] and {one.ensemble for one in results} == {2}
    inside = (mean > 0.02) & (mean < 0.98) & (walk > 0.02) & (walk < 0.98)
    assert_close(half[inside], ((mean + walk) / 2)[inside], atol=2e-3, rtol=0)


def test_time_that_has_passed_ends_the_walk_but_not_before_an_estimate(drawing: str) -> None:
    result = made(drawing, 0.5, time_limit=1e-9)(picture())
    assert (result.ended, result.evaluations) == ("time limit", 2)


def test_known_pixels_of_a_hole_stay_to_the_bit(tmp_path: Path) -> None:
    path = str(make_weights(tmp_path / "real", task="inpaint", realism=0.5, mean="regression/inpaint"))
    y = picture(40, 48)
    mask = torch.ones(40, 48)
    mask[10:20, 15:30] = 0
    for realism in (0, 0.5, 1):
        result = made(path, realism, "inpaint", task_options={"mask": mask.numpy()})(y).picture.pixels
        same = (result == y.pixels).all(dim=1)[0]
        assert bool(same[mask == 1].all()) and not bool(same[mask == 0].all())


def test_a_small_picture_is_enlarged_by_both(tmp_path: Path) -> None:
    path = str(make_weights(tmp_path / "real", task="sr", realism=0.5, mean="regression/sr"))
    result = made(path, None, "sr", task_options={"scale": 4})(picture(10, 12))
    assert result.picture.pixels.shape == (1, 3, 40, 48)
    with pytest.raises(BadOption, match="was trained to enlarge 2, 3, 4 times, not 8"):
        made(path, 0.5, "sr", task_options={"scale": 8})


def test_haze_is_mixed_at_the_size_of_the_picture_and_seen_in_a_small_copy(tmp_path: Path) -> None:
    path = str(make_weights(tmp_path / "real", task="dehaze", realism=0.5, mean="regression/dehaze"))
    seen: list[Tensor] = []
    result = made(path, None, "dehaze")(picture(220, 260), observe=seen.append)
    assert result.picture.pixels.shape == (1, 3, 220, 260)
    assert {tuple(one.shape) for one in seen} == {(1, 3, 177, 209)}


@pytest.mark.parametrize("realism", [-0.1, 1.5, float("nan"), "half", True])
def test_a_realism_that_is_no_share_is_refused(realism: Any, drawing: str) -> None:
    with pytest.raises(BadOption, match="realism is a number from 0, the mean, to 1"):
        made(drawing, realism)


@pytest.mark.parametrize("seed", ["1", 1.5, -1, True, None, 2**63])
def test_a_seed_that_is_no_whole_number_is_refused(seed: Any, drawing: str) -> None:
    with pytest.raises(BadOption, match="seed is a whole number from 0 on, not "):
        made(drawing, 0.0)(picture(), seed=seed)


def test_a_method_that_does_not_draw_says_who_does() -> None:
    with pytest.raises(
        BadOption, match="method 'regression' has no --realism; denoising-ode, denoising-sde, ir-sde have"
    ):
        Restoration("regression", "derain", realism=0.5)


def test_a_mean_for_another_task_is_refused(tmp_path: Path) -> None:
    path = str(make_weights(tmp_path / "real", realism=0.5, mean="regression/sr"))
    with pytest.raises(BadWeights, match="regression/sr, the mean of what ir-sde draws, is for sr, not derain"):
        made(path)


def test_a_mean_on_the_hub_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    path = str(make_weights(tmp_path / "real", realism=0.5, mean="nobody/nothing-of-the-kind"))
    with pytest.raises(BadWeights, match="nobody/nothing-of-the-kind is not in the Hub's cache on this machine"):
        made(path, offline=True)
    assert made(path, 1, offline=True).realism == 1


def test_a_card_wins_over_a_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(make_weights(tmp_path / "real", realism=0.5, mean="regression/derain"))
    make_weights(tmp_path / "regression" / "derain", "regression")
    monkeypatch.chdir(tmp_path)
    assert made(path)(picture()).mean == "regression/derain"


def test_recipes_and_cards_with_another_number_are_refused() -> None:
    with pytest.raises(BadWeights, match="realism must be from 0 to 1, not 2"):
        Recipe.from_json('{"method": {"name": "ir-sde"}, "task": {"name": "derain"}, "realism": 2}')
    card = WeightsCard(name="a", summary="s", factory="a:b", method="ir-sde", task="derain", realism=1.5)
    with pytest.raises(BadPlugin, match=r"its realism is from 0 to 1, not 1\.5"):
        checked(card, WeightsCard, "register_weights")


def test_priors_of_other_methods_do_not_bring_their_realism() -> None:
    chosen = choose("diffpir", "deblur")
    assert chosen.folder is not None and chosen.folder.origin == "denoising-ode/denoise"
    assert (chosen.realism, chosen.recipe.realism, chosen.recipe.mean) == (None, None, "")


def test_every_mean_that_a_card_names_is_a_method_that_draws_nothing() -> None:
    cards = {card.name: card for card in registry().cards(RestorerCard)}
    assert {cards[card.mean].draws for card in cards.values() if card.mean} == {False}


def test_the_command_line_mixes_and_says_so(restore, drawing, rainy) -> None:  # type: ignore[no-untyped-def]
    how = ("-m", "ir-sde", "-t", "derain", "--weights", drawing, "--steps", 2, "--json")
    done = restore("run", rainy, *how, "--realism", 0.5)
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert (line["realism"], line["mean"], line["evaluations"]) == (0.5, f"{drawing}/mean", 3)
    wrong = restore("run", rainy, *how, "--realism", 2, "--overwrite")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    dry = restore("run", rainy, *how, "--overwrite", "--dry-run")
    assert (json.loads(dry.stdout)["realism"], json.loads(dry.stdout)["mean"]) == (0.25, f"{drawing}/mean")
    missing = restore("run", rainy, "-m", "ir-sde", "-t", "jpeg", "--realism", 1, "--overwrite")
    assert missing.returncode == 2 and len(missing.stderr.splitlines()) == 1
    assert "--set objective.norm=l2 --set objective.rectification=0" in missing.stderr


def test_scores_compare_realisms(restore, drawing, pictures) -> None:  # type: ignore[no-untyped-def]
    asked = ("weights={},realism=0", "2,weights={},realism=0.5", "2,weights={},realism=1")
    methods = [word for one in asked for word in ("-m", f"ir-sde@{one.format(drawing)}")]
    done = restore("score", *methods, "-t", "derain", "--data", pictures, "--limit", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert "realism 0.5, with the mean of " in done.stdout and "realism 1, " in done.stdout


def test_a_file_of_many_pictures_is_mixed_picture_by_picture(drawing: str, tmp_path: Path) -> None:
    write(picture(), tmp_path / "one.png")
    assert made(drawing, 0.5)(tmp_path / "one.png").realism == 0.5
    assert read(tmp_path / "one.png").pixels.shape == (1, 3, 24, 32)
