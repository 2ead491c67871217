"""The handler with faults in it: which, a picture asks for by its width. Only tests register it."""

from u2net_cutout.pipeline.cutout import Saliency
from u2net_cutout.pipeline.response import Response
from u2net_cutout.worker.batch import Batch
from u2net_handler import U2Net


class Faulty(U2Net):
    """Fails over pictures of certain widths, and is otherwise the real one."""

    def postprocess(self, batch: Batch[Saliency]) -> Batch[Response]:
        return batch.map(self._respond)

    def _respond(self, saliency: Saliency) -> Response:
        response = self.pipeline.respond(saliency)
        match saliency.photo.image.width:
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
                return response.with_header("X-Subject", "grün\r\n")
            case 107:
                return None  # type: ignore[return-value]
            case _:
                return response

    def _recurse(self, depth: int) -> Response:
        return self._recurse(depth + 1)
