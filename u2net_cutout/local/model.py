"""An archive's network in this process, and the same steps around it as in a server's worker."""

import os
from collections.abc import Mapping
from threading import Lock
from types import TracebackType
from typing import Any, overload

import numpy.typing as npt
from PIL import Image

from u2net_cutout.client.errors import ArchiveUnusable, Refused, UsageError
from u2net_cutout.client.pictures import Array, File, Picture, Value, as_file, cut_out_as_given
from u2net_cutout.client.responses import LONGEST_TEXT, Cutout
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.imaging.decoding import register_heif, share_threads
from u2net_cutout.local.archive_file import ArchiveFile
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.inputs import choose_input
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import choose_device, load_runtime
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline.cutout import CutoutPipeline
from u2net_cutout.pipeline.request import BACKGROUND_FIELD, ReceivedRequest
from u2net_cutout.pipeline.response import Response

PICTURE_FIELD = "image_file"
# As the client sends it: any format will do, unless the options name one.
HEADERS = {"accept": "*/*"}


class CutoutModel:
    """An opened archive. Close it, or use it as a context.

    Threads may share it: they read and write pictures side by side, and run the network one after
    the other. Processes may not: open the archive in each.
    """

    def __init__(self, pipeline: CutoutPipeline, metadata: ModelMetadata) -> None:
        self.metadata = metadata
        """Variant, precision, licence and origin of the network."""
        self.input_size: int | None = pipeline.network_input.variant.size
        """Side of the square that the network sees, in pixels."""
        self._pipeline: CutoutPipeline | None = pipeline
        self._process = os.getpid()
        self._lock = Lock()

    def __enter__(self) -> "CutoutModel":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the network's memory go."""
        self._pipeline = None

    @overload
    def remove(
        self, image: File, *, bg_image_file: File | None = ..., **options: Value
    ) -> bytes: ...
    @overload
    def remove(
        self, image: Image.Image, *, bg_image_file: File | None = ..., **options: Value
    ) -> Image.Image: ...
    @overload
    def remove(
        self, image: npt.NDArray[Any], *, bg_image_file: File | None = ..., **options: Value
    ) -> Array: ...
    def remove(
        self, image: Picture, *, bg_image_file: File | None = None, **options: Value
    ) -> bytes | Image.Image | Array:
        """Return a picture's cutout, of the type that the picture has.

        Types and options are those of ``u2net_cutout.remove``; of a file, the bytes are those that
        a server with the same archive sends.

        Raises:
            UsageError: an option or an array is not valid, or this is closed.
            Refused: the picture can't be cut out.
            MemoryError: there is not enough for it.
            OSError: the file of a path can't be read.
        """
        background = None if bg_image_file is None else as_file(bg_image_file)
        return cut_out_as_given(
            image, options, lambda file, fields: self.cut_out(file, fields, background).content
        )

    def cut_out(
        self, picture: bytes, options: Mapping[str, str], background: bytes | None = None
    ) -> Cutout:
        """Return the cutout of a picture, a file; raw RGBA unless the options name a format.

        Raises:
            UsageError: this is closed, or was opened by another process.
            Refused: the picture or an option is not valid, or over a limit of the archive.
            MemoryError: there is not enough for it.
        """
        row = {**options, PICTURE_FIELD: picture}
        if background is not None:
            row[BACKGROUND_FIELD] = background
        try:
            response = self._run(ReceivedRequest(row, HEADERS))
        except CutoutError as error:
            words = f"{error.code}: {error.detail[:LONGEST_TEXT]}"
            raise Refused(words, status=error.status, code=error.code) from error
        return Cutout(response.body, response.content_type, self.input_size)

    def _run(self, request: ReceivedRequest) -> Response:
        pipeline = self._pipeline
        if pipeline is None:
            raise UsageError("the archive is closed")
        if os.getpid() != self._process:
            # The threads of its libraries stayed behind: it would wait for them for ever.
            raise UsageError("the archive was opened by another process: open it in each")
        prepared = pipeline.prepare(pipeline.load(request))
        with self._lock:
            (saliency,) = pipeline.infer([prepared])
        return pipeline.respond(saliency)


def load_model(archive: ArchiveFile, threads: int) -> CutoutModel:
    """Load the network of an archive, each of its files proven by its SHA-256.

    Raises:
        ArchiveUnusable: they are damaged, or this machine can't run them.
    """
    device = choose_device(gpu_id=None)
    try:
        with archive.network_files() as folder:
            runtime = load_runtime(folder, archive.metadata, device, threads)
    except (ModelLoadError, OSError) as error:
        raise ArchiveUnusable(f"{archive.path} can't be loaded: {error}") from error
    register_heif()
    share_threads(threads)
    variant = VARIANTS[archive.metadata.variant]
    pipeline = CutoutPipeline(runtime, choose_input(device, variant), archive.limits)
    return CutoutModel(pipeline, archive.metadata)
