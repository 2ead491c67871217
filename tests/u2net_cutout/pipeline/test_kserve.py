import base64
import json

import pytest

from u2net_cutout.contract.errors import (
    CutoutError,
    InvalidFileType,
    InvalidJson,
    MissingSource,
    TooManyItems,
)
from u2net_cutout.contract.formats import JSON_TYPE
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.kserve import (
    KServeProtocol,
    active_protocol,
    fitting,
    item_headers,
    overall,
)
from u2net_cutout.pipeline.request import read_request
from u2net_cutout.pipeline.response import Response, error_response

PICTURE = b"a picture"
MAX_ITEMS = 3
B64 = base64.b64encode(PICTURE).decode()
ANSWER = Response(json.dumps({"data": {"result_b64": B64, "width": 3}}).encode(), JSON_TYPE)
REFUSAL = error_response(InvalidFileType("no"))


@pytest.mark.parametrize(
    "instance",
    [
        B64,
        {"data": B64},
        {"image_file_b64": B64},
        {"b64": B64},
        {"image": {"b64": B64}},
    ],
)
def test_v1_takes_a_picture_in_every_usual_way(instance: object, limits: Limits) -> None:
    (row,) = KServeProtocol.V1.rows([instance], MAX_ITEMS)

    assert not isinstance(row, CutoutError)
    assert read_request(row, {"Accept": JSON_TYPE}, limits, explain=False).picture == PICTURE


def test_options_stand_beside_the_picture(limits: Limits) -> None:
    tensor = {"name": "photo", "shape": [1], "datatype": "BYTES", "data": B64}
    (first,) = KServeProtocol.V1.rows([{"data": B64, "crop": True}], MAX_ITEMS)
    (second,) = KServeProtocol.V2.rows([{**tensor, "parameters": {"crop": True}}], MAX_ITEMS)

    for row in (first, second):
        assert not isinstance(row, CutoutError)
        request = read_request(row, {"Accept": JSON_TYPE}, limits, explain=False)
        assert (request.picture, request.options.crop) == (PICTURE, True)


@pytest.mark.parametrize("items", [[], None, {}, "text"])
@pytest.mark.parametrize("protocol", KServeProtocol)
def test_a_request_without_a_list_of_pictures_is_one_error(
    protocol: KServeProtocol, items: object
) -> None:
    (error,) = protocol.rows(items, MAX_ITEMS)

    assert isinstance(error, MissingSource)
    assert protocol.list_name in error.detail


@pytest.mark.parametrize(
    "tensor",
    [
        5,
        {"data": B64},
        {"datatype": "BOOL", "data": [True]},
        {"datatype": "UINT8", "data": [1]},
        {"datatype": "BYTES", "data": B64, "parameters": "no"},
    ],
)
def test_an_input_that_is_no_picture_is_an_error_of_its_own(tensor: object) -> None:
    good = {"name": "photo", "datatype": "BYTES", "data": B64}

    error, row = KServeProtocol.V2.rows([tensor, good], MAX_ITEMS)

    assert isinstance(error, InvalidJson)
    assert row == {"data": B64}


@pytest.mark.parametrize("protocol", KServeProtocol)
def test_more_pictures_than_the_limit_are_one_error(protocol: KServeProtocol) -> None:
    item = {"name": "photo", "datatype": "BYTES", "data": B64}

    assert len(protocol.rows([item] * MAX_ITEMS, MAX_ITEMS)) == MAX_ITEMS
    (error,) = protocol.rows([item] * (MAX_ITEMS + 1), MAX_ITEMS)

    assert isinstance(error, TooManyItems)
    assert f"{protocol.list_name} has 4 pictures; the limit is 3" in error.detail


def test_an_answer_is_an_object_in_v1_and_text_in_v2() -> None:
    assert KServeProtocol.V1.output(ANSWER) == {"data": {"result_b64": B64, "width": 3}}
    assert KServeProtocol.V2.output(ANSWER) == B64
    assert KServeProtocol.V1.output(REFUSAL) == json.loads(REFUSAL.body)
    assert KServeProtocol.V2.output(REFUSAL) == REFUSAL.body.decode()


def test_the_response_fails_only_if_every_item_does() -> None:
    assert overall([REFUSAL, ANSWER]) == (200, "OK")
    assert overall([REFUSAL, REFUSAL]) == (415, "Unsupported Media Type")


def test_answers_that_are_too_large_together_are_refused_together() -> None:
    limit = 2 * (len(ANSWER.body) + 1024)

    assert fitting([ANSWER, ANSWER], limit) == [ANSWER, ANSWER]
    for answers, most in (([ANSWER] * 3, limit), ([ANSWER] * 2, limit - 1)):
        refused = [answer.code for answer in fitting(answers, most)]
        assert refused == ["response_too_large"] * len(answers)


def test_an_item_is_answered_in_json_whatever_the_client_accepts() -> None:
    headers = {"accept": "image/png", "Content-Type": "application/json", "X-Other": "1"}

    assert item_headers(headers) == {"X-Other": "1", "Accept": JSON_TYPE}


def test_the_protocol_is_that_of_the_imported_envelope() -> None:
    package = "ts.torch_handler.request_envelope"

    assert active_protocol({f"{package}.base", f"{package}.kservev2"}) is KServeProtocol.V2
    assert active_protocol({f"{package}.base", f"{package}.kserve"}) is KServeProtocol.V1
    assert active_protocol({f"{package}.base", f"{package}.body"}) is None


def test_the_lists_have_the_names_of_the_protocols() -> None:
    # https://kserve.github.io/website/docs/concepts/architecture/data-plane
    assert KServeProtocol.V1.list_name == "instances"
    assert KServeProtocol.V2.list_name == "inputs"


def test_400_is_an_error_like_those_above_it() -> None:
    lacking = error_response(MissingSource("nothing there"))

    assert lacking.status == 400
    assert KServeProtocol.V2.output(lacking) == lacking.body.decode()
    assert overall([lacking, REFUSAL]) == (400, "Bad Request")
    assert overall([lacking, ANSWER]) == (200, "OK")


@pytest.mark.parametrize(
    "value", [{}, {"b64": B64, "other": 1}, {"b63": B64}, {"b65": B64}, [B64], B64]
)
def test_only_an_object_of_base64_alone_is_unwrapped(value: object) -> None:
    assert KServeProtocol.V1.rows([{"a": value, "z": value}], MAX_ITEMS) == [
        {"a": value, "z": value}
    ]


def test_nothing_has_not_failed() -> None:
    assert overall([]) == (200, "OK")
