"""A training goes on with more steps or other numbers, stops before it is spoilt, and says how long it will take."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import click
import pytest
import torch
from huggingface_hub import ModelCard
from msgspec.structs import replace
from safetensors.torch import load_file
from small import SMALL, picture
from together import trainer_and_batches

from restoration.cli.commands.train import train as command
from restoration.cli.progress import duration, estimating
from restoration.cli.training_options import Size
from restoration.errors import BadOption, RestorationError
from restoration.images import write
from restoration.images.files import write_together
from restoration.recipe import Part, Recipe, default_recipe
from restoration.training import checkpoint
from restoration.training.divergence import WINDOW, Divergence
from restoration.training.loop import train
from restoration.training.outcome import Progress
from restoration.training.records import CHECKPOINT, read_log
from restoration.training.settings import CHANGEABLE, FREE, Training
from restoration.weights import CARD, CONFIG, MODEL

QUICK = Training(steps=6, batch=2, patch=16, held_out=1, validate_every=3, checkpoint_every=3, precision="fp32")


@pytest.fixture
def recipe() -> Recipe:
    return replace(default_recipe("regression", "denoise"), network=Part("nafnet-compact", SMALL))


def state_in(out: Path) -> dict:
    return checkpoint.load((out / CHECKPOINT).read_bytes(), out)


def test_a_finished_training_goes_on_with_more_steps_on_the_schedule_of_the_new_length(pictures, tmp_path, recipe):
    out, longer = tmp_path / "out", replace(QUICK, steps=12, log_every=1)
    train(recipe, pictures, out, QUICK)
    finished = load_file(out / MODEL)
    folder = train(recipe, pictures, out, longer)
    lines = read_log(out)
    assert [line["step"] for line in lines] == [3, 6, 7, 8, 9, 10, 11, 12]
    assert [line["lr"] for line in lines[2:]] == [longer.rate(step) for step in range(6, 12)]
    assert lines[2]["lr"] == pytest.approx(longer.lr * (1 + math.cos(math.pi * 5 / 11)) / 2)
    record = folder.recipe().training
    assert (record["steps"], record["changes"]) == (12, [{"step": 6, "steps": 6, "warmup": 0}])
    assert "Until step 6 some settings were others: `steps` 6, `warmup` 0." in (out / CARD).read_text()
    assert any(not torch.equal(value, finished[name]) for name, value in load_file(out / MODEL).items())
    with pytest.raises(BadOption, match=f"{CHECKPOINT} is 12 steps into its training already; ask for more --steps"):
        train(recipe, pictures, out, QUICK)


def test_the_same_command_on_a_finished_training_gives_the_same_bytes(pictures, tmp_path, recipe):
    train(recipe, pictures, tmp_path, QUICK)
    before = (tmp_path / MODEL).read_bytes()
    (tmp_path / MODEL).unlink()
    train(recipe, pictures, tmp_path, replace(QUICK, log_every=5, workers=0))
    assert (tmp_path / MODEL).read_bytes() == before
    assert "changes" not in json.loads((tmp_path / CONFIG).read_text())["training"]


def test_weights_that_a_training_would_overwrite_are_kept(pictures, tmp_path, recipe):
    train(recipe, pictures, tmp_path, replace(QUICK, steps=1))
    (tmp_path / CHECKPOINT).unlink()
    before = (tmp_path / MODEL).read_bytes()
    with pytest.raises(BadOption, match="holds weights already, and no checkpoint to go on from; choose another --out"):
        train(recipe, pictures, tmp_path, QUICK)
    assert (tmp_path / MODEL).read_bytes() == before


def test_a_loss_that_is_not_finite_stops_before_the_checkpoint_and_a_lower_rate_goes_on(pictures, tmp_path, recipe):
    wild = replace(QUICK, steps=9)
    train(recipe, pictures, tmp_path, replace(wild, steps=3))
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(RestorationError, match=r"not finite at step 5, of which nothing is saved.* say --lr 5e\+29$"):
        train(recipe, pictures, tmp_path, replace(wild, lr=1e30))
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    train(recipe, pictures, tmp_path, wild)
    assert state_in(tmp_path)["trainer"]["step"] == 9
    assert all(bool(value.isfinite().all()) for value in load_file(tmp_path / MODEL).values())


def test_a_gradient_that_is_not_finite_is_seen_where_the_loss_is(pictures, recipe):
    class Root:
        """The root of nothing has no slope."""

        def loss(self, network, schedule, x, y, rng):
            answer = network(y, y, y.new_ones(len(y)))
            return (answer * 0).square().mean((1, 2, 3)).sqrt()

    trainer, batches = trainer_and_batches(recipe, pictures, QUICK)
    trainer.batch_loss.objective = Root()
    trainer.advance(*next(iter(batches)))
    assert float(trainer.loss) == 0
    with pytest.raises(RestorationError, match="the loss or its gradient is not finite at step 1"):
        trainer.checked_loss()


def test_fp16_scales_the_loss_and_goes_on_to_the_same_bytes(pictures, tmp_path, recipe):
    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.step == 4:
            raise Stopped

    half = replace(QUICK, precision="fp16")
    train(recipe, pictures, tmp_path / "whole", half)
    with pytest.raises(Stopped):
        train(recipe, pictures, tmp_path / "stopped", half, observe=stop)
    train(recipe, pictures, tmp_path / "stopped", half)
    scalers = [state_in(tmp_path / name)["trainer"]["scaler"] for name in ("whole", "stopped")]
    assert scalers[0] == scalers[1]
    assert (scalers[0]["scale"], scalers[0]["_growth_tracker"]) == (2.0**16, 6), "no step was left out"
    assert (tmp_path / "whole" / MODEL).read_bytes() == (tmp_path / "stopped" / MODEL).read_bytes()


def test_fp16_leaves_out_steps_that_overflow_and_stops_where_all_do(pictures, recipe):
    half = replace(QUICK, precision="fp16")
    trainer, batches = trainer_and_batches(recipe, pictures, half)
    batch, *_ = batches
    trainer.advance(*batch)  # the last layer begins with zeros: no gradient reaches the others
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    trainer.advance(*batch)
    assert trainer.scaler.get_scale() == 2.0**39
    assert all(map(torch.equal, before, trainer.network.parameters())), "a gradient that overflows moves nothing"
    assert trainer.checked_loss() > 0
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**-11)
    trainer.advance(*batch)
    with pytest.raises(RestorationError, match=r"lower learning rate, say --lr 0\.0005, or with --precision fp32$"):
        trainer.checked_loss()


def test_a_folder_for_validation_takes_the_place_of_pictures_held_out(pictures, tmp_path, recipe, caplog):
    judges = tmp_path / "judges"
    judges.mkdir()
    for seed in (7, 8):
        write(picture(40, 48, seed), judges / f"{seed}.png")
    out = tmp_path / "out"
    record = train(recipe, pictures, out, QUICK, validation=judges).recipe().training
    assert (record["pictures"], record["held_out"], record["validation_data"]) == (4, 0, "judges")
    assert record["validation"]["pictures"] == 2
    (judges / "8.png").unlink()
    with caplog.at_level(logging.INFO, "restoration"):
        again = train(recipe, pictures, out, replace(QUICK, steps=9), validation=judges).recipe().training
    assert again["validation"] | {"psnr_rgb": 0} == {"psnr_rgb": 0, "pictures": 1, "border": 0, "step": 9}
    assert "the pictures for validation are others than before" in caplog.text
    assert "goes on from step 6 with steps 9 instead of 6" in caplog.text


def test_other_pictures_than_before_are_told(pictures, tmp_path, recipe, caplog):
    train(recipe, pictures, tmp_path / "out", replace(QUICK, held_out=0))
    (tmp_path / "more").mkdir()
    write(picture(40, 48, 9), tmp_path / "more" / "9.png")
    with caplog.at_level(logging.INFO, "restoration"):
        train(recipe, tmp_path / "more", tmp_path / "out", replace(QUICK, held_out=0, steps=7))
    assert "goes on with other pictures than those that it began with" in caplog.text


def test_the_rate_rises_for_at_most_a_tenth_of_the_steps_and_then_falls_to_0():
    assert [Training(steps=steps).warmup_steps for steps in (5, 100, 20000)] == [0, 10, 500]
    settings = Training(steps=100, lr=1.0)
    assert [settings.rate(step) for step in (0, 4, 9, 10)] == [0.1, 0.5, 1.0, 1.0]
    assert settings.rate(55) == pytest.approx(0.5)
    assert settings.rate(100) == 0
    assert Training(steps=100, warmup=0).rate(0) == 1e-3


def test_a_record_says_what_shaped_the_numbers_and_only_some_of_it_may_change():
    settings = Training(workers=3, cache=1 << 30)
    record = settings.record()
    assert settings.changes_from(record) == {}
    assert not {"workers", "cache"} & record.keys()
    assert record["warmup"] == 500
    assert {*FREE, *CHANGEABLE} <= set(Training.__struct_fields__)
    assert replace(settings, lr=1e-4, validate_every=7).changes_from(record) == {"lr": 1e-3}
    assert settings.changes_from({name: value for name, value in record.items() if name != "blend"}) == {}
    with pytest.raises(BadOption, match="it was begun with --seed 0, not 1"):
        replace(settings, seed=1).changes_from(record)


@pytest.mark.parametrize(
    "wrong", [{"ema": 1.0}, {"clip": 0.0}, {"lr": math.inf}, {"warmup": -1}, {"weight_decay": -0.1}, {"steps": 0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be"):
        Training(**wrong)


def test_every_setting_is_an_option_with_its_default_in_the_help():
    options = {option.name: option for option in command.params if isinstance(option, click.Option)}
    for name, default in zip(Training.__struct_fields__, Training.__struct_defaults__, strict=True):
        words = {"warmup": "500, at most a tenth of --steps", "workers": "auto", "cache": "auto", "compile": "no"}
        shown = words.get(name, default)
        assert f"[default: {shown}" in options[name].help, name


def test_the_help_has_headings(restore):
    text = restore("train", "--help").stdout
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [f"{name}:" for name in ("What is trained", "Pictures", "Optimisation", "Result", "Machine")] + [
        "Other options:"
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--clean", "."], "--clean and --degraded belong together"),
        ([], "name a folder of pictures with --data, or the two sides of pairs with --clean and --degraded"),
        (["--data", ".", "--clean", ".", "--degraded", "."], "name a folder of pictures with --data, or the two sides"),
        (["--data", ".", "--validation", ".", "--held-out", "3"], "--validation takes the place of --held-out"),
        (["--data", ".", "--cache", "much"], "'much' is not a size such as 500M or 4G"),
    ],
)
def test_pictures_that_are_named_wrongly_are_one_line(restore, tmp_path, arguments, said):
    done = restore("train", "regression", "--task", "denoise", "--out", tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert said in done.stderr


def test_a_size_has_a_unit_or_is_in_bytes():
    sizes = {"512": 512, "500M": 500 << 20, "4G": 4 << 30, "1.5GB": 3 << 29, "2kb": 2048, "0": 0}
    assert {text: Size().convert(text, None, None) for text in sizes} == sizes


def test_a_recipe_of_a_long_training_warms_up_less_where_it_is_followed_for_a_few_steps(pictures, tmp_path, restore):
    long = replace(default_recipe("regression", "denoise"), training={"steps": 5000, "warmup": 400, "lr": 0.5})
    (tmp_path / "recipe.json").write_text(long.to_json())
    command = ("train", "regression", "--task", "denoise", "--data", pictures, "--recipe", tmp_path / "recipe.json")
    command += ("--network", "dncnn", "--set", "network.depth=2", "--steps", 20, "--patch", 16, "--batch", 1)
    done = restore(*command, "--out", tmp_path / "out", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / CONFIG).read_text())["training"]
    assert (record["warmup"], record["lr"]) == (2, 0.5)


def test_the_model_card_has_a_header_that_the_hub_reads(pictures, tmp_path, recipe):
    folder = train(recipe, pictures, tmp_path / "out", QUICK)
    data = ModelCard((folder.path / CARD).read_text()).data
    assert (data.library_name, data.pipeline_tag) == ("restoration", "image-to-image")
    assert data.tags == ["restoration", "image-restoration", "regression", "denoise", "nafnet-compact"]
    (result,) = data.eval_results
    assert result.metric_value == folder.recipe().training["validation"]["psnr_rgb"]
    assert result.dataset_name == f"held out of {pictures.name}"


def test_files_that_belong_together_are_all_old_where_one_cannot_be_written(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(RestorationError, match="cannot write"):
        write_together({tmp_path / "a": b"new", tmp_path / "nowhere" / "b": b"new"})
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_time_of_a_training_is_told_once_after_some_seconds():
    told: list[str] = []
    look = estimating(10_000, told.append)
    for step in range(1, 40):  # the first step took a minute, each other one a second
        look(Progress(step=step, psnr=None, seconds=59.0 + step, running_loss=torch.zeros(())))
    assert told == ["about 2 h 47 min to go on this machine, at 1 steps/s"]
    look = estimating(20, told.append)
    for step in range(1, 21):
        look(Progress(step=step, psnr=None, seconds=float(step), running_loss=torch.zeros(())))
    assert len(told) == 1, "less than a minute is not told"
    assert [duration(seconds) for seconds in (90, 3600, 12_000, 86_400, 100_000)] == [
        "2 min",
        "1 h",
        "3 h 20 min",
        "1 day",
        "1 day 4 h",
    ]


def test_sgd_with_momentum_learns_and_goes_on_to_the_same_bytes(pictures, tmp_path, recipe):
    settings = replace(QUICK, optimizer="sgd", lr=0.05, momentum=0.8, clip=10.0, steps=6)
    whole = train(recipe, pictures, tmp_path / "whole", settings)
    assert whole.recipe().training["optimizer"] == "sgd" and whole.recipe().training["momentum"] == 0.8

    with pytest.raises(KeyboardInterrupt):
        train(recipe, pictures, tmp_path / "parts", settings, observe=interrupted_after(4))
    train(recipe, pictures, tmp_path / "parts", settings)
    assert (tmp_path / "parts" / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()

    with pytest.raises(BadOption, match="--optimizer sgd, not adamw"):
        train(recipe, pictures, tmp_path / "whole", replace(QUICK, steps=8))
    with pytest.raises(ValueError, match="momentum is for optimizer sgd"):
        replace(QUICK, momentum=0.5)


def interrupted_after(step):
    """Return an observer that interrupts a training, as Ctrl-C does."""

    def observe(progress):
        if progress.step == step:
            raise KeyboardInterrupt

    return observe


def test_a_loss_that_rises_far_above_its_first_value_is_remarked_once(pictures, tmp_path, recipe, caplog):
    short = replace(QUICK, steps=WINDOW, batch=1, patch=8, held_out=0, validate_every=1000, checkpoint_every=1000)
    train(recipe, pictures, tmp_path, short)
    assert not caplog.messages
    train(recipe, pictures, tmp_path, replace(short, steps=WINDOW + 9, log_every=1, lr=3.0, warmup=0))
    losses = [line["loss"] for line in read_log(tmp_path)]
    assert min(losses[-2:]) > 2 * losses[0]
    (remark,) = [text for text in caplog.messages if "the loss rose" in text]
    assert "what was learned is lost: begin again, in another --out, with a lower learning rate, say --lr 1.5" in remark


@pytest.mark.parametrize(
    ("losses", "diverged"),
    [
        ([0.003, 0.002, 0.0018, 0.0019, 1.7, 0.6], [4]),  # mean squares: once
        ([0.003, 0.002, 0.0018, 1.7, 0.002, 0.7], [3, 5]),  # and again
        ([0.0016, 0.0015, 0.0018, 0.0014, 0.0022], []),  # noise of a loss that does not fall
        ([-20.0, -29.0, -31.0, -27.0, -5.0], [4]),  # decibels
        ([-30.0, -30.2, -29.1, -28.0], []),
    ],
)
def test_a_loss_diverges_where_it_is_far_above_its_first_value(losses, diverged):
    watched = Divergence()
    assert [place for place, loss in enumerate(losses) if watched.seen(WINDOW + place, loss)] == diverged
