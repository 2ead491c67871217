from pathlib import Path

import yaml

from tests.conftest import BUILD, ROOT
from tests.hostile.corpus import Corpus
from tests.hostile.decoder import SECONDS, SLACK_MEGABYTES
from tests.hostile.files.samples import samples
from tests.hostile.heif_packages import heif_packages
from tests.hostile.rows.malformed import Row
from tests.hostile.summary import Summary
from tests.hostile.trial import DONE, attempt
from tests.hostile.trial_process import CRASHED, Trials
from u2net_cutout.contract.limits import Limits

SEED = 0
FEW = 2000

LIMITS = Limits.from_config(
    yaml.safe_load((ROOT / "handler" / "model-config.yaml").read_text(encoding="utf-8"))
)


def test_no_input_gets_anything_but_a_picture_or_a_refusal() -> None:
    summary = Summary(SECONDS, LIMITS.max_decoding_bytes / (1 << 20) + SLACK_MEGABYTES)

    for outcome in Trials(SEED, FEW, 0, LIMITS, heif_packages(BUILD)).outcomes():
        summary.add(outcome)

    assert not summary.faults, summary.report()
    assert summary.results.total() == FEW
    assert min(summary.results[DONE], summary.results["failed_to_read_image"]) > FEW / 10


def test_a_run_begins_at_first() -> None:
    outcomes = list(Trials(SEED, 120, 115, LIMITS, None).outcomes())

    assert [outcome.position for outcome in outcomes] == list(range(115, 120))


def test_the_same_seed_gives_the_same_inputs() -> None:
    first, second, other = Corpus(1, 400), Corpus(1, 400), Corpus(2, 400)

    assert [first[position] for position in (70, 399)] == [second[70], second[399]]
    assert first[399] != other[399]


def test_a_sound_picture_is_no_fault() -> None:
    outcome = attempt(7, "sound", Row({"body": samples()["png"]}), LIMITS)

    assert (outcome.position, outcome.result, outcome.fault) == (7, DONE, "")


def test_an_error_of_ours_is_a_fault() -> None:
    outcome = attempt(0, "no row", Row(None), LIMITS)  # type: ignore[arg-type]

    assert "TypeError" in outcome.fault


def test_memory_and_time_beyond_what_is_allowed_are_faults() -> None:
    sound = attempt(0, "sound", Row({"body": samples()["png"]}), LIMITS)

    for summary in (Summary(-1, 1000), Summary(1000, -1)):
        summary.add(sound)
        assert summary.faults == [sound]


def test_a_process_that_crashes_is_reported_and_replaced(tmp_path: Path) -> None:
    # In place of pillow-heif there is a module that ends the process.
    (tmp_path / "pillow_heif.py").write_text("import os\nos.abort()\n", encoding="utf-8")

    outcomes = list(Trials(SEED, 2, 0, LIMITS, tmp_path).outcomes())

    assert [(outcome.position, outcome.result) for outcome in outcomes] == [
        (0, CRASHED),
        (1, CRASHED),
    ]
    assert "SIGABRT" in outcomes[0].fault
