"""Stop a running server under load; tell what became of the requests it had accepted.

``make stop-under-load`` drains it, ``make stop-under-load NOW=1`` only sends SIGTERM.
"""

import time
from collections import Counter
from collections.abc import Sequence

from scripts.common.options import OptionParser, positive
from scripts.common.paths import PHOTO
from scripts.lifecycle.start import end_server
from scripts.measure.faults.clients import SteadyClients
from scripts.measure.kit.errors import BenchError
from scripts.torchserve.config import ServerConfig

BEFORE_S = 5.0


def stop_under_load(line: Sequence[str]) -> None:
    """Stop the running server under load and count what is lost."""
    parser = OptionParser("stop-under-load", "Stop the running server under load.")
    parser.take("port", "build", "model", "now", picture=PHOTO)
    parser.add_argument("--concurrency", type=positive, default=8)
    arguments = parser.parse_args(line)
    config = ServerConfig.of(arguments.port, arguments.build)
    try:
        picture = arguments.picture.read_bytes()
    except OSError as error:
        raise BenchError(str(error)) from error
    clients = SteadyClients(config, arguments.model, picture, arguments.concurrency)
    with clients.asking():
        time.sleep(BEFORE_S)
        begin = time.monotonic()
        end_server(config, now=arguments.now)
        end = time.monotonic()
    accepted = [each for each in clients.outcomes if each.asked < begin]
    open_then = [each for each in accepted if each.asked + each.seconds >= begin]
    last = max((each.asked + each.seconds for each in accepted if each.served), default=begin)
    told = Counter(each.tries[-1] for each in open_then)
    print(
        f"{len(open_then)} requests were on their way when the stop began: "
        + ", ".join(f"{count} x {outcome}" for outcome, count in sorted(told.items()))
    )
    print(f"it took {end - begin:.1f} s, {end - max(last, begin):.1f} s beyond the last cutout")
