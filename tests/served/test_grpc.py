"""The same cutouts over gRPC, which carries neither headers nor status."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.served.conftest import Served
from tests.served.grpc_calls import channel_to, message_types

METHOD = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions"
MESSAGES = message_types(
    {
        "Entry": [(1, "key", "string"), (2, "value", "bytes")],
        "PredictionsRequest": [(1, "model_name", "string"), (3, "input", "repeated Entry")],
        "PredictionResponse": [(1, "prediction", "bytes")],
    }
)


def predict(served: Served, **row: bytes) -> bytes:
    token = served.api.token("inference")
    metadata = (("protocol", "gRPC"), ("authorization", f"Bearer {token}"))
    fields = [{"key": name, "value": value} for name, value in row.items()]
    request = MESSAGES["PredictionsRequest"](model_name="u2netp", input=fields)
    with channel_to(served.config, "grpc_inference") as channel:
        call = channel.unary_unary(
            METHOD,
            request_serializer=MESSAGES["PredictionsRequest"].SerializeToString,
            response_deserializer=MESSAGES["PredictionResponse"].FromString,
        )
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
