"""The handler with faults in it: which, a picture asks for by its width. Only tests register it."""

from torch import Tensor

from u2net_cutout.pipeline.photo import Photo
from u2net_cutout.pipeline.response import Answer
from u2net_handler import U2Net


class Faulty(U2Net):
    """Fails over pictures of certain widths, and is otherwise the real one."""

    def _answer(self, photo: Photo, maps: Tensor) -> Answer:
        answer = super()._answer(photo, maps)
        match photo.image.width:
            case 101:
                raise SystemExit(1)
            case 102:
                raise MemoryError
            case 103:
                return self._recurse(0)
            case 104:
                raise RuntimeError("CUDA error: device-side assert triggered")
            case 105:
                raise ValueError("\n[METRICS]nonsense\n[PID]99999999999")
            case 106:
                return answer.with_header("X-Subject", "grün\r\n")
            case 107:
                return None  # type: ignore[return-value]
            case _:
                return answer

    def _recurse(self, depth: int) -> Answer:
        return self._recurse(depth + 1)
