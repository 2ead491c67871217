"""Feed the reading of requests and pictures with what must not hurt it; in processes of their own.

Exits with 1 if anything came of an input but a picture or a refusal, or if it took too much.
"""

import argparse
import sys
import time
from pathlib import Path

import yaml

from cutout_limits import Limits
from heif_packages import heif_packages
from tally import Tally
from trial_process import Trials

CONFIG = Path(__file__).resolve().parents[2] / "handler" / "model-config.yaml"
INPUTS = 100_000
# One input may take this much of one core; decoding itself is bounded by max_decoding_bytes.
SECONDS = 10.0
# Of what a request holds besides the decoder's: its text, and the text's bytes.
SLACK_MEGABYTES = 160
MIB = 1 << 20
REPORT_EVERY_S = 10


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many, those before --first")
    parser.add_argument("--first", type=int, default=0, help="go on from here")
    parser.add_argument("--last", type=int, help="and stop before this one")
    parser.add_argument("--seed", type=int, default=0, help="other inputs by chance")
    parser.add_argument("--build", type=Path, default=Path("build"), help="has a folder of wheels")
    arguments = parser.parse_args()
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    limits = Limits.from_config(config)
    trials = Trials(
        arguments.seed,
        arguments.inputs,
        arguments.first,
        limits,
        heif_packages(arguments.build),
    )
    tally = Tally(SECONDS, limits.max_decoding_bytes / MIB + SLACK_MEGABYTES)
    last = arguments.last or arguments.inputs
    shown = time.monotonic()
    for outcome in trials.outcomes():
        if outcome.position >= last:
            break
        tally.add(outcome)
        if time.monotonic() - shown > REPORT_EVERY_S:
            shown = time.monotonic()
            print(f"{outcome.position + 1} of {last}, {len(tally.faults)} faults", file=sys.stderr)
    print(tally.report())
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
