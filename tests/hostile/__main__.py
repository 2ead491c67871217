"""``python -m tests.hostile <what>``: the hostile inputs of `make torture` and `make fuzz`."""

import sys

from scripts.common.running import run

COMMANDS = {
    "decoder": "tests.hostile.decoder:decoder",
    "server": "tests.hostile.server:server",
    "fuzz": "tests.hostile.fuzz:fuzz",
}

if __name__ == "__main__":
    run("python -m tests.hostile", COMMANDS, sys.argv[1:])
