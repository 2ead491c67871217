"""Stop a running server under load; tell what became of the requests it had accepted.

``make stop-under-load`` drains it, ``make stop-under-load NOW=1`` only sends SIGTERM.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from drain import stop
from server_config import ServerConfig, ServerError
from steady_clients import SteadyClients
from torchserve_process import TorchServeProcess

BEFORE_S = 5.0


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    ServerConfig.add_arguments(parser)
    parser.add_argument("--model", default="u2net")
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--now", action="store_true", help="only send SIGTERM")
    arguments = parser.parse_args()
    config = ServerConfig.from_arguments(arguments)
    try:
        clients = SteadyClients(
            config, arguments.model, arguments.picture.read_bytes(), arguments.concurrency
        )
        with clients.asking():
            time.sleep(BEFORE_S)
            begin = time.monotonic()
            if arguments.now:
                TorchServeProcess(config).stop()
            else:
                stop(config)
            end = time.monotonic()
    except (ServerError, OSError) as error:
        sys.exit(f"make stop-under-load: {error}")
    accepted = [each for each in clients.outcomes if each.asked < begin]
    open_then = [each for each in accepted if each.asked + each.seconds >= begin]
    last = max((each.asked + each.seconds for each in accepted if each.served), default=begin)
    told = Counter(each.tries[-1] for each in open_then)
    print(
        f"{len(open_then)} requests were on their way when the stop began: "
        + ", ".join(f"{count} x {outcome}" for outcome, count in sorted(told.items()))
    )
    print(f"it took {end - begin:.1f} s, {end - max(last, begin):.1f} s beyond the last cutout")


if __name__ == "__main__":
    main()
