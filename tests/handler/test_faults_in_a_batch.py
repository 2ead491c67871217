"""What goes wrong for one request of a batch, in the real handler amid TorchServe's classes."""

import json
import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.handler.torchserve_worker import (
    Context,
    Reply,
    Request,
    create_predict_response,
    form,
    hand_over,
    loaded,
    photo,
    png,
    send,
    unpacked,
    worker_context,
)
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.runtime import SaliencyRuntime
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline import cutout
from u2net_cutout.pipeline.cutout import CutoutPipeline, Saliency
from u2net_cutout.pipeline.photo import Photo
from u2net_cutout.pipeline.response import Response
from u2net_handler import U2Net

BAD = (13, 7)
"""The size of the picture that things go wrong over."""
FAULTS: list[BaseException] = [
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    RuntimeError("CUDA error: device-side assert triggered"),
    torch.cuda.OutOfMemoryError("CUDA out of memory"),
    SystemExit(1),
    KeyboardInterrupt(),
    ValueError("a line\n[METRICS]x\n[PID]99999999999"),
]
FEW = FAULTS[0], SystemExit(1)
# What TorchServe's frontend looks for in each line, by the strings in its WorkerLifeCycle.class.
FRONTENDS_WORDS = re.compile(r"^(INFO > )?\[METRICS]|\[PID\]\d+$|Torch worker started\.")
# What ends a line for Java's Scanner.
LINE_ENDS = re.compile("[\n\r\u0085\u2028\u2029]")


@pytest.fixture(scope="module")
def context(torch_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    return worker_context(unpacked(torch_network, tmp_path_factory.mktemp("archive")))


@pytest.fixture(scope="module")
def handler(context: Context) -> U2Net:
    """A handler whose network is quick, and sees nothing anywhere."""
    handler = loaded(context)
    network = cast(SaliencyRuntime, lambda batch: torch.zeros(len(batch), 7, 320, 320))
    handler.pipeline = replace(handler.pipeline, network=network)
    return handler


def running(handler: U2Net, monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    """Have a handler run other parts of a pipeline, for the length of a test."""
    monkeypatch.setattr(handler, "pipeline", replace(handler.pipeline, **parts))


def picture(size: tuple[int, int] = (8, 8)) -> Request:
    return photo(png(Image.new("RGB", size, "red")))


def four(handler: U2Net, context: Context) -> list[Reply]:
    """Send four pictures, of which the third is the bad one, and carry the answers."""
    sizes = [(8, 8), (9, 8), BAD, (8, 9)]
    replies = send(handler, context, *map(picture, sizes))
    bodies = [reply.body for reply in replies]
    # Raises over whatever would kill a worker.
    create_predict_response(bodies, context.request_ids, "", 200, context=context)
    return replies


def assert_only_the_bad_one_failed(replies: Sequence[Reply]) -> None:
    assert [reply.status for reply in replies] == [200, 200, 500, 200]
    assert [len(reply.body) for reply in replies if reply.status == 200] == [256, 288, 288]
    (error,) = json.loads(replies[2].body)["errors"]
    assert (error["code"], "id-2" in error["detail"]) == ("internal_error", True)


def failures(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    told = [r.getMessage() for r in caplog.records if r.getMessage().startswith("{")]
    return [event for event in map(json.loads, told) if event["event"] == "failure"]


def failing(step: Callable[..., Any], error: BaseException, is_bad: Callable[..., bool]) -> Any:
    def instead(*given: Any, **named: Any) -> Any:
        if is_bad(*given):
            raise error
        return step(*given, **named)

    return instead


@pytest.mark.parametrize(
    ("step", "error"),
    [
        *(("render", error) for error in FAULTS),
        *(("flatten", error) for error in FEW),
        *(("picture_response", error) for error in FEW),
    ],
    ids=repr,
)
def test_whatever_a_step_raises_is_one_requests_own_500(
    handler: U2Net,
    context: Context,
    step: str,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def is_bad(given: Image.Image | Photo, *_: object) -> bool:
        image = given.image if isinstance(given, Photo) else given
        return image.size == BAD

    own = getattr(cutout, step)
    monkeypatch.setattr(cutout, step, failing(own, error, is_bad))

    assert_only_the_bad_one_failed(four(handler, context))
    (told,) = failures(caplog)
    assert (told["ids"], told["error"]) == (["id-2"], type(error).__name__)


@pytest.mark.parametrize("error", FEW, ids=lambda error: type(error).__name__)
def test_whatever_decoding_raises_is_one_requests_own_500(
    handler: U2Net, context: Context, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_bad(row: dict[str, bytes], *_: object) -> bool:
        return row["body"] == png(Image.new("RGB", BAD, "red"))

    own = vars(cutout)["load_photo"]
    monkeypatch.setattr(cutout, "load_photo", failing(own, error, is_bad))

    assert_only_the_bad_one_failed(four(handler, context))


@dataclass(frozen=True)
class Broken(HostInput):
    """Fails over a batch, or over one prepared picture, which it is told by its mark."""

    error: BaseException

    def prepare(self, picture: Image.Image) -> Tensor:
        return torch.full((3, 320, 320), float(picture.size == BAD))

    def collate(self, prepared: Sequence[Tensor]) -> Tensor:
        if any(bool(tensor.any()) for tensor in prepared):
            raise self.error
        return super().collate(prepared)


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_whatever_the_batch_raises_is_one_requests_own_500(
    handler: U2Net, context: Context, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(handler, monkeypatch, network_input=Broken(VARIANTS["u2netp"], error))

    assert_only_the_bad_one_failed(four(handler, context))


@pytest.mark.parametrize("few", [0, 1, 2])
def test_a_network_that_answers_fewer_pictures_costs_nobody_anything(
    handler: U2Net, context: Context, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def network(batch: Tensor) -> Tensor:
        return torch.zeros(len(batch) if len(batch) == 1 else few, 7, 320, 320)

    running(handler, monkeypatch, network=network)

    assert [reply.status for reply in four(handler, context)] == [200] * 4


@pytest.mark.parametrize("maps", [None, 7, [[1.0]], "text"], ids=str)
def test_a_network_that_answers_nonsense_is_four_errors_and_no_dead_worker(
    handler: U2Net, context: Context, maps: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(handler, monkeypatch, network=lambda batch: maps)

    assert [reply.status for reply in four(handler, context)] == [500] * 4


WRONG_ANSWERS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "text": lambda: "answer",
    "number in a header": lambda: Response(b"", "image/png", headers={"X-Width": cast(str, 13)}),
    "line break in a header": lambda: Response(b"", "image/png", headers={"X-Width": "13\n"}),
    "a phrase that is not ASCII": lambda: Response(b"", "image/png", phrase="schön"),
    "no bytes": lambda: Response(cast(bytes, {"a": {1}}), "image/png"),
}


@pytest.mark.parametrize("wrong", WRONG_ANSWERS)
def test_an_answer_that_can_not_be_carried_is_one_requests_own_500(
    handler: U2Net, context: Context, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = CutoutPipeline.respond

    def instead(pipeline: CutoutPipeline, saliency: Saliency) -> Response:
        is_bad = saliency.photo.image.size == BAD
        return cast(Response, WRONG_ANSWERS[wrong]()) if is_bad else own(pipeline, saliency)

    monkeypatch.setattr(CutoutPipeline, "respond", instead)

    assert_only_the_bad_one_failed(four(handler, context))


@pytest.mark.parametrize(
    "method", ["set_response_status", "set_response_content_type", "set_response_header"]
)
def test_a_head_that_torchserve_does_not_take_is_one_requests_own_500(
    handler: U2Net, context: Context, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = getattr(context, method)
    calls: list[tuple[Any, ...]] = []

    def instead(*given: Any) -> Any:
        # Of three rows each method is asked about the third one, for the first time.
        index = given[2] if method == "set_response_status" else given[0]
        if index == 2 and not calls:
            calls.append(given)
            raise TypeError("not this")
        return own(*given)

    monkeypatch.setattr(context, method, instead)

    assert_only_the_bad_one_failed(four(handler, context))
    assert calls


@pytest.mark.parametrize("name", ["add_metric", "request_ids"])
def test_metrics_that_fail_cost_nobody_an_answer(
    handler: U2Net,
    context: Context,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = hand_over(context, [picture(), picture()])
    monkeypatch.setattr(context.metrics, name, None if name == "add_metric" else {0: object()})

    bodies = handler.handle(rows, context)

    assert [len(cast(bytes, body)) for body in bodies] == [256, 256]
    (told,) = failures(caplog)
    assert told["ids"] == ["id-0", "id-1"]


def test_a_report_that_fails_costs_nobody_an_answer(
    handler: U2Net,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("u2net_handler.RequestReport", None)

    assert [reply.status for reply in four(handler, context)] == [200] * 4
    assert len(failures(caplog)) == 1


def test_without_threads_each_request_has_its_own_error(
    handler: U2Net, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ThreadPoolExecutor(2)
    pool.shutdown()
    monkeypatch.setattr(handler, "pool", pool)

    replies = four(handler, context)

    assert [(reply.status, f"id-{i}" in str(reply.body)) for i, reply in enumerate(replies)] == [
        (500, True)
    ] * 4


LOGGERS = ("u2net_handler", "u2net_cutout.worker.batch")


@pytest.mark.parametrize(
    "request_id", ["", "a\nb", "[PID]99999999999", "✂\u2028[METRICS]", "\x00\x7f", "x" * 100_000]
)
def test_a_request_id_of_any_kind_is_carried_and_logged_in_one_line(
    handler: U2Net,
    context: Context,
    request_id: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(cutout, "render", None)
    rows = hand_over(context, [picture(), picture()])
    context.request_ids = {0: request_id, 1: "id-1"}

    with caplog.at_level(logging.INFO, "u2net_handler"):
        bodies = handler.handle(rows, context)

    create_predict_response(bodies, context.request_ids, "", 200, context=context)
    lines = [r.getMessage() for r in caplog.records if r.name in LOGGERS]
    assert [json.loads(line)["event"] for line in lines] == ["failure"] * 2 + ["request"] * 2
    assert json.loads(lines[2])["id"] == request_id
    assert not [line for line in lines if LINE_ENDS.search(line) or FRONTENDS_WORDS.search(line)]


def test_a_name_of_megabytes_is_not_repeated_to_the_client(
    handler: U2Net, context: Context
) -> None:
    data = png(Image.new("RGB", (8, 8)))
    long = "\x80" * 5_000_000

    (first, second, third) = send(
        handler,
        context,
        form(data, **{long: "1"}),
        form(data, size=long),
        form(data, **{"scale": "1" * 5_000_000}),
    )

    assert [reply.status for reply in (first, second, third)] == [400, 413, 413]
    assert max(len(reply.body) for reply in (first, second, third)) < 8000
