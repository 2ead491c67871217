"""TorchServe entry point: a photo in, its cutout out.

    rows -> load_images -> preprocess -> inference -> postprocess -> answers

TorchServe takes the only class of this file, so it may define no other. This module knows
TorchServe and the order of the steps; each step is a module of its own.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import torch
from PIL import Image
from torch import Tensor
from ts.context import Context
from ts.handler_utils.timer import timed
from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes

from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.compositing import flatten
from u2net_cutout.imaging.decoding import register_heif, share_threads
from u2net_cutout.matting.uncertainty import heat_map, mean_uncertainty
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.import_guard import skipped_imports
from u2net_cutout.network.inputs import choose_input
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import choose_device, load_runtime, warm_up
from u2net_cutout.network.u2net import INPUT_SIZE
from u2net_cutout.pipeline.kserve import (
    KServeProtocol,
    active_protocol,
    fitting,
    item_headers,
    overall,
)
from u2net_cutout.pipeline.nvjpeg import PILLOW, choose_jpeg_decoder
from u2net_cutout.pipeline.photo import Photo, load_photo
from u2net_cutout.pipeline.rendering import render
from u2net_cutout.pipeline.request import JSON_TYPE
from u2net_cutout.pipeline.response import Answer, Figures, error_answer, picture_answer
from u2net_cutout.pipeline.timing import StageTiming
from u2net_cutout.worker.batch import each, guarded, together
from u2net_cutout.worker.cpu_affinity import CpuAllocation
from u2net_cutout.worker.memory_trim import give_back
from u2net_cutout.worker.metrics import batch_measurements
from u2net_cutout.worker.pause import stand_still
from u2net_cutout.worker.request_log import failure
from u2net_cutout.worker.request_report import RequestReport
from u2net_cutout.worker.warmup import HEADERS, sample_maps, sample_row

# TorchServe looks whether these are there, for handlers of other kinds: 2 s and 150 MB a worker.
with skipped_imports("openvino.torch", "onnxruntime", "torch_tensorrt"):
    from ts.torch_handler.base_handler import BaseHandler

logger = logging.getLogger(__name__)

# TorchServe stops reading the output of a worker that ends, also what it has written already.
LAST_WORDS_S = 0.5


class U2Net(BaseHandler):
    """Cut the foreground out of the photos of a batch, each request by itself."""

    def initialize(self, context: Context) -> None:
        """Load the archive's weights onto the device that TorchServe assigned, and warm up.

        Raises:
            ModelLoadError: the archive or the device is not what it should be.
        """
        try:
            self._load(context)
        except Exception as error:
            logger.exception("the model can't be loaded")
            time.sleep(LAST_WORDS_S)
            raise ModelLoadError(str(error)) from error
        self.initialized = True

    def _load(self, context: Context) -> None:
        # First of all, so that no library starts more threads than it may.
        self.cpu_allocation = CpuAllocation.from_environment(os.environ)
        self.cpu_allocation.claim()
        torch.set_num_threads(self.cpu_allocation.threads)
        properties = context.system_properties
        model_dir = Path(properties["model_dir"])
        self.manifest = context.manifest
        self.metadata = ModelMetadata.read(model_dir)
        self.kserve = active_protocol(sys.modules)
        self.limits = Limits.from_config(context.model_yaml_config)
        self.device = choose_device(properties.get("gpu_id"))
        threads = self.cpu_allocation.threads
        self.model = load_runtime(model_dir, self.metadata, self.device, threads)
        self.network_input = choose_input(self.device)
        self.jpeg_decoder = choose_jpeg_decoder(context.model_yaml_config, self.device)
        self.pool = None
        if self.device.type == "cuda":
            # The requests of a batch share the threads, which on a CPU are the network's.
            torch.set_num_threads(1)
            self.pool = ThreadPoolExecutor(threads)
        most = int(properties.get("batch_size") or 1)
        warm_up(self.model, self.network_input.warm_up_batches(most))
        register_heif()
        share_threads(threads)
        # The first request should not pay for what the other steps load when they are first called.
        sample = self._load_image(sample_row(), HEADERS, StageTiming())
        self._prepare(sample)
        self._answer(sample, sample_maps(self.device))
        give_back(model_dir / name for name in self.metadata.files_sha256)

    def handle(self, data: list[dict[str, object]], context: Context) -> list[object]:
        """Answer each request of a batch, in order."""
        start = time.perf_counter()
        self.context = context
        if data == [{}] and self._is_describe():
            stand_still(os.environ.get("CUTOUT_HOLD_FOLDER"))
            return [self.describe_handle()]
        # A slot may have become free, since the version that held it is gone.
        self.cpu_allocation.claim()
        rows = self._read_batch(data)

        photos = guarded(self.request_ids, self.load_images, rows)
        inputs = guarded(self.request_ids, self.preprocess, photos)
        before = time.perf_counter()
        saliency = guarded(self.request_ids, self.inference, inputs)
        shared = (time.perf_counter() - before) * 1000
        for photo in photos:
            if isinstance(photo, Photo):
                photo.timing.add("inference", shared)
        replies = self.respond(guarded(self.request_ids, self.postprocess, photos, saliency))

        answers = [answer for answer, _ in replies]
        self._observe(rows, photos, answers, time.perf_counter() - start)
        return [body for _, body in replies]

    def load_images(
        self, data: Sequence[Mapping[str, object] | CutoutError]
    ) -> list[Photo | CutoutError]:
        """Read and decode the photo of each row."""
        columns = data, self.headers, self.timings
        return each(self.request_ids, self._load_image, *columns, pool=self.pool)

    @timed
    def preprocess(self, photos: Sequence[Photo | CutoutError]) -> list[Tensor | CutoutError]:
        """Turn each photo into what the network's batch is made of."""
        return each(self.request_ids, self._prepare, photos, pool=self.pool)

    def inference(self, inputs: Sequence[Tensor | CutoutError]) -> list[Tensor | CutoutError]:
        """Run the network on all photos at once: (7, 320, 320) saliency maps for each."""
        infer, collate = super().inference, self.network_input.collate
        return together(self.request_ids, lambda ready: infer(collate(ready)), inputs)

    @timed
    def postprocess(
        self,
        photos: Sequence[Photo | CutoutError],
        saliency: Sequence[Tensor | CutoutError],
    ) -> list[Answer | CutoutError]:
        """Answer each request with its cutout or its explanation."""
        return each(self.request_ids, self._answer, photos, saliency, pool=self.pool)

    def respond(self, outcomes: Sequence[Answer | CutoutError]) -> list[tuple[Answer, object]]:
        """Hand TorchServe the head of each answer, or of its error's; return it and its body."""
        if self.kserve is not None:
            return self._respond_together(self.kserve, outcomes)
        replies = each(self.request_ids, self._respond, range(len(outcomes)), outcomes)
        return [
            self._respond(index, error_answer(reply)) if isinstance(reply, CutoutError) else reply
            for index, reply in enumerate(replies)
        ]

    def explain_handle(self, photo: Photo, maps: Tensor) -> Image.Image:
        """Explain a cutout: a heat map of where the network is unsure."""
        return heat_map(flatten(photo.image), maps)

    def _is_describe(self) -> bool:
        # A client may send this header, too. TorchServe gives a prediction `explain`, but not at
        # its older addresses; there only an empty form looks like this call, and that has a type.
        headers = self.context.get_all_request_header(0)
        others = {"explain", "content-type"}
        return headers.get("describe") == "True" and others.isdisjoint(map(str.lower, headers))

    def describe_handle(self) -> dict[str, object]:
        """Tell what is served; TorchServe's describe call with ``customized=true`` shows it."""
        return {
            "model": self.manifest["model"]["modelName"],
            "version": self.manifest["model"]["modelVersion"],
            "variant": self.metadata.variant,
            "precision": self.metadata.precision,
            "runtime": self.model.description,
            "kernels": self.model.kernels,
            "device": self.model.device_description,
            "preprocessing": self.network_input.description,
            "jpeg_decoder": self.jpeg_decoder.description if self.jpeg_decoder else PILLOW,
            "parity": self.metadata.parity,
            "worker": self.cpu_allocation.as_dict(),
            "weights_sha256": self.metadata.weights_sha256,
            "weights_source": self.metadata.weights_source,
            "license": self.metadata.license,
            "input_size": [INPUT_SIZE, INPUT_SIZE],
            "formats": [output_format.value for output_format in OutputFormat],
            "limits": self.limits.as_dict(),
        }

    def _read_batch(
        self, data: list[dict[str, object]]
    ) -> Sequence[Mapping[str, object] | CutoutError]:
        """Take the requests of a batch, or the items of KServe's only request, apart."""
        ids, headers = self.context.get_request_id, self.context.get_all_request_header
        rows: Sequence[Mapping[str, object] | CutoutError] = data
        if self.kserve is None:
            self.request_ids = [ids(index) for index in range(len(data))]
            self.headers = [headers(index) for index in range(len(data))]
        else:
            rows = self.kserve.rows(data, self.limits.max_items)
            self.request_ids = [ids(0)] * len(rows)
            self.headers = [item_headers(headers(0))] * len(rows)
        self.timings = [StageTiming() for _ in rows]
        return rows

    def _load_image(
        self, row: Mapping[str, object], headers: Mapping[str, object], timing: StageTiming
    ) -> Photo:
        return load_photo(
            row,
            headers,
            self.limits,
            explain=headers.get("explain") == "True",
            jpeg_decoder=self.jpeg_decoder,
            timing=timing,
        )

    def _prepare(self, photo: Photo) -> Tensor:
        with photo.timing.measure("preprocess"):
            return self.network_input.prepare(flatten(photo.image))

    def _answer(self, photo: Photo, maps: Tensor) -> Answer:
        request = photo.request
        with photo.timing.measure("postprocess"):
            rendering = render(photo, maps[0])
            # Only JSON tells it.
            uncertainty = mean_uncertainty(maps) if request.in_json else None
            figures = Figures(rendering.subject, rendering.coverage, uncertainty)
            picture = self.explain_handle(photo, maps) if request.explain else rendering.picture
        with photo.timing.measure("encode"):
            answer = picture_answer(picture, figures, request, self.limits.max_response_bytes)
        return answer.with_header("Server-Timing", photo.timing.header)

    def _respond(self, index: int, answer: Answer) -> tuple[Answer, object]:
        self.context.set_response_status(answer.status, answer.phrase, index)
        self.context.set_response_content_type(index, answer.content_type)
        for name, value in answer.headers.items():
            self.context.set_response_header(index, name, value)
        return answer, answer.body

    def _respond_together(
        self, protocol: KServeProtocol, outcomes: Sequence[Answer | CutoutError]
    ) -> list[tuple[Answer, object]]:
        """Hand TorchServe the head of KServe's one response; return each answer and its value."""
        answers = [
            error_answer(outcome) if isinstance(outcome, CutoutError) else outcome
            for outcome in outcomes
        ]
        answers = list(fitting(answers, self.limits.max_response_bytes))
        self.context.set_response_status(*overall(answers), 0)
        self.context.set_response_content_type(0, JSON_TYPE)
        return [(answer, protocol.output(answer)) for answer in answers]

    def _observe(
        self,
        data: Sequence[Mapping[str, object] | CutoutError],
        photos: Sequence[Photo | CutoutError],
        answers: Sequence[Answer],
        seconds: float,
    ) -> None:
        """Write each request's line in the log, and hand TorchServe the figures of the batch.

        Nobody's answer depends on it.
        """
        model = self.manifest["model"]
        name, version = model["modelName"], str(model["modelVersion"])
        try:
            rows = zip(self.request_ids, data, photos, answers, self.timings, strict=True)
            reports = [RequestReport.of(*row) for row in rows]
            for report in reports:
                logger.info(report.line(model=name, version=version, batch=len(data)))
            memory = psutil.Process().memory_info().rss
            for figure in batch_measurements(reports, seconds, memory, version):
                labels = [Dimension(*label) for label in figure.labels.items()]
                kind = MetricTypes(figure.kind.value)
                self.context.metrics.add_metric(
                    figure.name, figure.value, figure.unit, figure.row, labels, kind
                )
        except Exception as error:
            logger.error(failure(self.request_ids, error))
