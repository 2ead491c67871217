"""The same cutout as ``u2net_handler``, answered the slow way: ``.tolist()``, not ``.tobytes()``.

TorchServe's own handlers answer so. Only ``make bench`` ever registers this.
"""

import numpy as np

from u2net_cutout.pipeline.response import Answer
from u2net_handler import U2Net


class ToList(U2Net):
    """Answers with the pixels as nested lists of numbers, which TorchServe writes as JSON."""

    def _respond(self, index: int, answer: Answer) -> tuple[Answer, object]:
        reply = super()._respond(index, answer)
        if answer.status != 200:
            return reply
        self.context.set_response_content_type(index, "application/json")
        shape = int(answer.headers["X-Height"]), int(answer.headers["X-Width"]), 4
        return answer, np.frombuffer(answer.body, np.uint8).reshape(shape).tolist()
