"""Read hostile requests and pictures as a worker does, in processes of their own.

Exits with 1 if an input gave anything but a picture or a refusal, or took too much time or memory.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from scripts.common.options import OptionParser
from tests.hostile.heif_packages import heif_packages
from tests.hostile.summary import Summary
from tests.hostile.trial_process import Trials
from u2net_cutout.contract.limits import Limits

CONFIG = Path(__file__).resolve().parents[2] / "handler" / "model-config.yaml"
# One input may take this much of one core; decoding itself is bounded by max_decoding_bytes.
SECONDS = 10.0
# Memory of a request besides the decoder's: its text, and the text's bytes.
SLACK_MEGABYTES = 160
MIB = 1 << 20
REPORT_EVERY_S = 10


def decoder(line: Sequence[str]) -> None:
    """Feed hostile files to the decoder; exit with 1 if one is a fault."""
    parser = OptionParser(
        "decoder", "Feed hostile files to the decoder; exit with 1 if one is a fault."
    )
    parser.add_argument("--first", type=int, default=0, help="the first input")
    parser.add_argument("--last", type=int, help="the input to stop before")
    parser.take("build", "inputs", "seed")
    arguments = parser.parse_args(line)
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    limits = Limits.from_config(config)
    trials = Trials(
        arguments.seed,
        arguments.inputs,
        arguments.first,
        limits,
        heif_packages(arguments.build),
    )
    summary = Summary(SECONDS, limits.max_decoding_bytes / MIB + SLACK_MEGABYTES)
    last = arguments.last or arguments.inputs
    shown = time.monotonic()
    for outcome in trials.outcomes():
        if outcome.position >= last:
            break
        summary.add(outcome)
        if time.monotonic() - shown > REPORT_EVERY_S:
            shown = time.monotonic()
            print(
                f"{outcome.position + 1} of {last}, {len(summary.faults)} faults", file=sys.stderr
            )
    print(summary.report())
    sys.exit(bool(summary.faults))
