"""What a TorchServe worker does around the handler, with TorchServe's own classes."""

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.conftest import ROOT

with warnings.catch_warnings():
    # TorchServe reads its own version while it is imported, and does not close the file.
    warnings.simplefilter("ignore", ResourceWarning)
    from ts.context import Context
    from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
    from ts.protocol.otf_message_handler import create_predict_response
    from ts.service import Service

    from u2net_handler import U2Net

METRICS = ROOT / "scripts" / "torchserve" / "metrics.yaml"

__all__ = ["Context", "create_predict_response"]


class Request(NamedTuple):
    """What a client sends: its fields, or its only one, the body, and its headers."""

    fields: Mapping[str, object]
    headers: Mapping[str, str] = {}


class Reply(NamedTuple):
    """What TorchServe would send back."""

    status: int
    phrase: str
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        code: str = json.loads(self.body)["errors"][0]["code"]
        return code

    @property
    def alpha(self) -> npt.NDArray[np.int32]:
        size = int(self.headers["X-Height"]), int(self.headers["X-Width"])
        return np.frombuffer(self.body, np.uint8).reshape(*size, 4)[..., 3].astype(np.int32)

    @property
    def picture(self) -> Image.Image:
        return Image.open(BytesIO(self.body), formats=["PNG"])


def photo(data: bytes, headers: Mapping[str, str] | None = None) -> Request:
    # TorchServe adds the header `explain` to every prediction.
    return Request({"body": bytearray(data)}, {"explain": "False", **(headers or {})})


def form(data: bytes, headers: Mapping[str, str] | None = None, /, **options: str) -> Request:
    fields = {name: bytearray(value.encode()) for name, value in options.items()}
    return photo(data, headers)._replace(fields={"image_file": bytearray(data), **fields})


def png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def unpacked(network: Path, folder: Path) -> Path:
    """Put the files of a network where TorchServe would unpack its archive."""
    shutil.copytree(network, folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "handler" / "model-config.yaml", folder)
    return folder


def worker_context(archive: Path) -> Context:
    """Return the context that a TorchServe worker would hand to the handler."""
    manifest = {
        "model": {
            "modelName": "u2netp",
            "modelVersion": "1.2",
            "serializedFile": "u2netp.pth",
            "configFile": "model-config.yaml",
        }
    }
    with warnings.catch_warnings():
        # TorchServe does not close the file.
        warnings.simplefilter("ignore", ResourceWarning)
        metrics = MetricsCacheYamlImpl(str(METRICS))
    metrics.initialize_cache()
    metrics.model_name = "u2netp"
    service = Service("u2netp", str(archive), manifest, None, None, 8, metrics_cache=metrics)
    return service.context


def loaded(context: Context) -> U2Net:
    handler = U2Net()
    handler.initialize(context)
    return handler


def hand_over(context: Context, requests: Sequence[Request]) -> list[dict[str, object]]:
    """Put requests into the context and into rows, as a TorchServe worker does."""
    batch = [
        {
            "requestId": f"id-{index}".encode(),
            "headers": [
                {"name": name.encode(), "value": value.encode()}
                for name, value in {"Host": "localhost", **request.headers}.items()
            ],
            "parameters": [
                {"name": name, "contentType": "", "value": value}
                for name, value in request.fields.items()
            ],
        }
        for index, request in enumerate(requests)
    ]
    rows: list[dict[str, object]]
    context.request_processor, rows, context.request_ids = Service.retrieve_data_for_inference(
        batch
    )
    context.metrics.request_ids = context.request_ids
    return rows


def send(handler: U2Net, context: Context, *requests: Request) -> list[Reply]:
    bodies = handler.handle(hand_over(context, requests), context)
    processors = context.request_processor
    return [
        Reply(
            processor.get_response_status_code(),
            processor.get_response_status_phrase(),
            processor.get_response_headers(),
            body,
        )
        for processor, body in zip(processors, bodies, strict=True)
    ]
