"""The same cutout as ``u2net_handler``, sent the slow way: ``.tolist()``, not ``.tobytes()``.

TorchServe's own handlers send it so. Only ``make bench`` registers this.
"""

import numpy as np

from u2net_cutout.pipeline.response import Response
from u2net_handler import U2Net


class ToList(U2Net):
    """Sends the pixels as nested lists of numbers, which TorchServe writes as JSON."""

    def _reply(self, response: Response, index: int) -> tuple[Response, object]:
        reply = super()._reply(response, index)
        if response.status != 200:
            return reply
        self.context.set_response_content_type(index, "application/json")
        shape = int(response.headers["X-Height"]), int(response.headers["X-Width"]), 4
        return response, np.frombuffer(response.body, np.uint8).reshape(shape).tolist()
