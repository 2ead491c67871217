"""What cuts pictures out: a server, or an archive that was opened here."""

from collections.abc import Mapping
from typing import Protocol

from u2net_cutout.client.responses import Cutout


class CutoutService(Protocol):
    """Whatever takes a picture and its options, and gives its cutout."""

    input_size: int | None
    """Side of the square that the network sees, in pixels; None: not known, or not yet."""

    def cut_out(
        self, picture: bytes, options: Mapping[str, str], background: bytes | None = None
    ) -> Cutout:
        """Return the cutout of a picture, a file of any kind that is read here.

        Raises:
            ClientError: there is none.
        """
