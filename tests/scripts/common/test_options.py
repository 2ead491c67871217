from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import CommandError
from scripts.common.options import (
    OPTIONS,
    OptionParser,
    duration,
    parse,
    positive,
    variable_of,
    without_options,
)

NAMES = [name for group in OPTIONS.values() for name in group]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(variable_of(name), raising=False)


def test_a_flag_wins_over_the_variable_and_that_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def port(*line: str, **defaults: Any) -> int:
        return int(parse("stop", "", line, "port", **defaults).port)

    assert (port(), parse("soak", "", [], port=10080).port) == (8080, 10080)
    monkeypatch.setenv("PORT", "9000")
    assert (port(), port("--port", "9001")) == (9000, 9001)
    assert parse("soak", "", [], port=10080).port == 9000
    monkeypatch.setenv("PORT", "")
    assert port() == 8080


def test_an_option_of_two_words_is_a_variable_with_an_underscore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BATCH_SIZE", "4")

    assert parse("serve", "", [], "batch-size").batch_size == 4


@pytest.mark.parametrize(
    ("text", "on"), [("", False), ("0", False), ("no", False), ("1", True), ("yes", True)]
)
def test_a_switch_is_on_by_any_word_but_no(
    monkeypatch: pytest.MonkeyPatch, text: str, on: bool
) -> None:
    monkeypatch.setenv("NOW", text)

    assert parse("stop", "", [], "now").now is on
    assert parse("stop", "", ["--now"], "now").now is True


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("WORKERS", "abc", "WORKERS=abc: expected a whole number above 0"),
        ("WORKERS", "0", "WORKERS=0: expected"),
        ("WORKERS", "-1", "WORKERS=-1: expected"),
        ("PORT", "80a", "PORT=80a: expected"),
        ("RATE", "-5", "RATE=-5: expected"),
        ("MINUTES", "nan", "MINUTES=nan: expected a number above 0"),
        ("PROFILE", "fast", "PROFILE=fast: choose throughput, latency"),
        ("KIND", "foo", "KIND=foo: choose inference, management"),
        ("PIP_ARGS", "'", "PIP_ARGS=': No closing quotation"),
    ],
)
def test_a_value_that_can_not_be_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, why: str
) -> None:
    monkeypatch.setenv(variable, text)

    with pytest.raises(CommandError) as refused:
        parse("serve", "", [], variable.lower().replace("_", "-"))

    assert why in str(refused.value)


def test_a_flags_value_is_checked_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("serve", "", ["--workers", "none"], "workers")

    assert "expected a whole number above 0, got 'none'" in capsys.readouterr().err


def test_defaults_are_what_their_options_read() -> None:
    arguments = OptionParser("all", "").take(*NAMES).parse_args([])

    assert (arguments.build, arguments.port, arguments.pip_args) == (Path("build"), 8080, ())
    for group in OPTIONS.values():
        for name, option in group.items():
            assert not option.choices or option.default in (None, *option.choices), name


def test_a_command_starts_another_without_its_own_options() -> None:
    outer = {variable_of(name): "x" for name in NAMES} | {"MAKEFLAGS": "w", "PATH": "/bin"}

    assert without_options(outer) == {"PIP_ARGS": "x", "PATH": "/bin"}


def test_numbers_are_read_strictly() -> None:
    assert (positive("12"), duration("0.5")) == (12, 0.5)
    for text in ("1e3", "1.0", " 1 x", "٣", "²"):
        with pytest.raises(Exception, match="expected a whole number"):
            positive(text)
