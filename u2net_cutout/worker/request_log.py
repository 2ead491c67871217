"""Events as lines of JSON, for the worker's output. Knows the standard library only.

TorchServe's frontend reads that output line by line and looks for words of its own in it:
``[METRICS]`` at the start of a line, ``[PID]`` and digits at its end. One that it can't parse ends
its reading, and with it the worker. A line of these begins and ends in a brace and holds no control
character, so no text that came from a client can be taken for one.
"""

import json
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

# The end of a traceback tells the most; its exception may quote what a client sent.
LONGEST_TRACEBACK = 6000


def event(name: str, **fields: object) -> str:
    """Return one line of JSON in ASCII: the event's name, the time in UTC, and the fields.

    Raises:
        TypeError, ValueError: a field that JSON can't hold.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"event": name, "time": now, **fields}, allow_nan=False)
    # The only control character that JSON leaves as it is.
    return line.replace("\x7f", "\\u007f")


def failure(request_ids: Sequence[str], error: BaseException) -> str:
    """Return the event of a fault of ours, of the kind that the client is not told."""
    told = "".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:]
    return event("failure", ids=list(request_ids), error=type(error).__name__, traceback=told)
