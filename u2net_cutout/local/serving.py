"""What a process does that cuts out for another: loads an archive, then answers until the end."""

import os
from contextlib import suppress
from http import HTTPStatus
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from u2net_cutout.client.errors import ClientError, Refused
from u2net_cutout.client.responses import Cutout
from u2net_cutout.local.opening import open_archive

if TYPE_CHECKING:
    from u2net_cutout.local.model import CutoutModel

STDOUT, STDERR = 1, 2

Request = tuple[bytes, dict[str, str], bytes | None]
"""The arguments of ``CutoutModel.cut_out``."""


def serve(connection: Connection, archive: Path, threads: int) -> None:
    """Send None once the archive is opened, or why it isn't; then the outcome of each request.

    An outcome is a ``Cutout`` or a ``ClientError``.
    """
    Thread(target=_end_with_parent, daemon=True).start()
    # What a library prints does not get between the cutouts of a pipe.
    with suppress(OSError):  # there may be neither
        os.dup2(STDERR, STDOUT)
    try:
        model = open_archive(archive, threads=threads)
    except (ClientError, MemoryError) as error:
        connection.send(str(error) or "there is not enough memory: try fewer --jobs")
        return
    import torch  # installed, since the archive is open

    torch.set_num_threads(threads)
    connection.send(None)
    with suppress(EOFError, OSError):  # the other process has ended
        while True:
            connection.send(_outcome(model, connection.recv()))


def _outcome(model: "CutoutModel", request: Request) -> Cutout | ClientError:
    try:
        return model.cut_out(*request)
    except ClientError as error:
        return error
    except MemoryError:
        return Refused(
            "there is not enough memory: try fewer --jobs", status=HTTPStatus.INSUFFICIENT_STORAGE
        )
    except Exception as error:  # a fault of ours costs this picture alone, as in a server
        words = f"internal_error: {type(error).__name__}: {error}"
        return Refused(words, status=HTTPStatus.INTERNAL_SERVER_ERROR, code="internal_error")


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
