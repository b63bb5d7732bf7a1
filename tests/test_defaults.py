"""A user's own defaults: the configuration file and variables, by the names of options; slips in them are said."""

from __future__ import annotations

import click
import pytest

from restoration.cli.defaults import defaults_of, settings, strange_variables
from restoration.cli.main import COMMANDS, cli
from restoration.errors import RestorationError


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """A function that writes a configuration and returns what it says."""

    def write(text: str):
        (tmp_path / "config.toml").write_text(text)
        monkeypatch.setenv("RESTORE_CONFIG", str(tmp_path / "config.toml"))
        return settings(COMMANDS)

    return write


def of(name: str) -> click.Context:
    """The context of a command called `name`."""
    from restoration.cli.lazy import command_of

    top = click.Context(cli, info_name="restore", help_option_names=["-h", "--help"])
    return click.Context(command_of(COMMANDS[name]), info_name=name, parent=top)


def test_settings_have_the_names_of_options_with_dashes_or_without(configured, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    found = configured('[run]\nformat = "webp"\njpeg-quality = 50\ntime_limit = "2m"\noutput = "~/out/"\nsigma = 25\n')
    assert defaults_of(of("run"), found["run"]) == {
        "suffix": "webp",
        "jpeg_quality": 50,
        "time_limit": "2m",
        "output": "/home/me/out/",
        "sigma": 25,
    }
    found = configured("[weights.pull]\noffline = true\n")
    assert defaults_of(of("weights"), found["weights"]) == {"pull": {"offline": True}}


def test_variables_have_the_names_of_options_and_count_more_than_settings(configured, monkeypatch):
    found = configured('[run]\nformat = "webp"\n')
    monkeypatch.setenv("RESTORE_RUN_FORMAT", "png")
    assert defaults_of(of("run"), found["run"]) == {"suffix": "png"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rum]\nthreads = 1\n", r"has \[rum\], which is no command; did you mean run\?"),
        ("threads = 1\n", r"has threads = 1; put it under a \[command\]"),
        ("[run]\nstep = 3\n", r"has step under \[run\], which is no option of it; did you mean steps\?"),
        ("[run]\nhelp = true\n", r"has help under \[run\], which is no option of it"),
        ("[weights.pull]\nofline = true\n", r"has ofline under \[weights\.pull\].*; did you mean offline\?"),
        ("[weights]\npul = 1\n", r"has pul under \[weights\].*; did you mean pull\?"),
        ("[run\n", "cannot be read: "),
    ],
)
def test_a_slip_in_the_configuration_is_refused_with_what_may_be_meant(configured, text, words):
    def use() -> None:
        for name, inside in configured(text).items():
            defaults_of(of(name), inside)

    with pytest.raises(RestorationError, match=words):
        use()


def test_a_configuration_that_is_named_must_be_there_and_one_that_nobody_can_have_need_not(tmp_path, monkeypatch):
    monkeypatch.setenv("RESTORE_CONFIG", str(tmp_path / "no.toml"))
    with pytest.raises(RestorationError, match=r"RESTORE_CONFIG names .*no\.toml, which is not there"):
        settings(COMMANDS)
    monkeypatch.delenv("RESTORE_CONFIG")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))  # as with HOME=/dev/null
    assert settings(COMMANDS) == {}


def test_a_variable_that_is_no_setting_is_said_and_those_of_other_commands_are_not(monkeypatch):
    for name in ("RESTORE_RUN_STEP", "RESTORE_STEPS", "RESTORE_SCORE_LIMIT", "RESTORE_RUN_FORMAT", "RESTORE_CACHE"):
        monkeypatch.setenv(name, "1")
    said = list(strange_variables(of("run"), COMMANDS))
    assert [line.split()[2] for line in said] == ["RESTORE_RUN_STEP", "RESTORE_STEPS"]
    assert all("is no setting of `restore run`; did you mean RESTORE_RUN_STEPS?" in line for line in said)
    assert [line.split()[2] for line in strange_variables(of("weights"), COMMANDS)] == ["RESTORE_STEPS"]


def test_looking_for_options_leaves_the_help_as_it_is(restore):
    assert "-h, --help" in restore("run", "--help").stdout
