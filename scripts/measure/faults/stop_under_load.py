"""Stop a running server under load, and count the results of the requests in flight.

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
    with clients.sending():
        time.sleep(BEFORE_S)
        begin = time.monotonic()
        end_server(config, now=arguments.now)
        end = time.monotonic()
    accepted = [each for each in clients.outcomes if each.sent < begin]
    in_flight = [each for each in accepted if each.sent + each.seconds >= begin]
    last = max((each.sent + each.seconds for each in accepted if each.served), default=begin)
    results = Counter(each.tries[-1] for each in in_flight)
    print(
        f"{len(in_flight)} requests were in flight when the stop began: "
        + ", ".join(f"{count} x {result}" for result, count in sorted(results.items()))
    )
    print(f"it took {end - begin:.1f} s, {end - max(last, begin):.1f} s beyond the last cutout")
