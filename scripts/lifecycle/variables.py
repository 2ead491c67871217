"""``make`` checks the variables of a server and its archive before it installs or builds anything.

Runs in a bare Python: nothing is installed the first time.
"""

import sys
from collections.abc import Sequence
from typing import Any

from scripts.common.errors import CommandError
from scripts.common.options import OPTIONS, OptionParser
from scripts.torchserve.binding import objection
from scripts.torchserve.versions import checked_version
from scripts.weights.variants import variant_named

ARCHIVED_BATCHES = (
    "LOCKED=1 and KSERVE serve batches as handler/model-config.yaml says: set batchSize and "
    "maxBatchDelay there"
)


def check(line: Sequence[str]) -> None:
    """Check the variables of a target, which is named in the error; exit with 1 if one is wrong."""
    parser = OptionParser("check", "Check the variables of a target.")
    parser.add_argument("target")
    target = parser.parse_args(line).target
    try:
        _check(parser.take(*OPTIONS["Server"], *OPTIONS["Archive"]).parse_args(line))
    except CommandError as error:
        sys.exit(f"make {target}: {error}")


def _check(arguments: Any) -> None:
    if arguments.version is not None:
        checked_version(arguments.version)
    variant_named(arguments.model)
    # The configuration comes later.
    if words := objection({}, frozenset(arguments.expose)):
        raise CommandError(words)
    batches = (arguments.batch_size, arguments.batch_delay)
    if (arguments.locked or arguments.kserve) and batches != (None, None):
        raise CommandError(ARCHIVED_BATCHES)
