"""Reads one input as a worker does, and measures its time and memory."""

import resource
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.rows.malformed import Row
from u2net_cutout.contract.errors import CutoutError, InternalError
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.photo import load_photo

STATUS, CLEAR_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
DONE = "a picture"


@dataclass(frozen=True)
class Outcome:
    """The result of one input."""

    position: int
    name: str
    result: str
    """The code of the refusal, or `DONE`."""
    seconds: float
    """CPU time."""
    megabytes: float
    """Peak memory beyond that before it, without the input itself."""
    fault: str = ""
    """What went wrong; "" if nothing."""


def attempt(position: int, name: str, row: Row, limits: Limits) -> Outcome:
    """Read a row. Anything but a photo or a refusal is a fault."""
    CLEAR_PEAK.write_text(RESET_PEAK, encoding="ascii")
    before, start, fault = _megabytes("VmRSS"), _cpu_seconds(), ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what it mends
            load_photo(row.fields, row.headers, limits, explain=row.explain)
        result = DONE
    except CutoutError as error:
        result = error.code
        if isinstance(error, InternalError) or not error.detail:
            fault = f"{result}: {error.detail}"
    except Exception as error:
        result, fault = type(error).__name__, "".join(traceback.format_exception(error)[-3:])
    seconds, megabytes = _cpu_seconds() - start, max(_megabytes("VmHWM") - before, 0)
    return Outcome(position, name, result, seconds, megabytes, fault)


def _megabytes(field: str) -> float:
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"{STATUS} has no {field}")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
