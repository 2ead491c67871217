"""TorchServe's entry point: a photo in, its cutout out.

    rows -> load_images -> preprocess -> inference -> postprocess -> responses

TorchServe takes the only class of this file, so it defines no other. Only this module knows
TorchServe; ``u2net_cutout/pipeline/cutout.py`` has the steps of one request, and
``u2net_cutout/worker/batch.py`` runs them for a batch.
"""

import logging
import os
import sys
import time
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
from u2net_cutout.contract.formats import JSON_TYPE, OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import register_heif, share_threads
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.import_guard import skipped_imports
from u2net_cutout.network.inputs import choose_input
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import choose_device, load_runtime
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline.cutout import CutoutPipeline, Prepared, Saliency, explanation
from u2net_cutout.pipeline.kserve import active_protocol, fitting, item_headers, overall
from u2net_cutout.pipeline.nvjpeg import PILLOW, choose_jpeg_decoder
from u2net_cutout.pipeline.photo import Photo
from u2net_cutout.pipeline.request import ReceivedRequest
from u2net_cutout.pipeline.response import Response, as_response
from u2net_cutout.worker.batch import Batch, Entry
from u2net_cutout.worker.cpu_affinity import CpuAllocation
from u2net_cutout.worker.environment import WorkerEnvironment
from u2net_cutout.worker.memory_trim import trim
from u2net_cutout.worker.metrics import batch_measurements
from u2net_cutout.worker.pause import pause_if_asked
from u2net_cutout.worker.request_log import RequestReport, failure
from u2net_cutout.worker.warmup import warm_up

# TorchServe tries to import these, for handlers of other kinds: 2 s and 150 MB a worker.
with skipped_imports("openvino.torch", "onnxruntime", "torch_tensorrt"):
    from ts.torch_handler.base_handler import BaseHandler

logger = logging.getLogger(__name__)

# TorchServe stops reading the output of a worker that ends, also what it has written already.
LAST_WORDS_S = 0.5


class U2Net(BaseHandler):
    """Cuts the foreground out of the photos of a batch, each request by itself."""

    def initialize(self, context: Context) -> None:
        """Load the archive's network onto the device that TorchServe assigned, and warm up.

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
        # Before all else, so that no library starts more threads than it may.
        self.environment = WorkerEnvironment.read(os.environ)
        self.cpu_allocation = CpuAllocation(self.environment)
        self.cpu_allocation.claim()
        threads = self.cpu_allocation.threads
        torch.set_num_threads(threads)
        properties, config = context.system_properties, context.model_yaml_config
        model_dir = Path(properties["model_dir"])
        self.manifest = context.manifest
        self.metadata = ModelMetadata.read(model_dir)
        self.kserve = active_protocol(sys.modules)
        self.device = choose_device(properties.get("gpu_id"))
        self.pipeline = CutoutPipeline(
            load_runtime(model_dir, self.metadata, self.device, threads),
            choose_input(self.device, VARIANTS[self.metadata.variant]),
            Limits.from_config(config),
            choose_jpeg_decoder(config, self.device),
            self.explain_handle,
        )
        self.pool = None
        if self.device.type == "cuda":
            # The requests of a batch share the threads, which on a CPU are the network's.
            torch.set_num_threads(1)
            self.pool = ThreadPoolExecutor(threads)
        register_heif()
        share_threads(threads)
        warm_up(self.pipeline, self.device, int(properties.get("batch_size") or 1))
        trim(model_dir / name for name in self.metadata.files_sha256)

    def handle(self, data: list[dict[str, object]], context: Context) -> list[object]:
        """Respond to each request of a batch, in order."""
        start = time.perf_counter()
        self.context = context
        if data == [{}] and self._is_describe():
            pause_if_asked(self.environment.hold_folder)
            return [self.describe_handle()]
        # A slot may be free now, if the version that held it is gone.
        self.cpu_allocation.claim()

        photos = self._receive(data).guard(self.load_images)
        saliency = photos.guard(self.preprocess).guard(self.inference)
        replies = self.respond(saliency.guard(self.postprocess))

        responses = [response for response, _ in replies]
        self._observe(photos, responses, time.perf_counter() - start)
        return [body for _, body in replies]

    def load_images(self, batch: Batch[ReceivedRequest]) -> Batch[Photo]:
        """Read each request and decode its photo."""
        return batch.map(self.pipeline.load)

    @timed
    def preprocess(self, batch: Batch[Photo]) -> Batch[Prepared]:
        """Make the network's input of each photo."""
        return batch.map(self.pipeline.prepare)

    @timed
    def inference(self, batch: Batch[Prepared]) -> Batch[Saliency]:
        """Run the network once on all photos: (M, S, S) saliency maps for each."""
        return batch.run_together(self.pipeline.infer)

    @timed
    def postprocess(self, batch: Batch[Saliency]) -> Batch[Response]:
        """Make each request's response: its cutout or its explanation."""
        return batch.map(self.pipeline.respond)

    def explain_handle(self, photo: Photo, maps: Tensor) -> Image.Image:
        """Explain a cutout: a heat map of where the network is unsure."""
        return explanation(photo, maps)

    def describe_handle(self) -> dict[str, object]:
        """Describe what is served, for TorchServe's describe call with ``customized=true``."""
        network, decoder = self.pipeline.network, self.pipeline.jpeg_decoder
        return {
            "model": self.manifest["model"]["modelName"],
            "version": self.manifest["model"]["modelVersion"],
            "variant": self.metadata.variant,
            "precision": self.metadata.precision,
            "runtime": network.description,
            "kernels": network.kernels,
            "device": network.device_description,
            "preprocessing": self.pipeline.network_input.description,
            "jpeg_decoder": decoder.description if decoder else PILLOW,
            "parity": self.metadata.parity,
            "worker": self.cpu_allocation.as_dict(),
            "weights_sha256": self.metadata.weights_sha256,
            "weights_source": self.metadata.weights_source,
            "license": self.metadata.license,
            "input_size": [self.pipeline.network_input.variant.size] * 2,
            "formats": [output_format.value for output_format in OutputFormat],
            "limits": self.pipeline.limits.as_dict(),
        }

    def respond(self, batch: Batch[Response]) -> list[tuple[Response, object]]:
        """Set the head of each response, or of its error's; return it and what TorchServe sends."""
        if self.kserve is not None:
            outcomes = [as_response(outcome) for outcome in batch.outcomes]
            responses = fitting(outcomes, self.pipeline.limits.max_response_bytes)
            self.context.set_response_status(*overall(responses), 0)
            self.context.set_response_content_type(0, JSON_TYPE)
            return [(response, self.kserve.output(response)) for response in responses]
        # In this thread, which is always free.
        replies = Batch(batch.entries).map(self._reply, range(len(batch.entries))).outcomes
        return [
            self._reply(as_response(reply), index) if isinstance(reply, CutoutError) else reply
            for index, reply in enumerate(replies)
        ]

    def _reply(self, response: Response, index: int) -> tuple[Response, object]:
        self.context.set_response_status(response.status, response.phrase, index)
        self.context.set_response_content_type(index, response.content_type)
        for name, value in response.headers.items():
            self.context.set_response_header(index, name, value)
        return response, response.body

    def _is_describe(self) -> bool:
        # A client may send this header, too. TorchServe gives a prediction `explain`, but not at
        # its older addresses; there only an empty form looks like this call, and that has a type.
        headers = self.context.get_all_request_header(0)
        others = {"explain", "content-type"}
        return headers.get("describe") == "True" and others.isdisjoint(map(str.lower, headers))

    def _receive(self, data: list[dict[str, object]]) -> Batch[ReceivedRequest]:
        """Return the requests of a batch, or the items of KServe's only request."""
        ids, headers = self.context.get_request_id, self.context.get_all_request_header
        if self.kserve is None:
            entries = [Entry.of(ids(i), row, headers(i)) for i, row in enumerate(data)]
        else:
            rows = self.kserve.rows(data, self.pipeline.limits.max_items)
            entries = [Entry.of(ids(0), row, item_headers(headers(0))) for row in rows]
        return Batch(entries, self.pool)

    def _observe(self, photos: Batch[Photo], responses: list[Response], seconds: float) -> None:
        """Log each request and emit the batch's metrics; no response depends on it."""
        model = self.manifest["model"]
        name, version = model["modelName"], str(model["modelVersion"])
        try:
            pairs = zip(photos.entries, responses, strict=True)
            reports = [
                RequestReport.of(entry.request_id, entry.received, entry.outcome, response)
                for entry, response in pairs
            ]
            for report in reports:
                logger.info(report.line(model=name, version=version, batch=len(reports)))
            memory = psutil.Process().memory_info().rss
            for figure in batch_measurements(reports, seconds, memory, version):
                labels = [Dimension(*label) for label in figure.labels.items()]
                kind = MetricTypes(figure.kind.value)
                self.context.metrics.add_metric(
                    figure.name, figure.value, figure.unit, figure.row, labels, kind
                )
        except Exception as error:
            logger.error(failure(photos.request_ids, error))
