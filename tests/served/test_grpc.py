"""The same cutouts over gRPC, which carries neither headers nor status."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from PIL import Image

from exposure import HOST
from tests.served.conftest import Served

Field = descriptor_pb2.FieldDescriptorProto
METHOD = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions"


def message_types() -> tuple[Any, Any]:
    """Request and response of TorchServe's inference.proto, which its wheel does not contain."""
    file = descriptor_pb2.FileDescriptorProto(name="inference.proto", package="p", syntax="proto3")
    request = file.message_type.add(name="PredictionsRequest")
    entry = request.nested_type.add(name="InputEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=Field.TYPE_BYTES, label=Field.LABEL_OPTIONAL)
    for number, name in enumerate(("model_name", "model_version"), start=1):
        request.field.add(
            name=name, number=number, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL
        )
    request.field.add(
        name="input",
        number=3,
        type=Field.TYPE_MESSAGE,
        label=Field.LABEL_REPEATED,
        type_name=".p.PredictionsRequest.InputEntry",
    )
    response = file.message_type.add(name="PredictionResponse")
    response.field.add(
        name="prediction", number=1, type=Field.TYPE_BYTES, label=Field.LABEL_OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return (
        message_factory.GetMessageClass(pool.FindMessageTypeByName("p.PredictionsRequest")),
        message_factory.GetMessageClass(pool.FindMessageTypeByName("p.PredictionResponse")),
    )


def predict(served: Served, **row: bytes) -> bytes:
    request_type, response_type = message_types()
    address = f"{HOST}:{served.config.port_of('grpc_inference')}"
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary(
            METHOD,
            request_serializer=request_type.SerializeToString,
            response_deserializer=response_type.FromString,
        )
        token = served.api.token("inference")
        metadata = (("protocol", "gRPC"), ("authorization", f"Bearer {token}"))
        request = request_type(model_name="u2netp", input=row)
        return bytes(call(request, metadata=metadata, timeout=60).prediction)


@pytest.fixture(scope="module")
def chelsea(photo_files: list[Path]) -> bytes:
    return photo_files[1].read_bytes()


def test_the_default_answer_is_the_png_that_http_gives(served: Served, chelsea: bytes) -> None:
    over_http = served.ask(files={"data": chelsea}, headers={"Accept": "image/png"})

    assert predict(served, data=chelsea) == over_http.content


def test_raw_rgba_can_be_asked_for(served: Served, chelsea: bytes) -> None:
    raw = predict(served, image_file=chelsea, format=b"rgba")

    with Image.open(BytesIO(predict(served, data=chelsea))) as cutout:
        png = np.asarray(cutout)
    assert np.array_equal(np.frombuffer(raw, np.uint8).reshape(png.shape)[..., 3], png[..., 3])


def test_an_error_is_the_json_body(served: Served) -> None:
    answer = predict(served, data=b"no picture")

    assert json.loads(answer)["errors"][0]["code"] == "invalid_file_type"
