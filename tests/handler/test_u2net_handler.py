import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from threading import Barrier, get_ident
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

from scripts.common.files import sha256_of
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
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.inputs import DeviceInput
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import SaliencyRuntime
from u2net_cutout.network.torch_runtime import TorchRuntime
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline.cutout import CutoutPipeline
from u2net_cutout.pipeline.nvjpeg import DeviceJpegDecoder
from u2net_handler import U2Net

EMITTED = re.compile(r"\[METRICS\](\w+)\.(\w+):([0-9.e-]+)\|#(\S+)\|#type.*,\d+,(\S+)$")
HEAT = {"explain": "True"}
PNG = {"Accept": "image/png"}


def told_of(reply: Reply) -> dict[str, str]:
    """Return what a reply's head tells of the picture."""
    return {name: value for name, value in reply.headers.items() if name.startswith("X-")}


@pytest.fixture(scope="module")
def archive(torch_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of u2netp, as TorchServe unpacks it."""
    return unpacked(torch_network, tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def context(archive: Path) -> Context:
    """The context that a TorchServe worker would hand to the handler."""
    return worker_context(archive)


@pytest.fixture(scope="module")
def handler(context: Context) -> U2Net:
    return loaded(context)


@pytest.fixture(scope="module")
def photo_bytes(photo_files: list[Path]) -> list[bytes]:
    return [file.read_bytes() for file in photo_files]


@pytest.fixture(scope="module")
def batch(photo_bytes: list[bytes]) -> list[Request]:
    """Five photos and, between them, three requests that can't be answered with a cutout."""
    first, second, third, fourth = photo_bytes
    return [
        photo(first),
        photo(b""),
        photo(second),
        photo(b"<html></html>"),
        photo(third),
        photo(fourth),
        photo(second[: len(second) // 2]),
        photo(first, PNG),
    ]


@pytest.fixture(scope="module")
def replies(handler: U2Net, context: Context, batch: list[Request]) -> list[Reply]:
    return send(handler, context, *batch)


class Metric(NamedTuple):
    """What TorchServe's frontend reads of a metric that was emitted."""

    name: str
    unit: str
    value: float
    labels: str
    request_ids: str


def emitted(caplog: pytest.LogCaptureFixture) -> list[Metric]:
    """Return the metrics that were emitted, in their order."""
    found = (EMITTED.match(record.getMessage()) for record in caplog.records)
    return [Metric(hit[1], hit[2], float(hit[3]), hit[4], hit[5]) for hit in found if hit]


def test_each_request_of_a_batch_has_its_own_status(replies: list[Reply]) -> None:
    assert [(reply.status, reply.phrase) for reply in replies] == [
        (200, "OK"),
        (400, "Bad Request"),
        (200, "OK"),
        (415, "Unsupported Media Type"),
        (200, "OK"),
        (200, "OK"),
        (400, "Bad Request"),
        (200, "OK"),
    ]


def test_bad_requests_of_a_batch_fail_with_their_own_codes(replies: list[Reply]) -> None:
    assert [replies[index].code for index in (1, 3, 6)] == [
        "missing_source",
        "invalid_file_type",
        "failed_to_read_image",
    ]


def test_each_reply_has_its_own_content_type(replies: list[Reply]) -> None:
    raw, error = "application/octet-stream", "application/json"

    assert [reply.headers["content-type"] for reply in replies] == [
        raw,
        error,
        raw,
        error,
        raw,
        raw,
        error,
        "image/png",
    ]


@pytest.mark.parametrize(("index", "which"), [(0, 0), (2, 1), (4, 2), (5, 3)])
def test_a_cutout_keeps_the_colours_of_its_own_photo_but_in_the_edge(
    replies: list[Reply], photos: list[Image.Image], index: int, which: int
) -> None:
    cutout = Image.frombytes("RGBA", photos[which].size, replies[index].body)
    alpha = replies[index].alpha
    inside = (alpha == 0) | (alpha == 255)

    changed = (np.asarray(cutout.convert("RGB")) != np.asarray(photos[which])).any(axis=2)

    assert (~inside & changed).any()
    assert not (inside & changed).any()


def test_plain_edges_keep_all_colours(
    handler: U2Net, context: Context, photo_bytes: list[bytes], photos: list[Image.Image]
) -> None:
    (reply,) = send(handler, context, form(photo_bytes[0], edges="plain"))

    cutout = Image.frombytes("RGBA", photos[0].size, reply.body)
    assert cutout.convert("RGB").tobytes() == photos[0].tobytes()


@pytest.mark.parametrize("index", [0, 2, 4, 5])
def test_a_mask_is_that_of_the_photo_alone(
    handler: U2Net, context: Context, batch: list[Request], replies: list[Reply], index: int
) -> None:
    (alone,) = send(handler, context, batch[index])

    assert np.abs(replies[index].alpha - alone.alpha).max() <= 1


def test_png_and_raw_hold_the_same_mask(replies: list[Reply]) -> None:
    alpha = np.asarray(replies[7].picture.getchannel("A"), np.int32)

    assert np.array_equal(alpha, replies[0].alpha)


def test_a_mask_tells_the_subject_from_the_backdrop(replies: list[Reply]) -> None:
    # The astronaut's face, and the upper left corner.
    assert replies[0].alpha[110, 224] > 230 > 25 > replies[0].alpha[15, 15]


def test_every_header_is_a_string(replies: list[Reply]) -> None:
    values = [value for reply in replies for value in reply.headers.values()]

    assert {type(value) for value in values} == {str}


def test_torchserve_can_carry_the_answers(
    handler: U2Net, context: Context, batch: list[Request]
) -> None:
    bodies = handler.handle(hand_over(context, batch), context)

    # A wrong type anywhere would raise here, and kill the worker.
    carried = create_predict_response(bodies, context.request_ids, "", 200, context=context)

    assert len(carried) > sum(len(body) for body in bodies if isinstance(body, bytes))


def test_a_batch_of_only_bad_requests_is_answered(handler: U2Net, context: Context) -> None:
    replies = send(handler, context, photo(b""), photo(b"text"), Request({"colour": b"red"}))

    assert [reply.status for reply in replies] == [400, 415, 400]


def test_an_empty_batch_is_answered(handler: U2Net, context: Context) -> None:
    assert send(handler, context) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (64, 48)])
@pytest.mark.parametrize("colour", ["black", "white"])
def test_extreme_pictures_are_answered_in_their_own_size(
    handler: U2Net, context: Context, size: tuple[int, int], colour: str
) -> None:
    (reply,) = send(handler, context, photo(png(Image.new("RGB", size, colour))))

    told = int(reply.headers["X-Width"]), int(reply.headers["X-Height"])
    assert (reply.status, told, len(reply.body)) == (200, size, size[0] * size[1] * 4)


def test_a_pictures_own_transparency_stays(
    handler: U2Net, context: Context, photos: list[Image.Image]
) -> None:
    picture = photos[0].convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 512, 200))

    (reply,) = send(handler, context, photo(png(picture)))

    assert not reply.alpha[:200].any()


def test_over_grpc_a_cutout_is_png(
    handler: U2Net, context: Context, photo_bytes: list[bytes]
) -> None:
    rows = hand_over(context, [photo(photo_bytes[1])])
    # What TorchServe files there for each key of a gRPC map; a gRPC request has no other headers.
    processor = context.request_processor[0]
    processor.get_request_properties().clear()

    (body,) = handler.handle(rows, context)

    assert isinstance(body, bytes)
    assert body.startswith(b"\x89PNG")


def test_handler_time_is_emitted_once_for_a_batch_in_milliseconds(
    handler: U2Net, context: Context, batch: list[Request], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ts.metrics.caching_metric"):
        send(handler, context, *batch[:3])

    gauge, histogram, *others = emitted(caplog)
    assert (gauge.name, gauge.unit) == ("HandlerTime", "Milliseconds")
    assert (histogram.name, histogram.unit) == ("cutout_handler_seconds", "Seconds")
    assert gauge.request_ids == histogram.request_ids == "id-0,id-1,id-2"
    assert gauge.value == round(histogram.value * 1000, 2) > 0
    assert {gauge.name, histogram.name}.isdisjoint(metric.name for metric in others)


def test_each_request_of_a_batch_tells_its_own_stages(
    handler: U2Net, context: Context, batch: list[Request], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ts.metrics.caching_metric"):
        replies = send(handler, context, *batch[:3])

    for index, reply in enumerate(replies):
        own = [
            metric
            for metric in emitted(caplog)
            if (metric.name, metric.request_ids) == ("cutout_stage_seconds", f"id-{index}")
        ]
        told = ", ".join(
            f"{metric.labels.split(',')[0].removeprefix('Stage:')};dur={metric.value * 1000:.1f}"
            for metric in own
        )
        assert told == reply.headers.get("Server-Timing", "")
        assert len(own) == (5 if reply.status == 200 else 0)


def test_a_photo_that_is_refused_tells_how_long_it_was_decoded(
    handler: U2Net, context: Context, batch: list[Request], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ts.metrics.caching_metric"):
        (reply,) = send(handler, context, batch[6])

    stages = [metric for metric in emitted(caplog) if metric.name == "cutout_stage_seconds"]
    assert reply.code == "failed_to_read_image"
    assert [metric.labels.partition(",")[0] for metric in stages] == ["Stage:decode"]


def test_each_request_of_a_batch_is_counted_by_what_it_got(
    handler: U2Net, context: Context, batch: list[Request], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ts.metrics.caching_metric"):
        replies = send(handler, context, *batch[:3])

    counted = [metric for metric in emitted(caplog) if metric.name == "cutout_answers_total"]
    assert [(metric.value, metric.labels, metric.request_ids) for metric in counted] == [
        (
            1,
            f"Status:{reply.status},Code:{code},ContentType:{reply.headers['content-type']},"
            f"Format:{output_format},ModelVersion:1.2,ModelName:u2netp,Level:Model",
            f"id-{index}",
        )
        for index, (reply, (code, output_format)) in enumerate(
            zip(replies, [("ok", "rgba"), ("missing_source", "none"), ("ok", "rgba")], strict=True)
        )
    ]


def test_with_profiling_each_step_tells_its_time(
    handler: U2Net,
    context: Context,
    batch: list[Request],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profiled = context.model_yaml_config | {"handler": {"profile": True}}
    monkeypatch.setattr(context, "model_yaml_config", profiled)

    with caplog.at_level(logging.INFO, "ts.metrics.caching_metric"):
        send(handler, context, batch[0])

    assert [metric.name for metric in emitted(caplog)][:4] == [
        "ts_handler_preprocess",
        "ts_handler_inference",
        "ts_handler_postprocess",
        "HandlerTime",
    ]


def test_the_description_tells_what_is_served(
    handler: U2Net, context: Context, archive: Path
) -> None:
    metadata = ModelMetadata.read(archive)
    config = yaml.safe_load((archive / "model-config.yaml").read_text(encoding="utf-8"))

    (description,) = handler.handle(
        hand_over(context, [Request({}, {"describe": "True"})]), context
    )

    assert json.loads(json.dumps(description)) == {
        "model": "u2netp",
        "version": "1.2",
        "variant": "u2netp",
        "precision": "fp32",
        "runtime": f"torch {torch.__version__}",
        "kernels": {"cpu float32 channels_last": 119},
        "device": f"cpu, {torch.get_num_threads()} thread(s)",
        "preprocessing": "cpu",
        "jpeg_decoder": "libjpeg-turbo",
        "worker": handler.cpu_allocation.as_dict(),
        "parity": metadata.parity,
        "weights_sha256": sha256_of(archive / "u2netp.pth"),
        "weights_source": metadata.weights_source,
        "license": "Apache-2.0",
        "input_size": [320, 320],
        "formats": ["rgba", "png", "webp", "jpg", "zip", "auto"],
        "limits": config["limits"],
    }


def test_a_client_can_not_ask_for_the_description_instead_of_its_answer(
    handler: U2Net, context: Context, photo_bytes: list[bytes]
) -> None:
    spoofed = photo(photo_bytes[1], {"describe": "True"})

    replies = send(handler, context, spoofed, photo(photo_bytes[0]))

    assert [len(reply.body) for reply in replies] == [451 * 300 * 4, 512 * 512 * 4]


def test_a_client_that_sends_nothing_but_the_describe_header_gets_an_error(
    handler: U2Net, context: Context
) -> None:
    (reply,) = send(handler, context, photo(b"", {"describe": "True"}))

    assert (reply.status, reply.code) == (400, "missing_source")


@pytest.mark.parametrize("type_header", ["content-type", "Content-Type"])
def test_an_empty_form_at_an_older_address_is_no_describe_call(
    handler: U2Net, context: Context, type_header: str
) -> None:
    # TorchServe adds no `explain` there.
    spoofed = Request({}, {"describe": "True", type_header: "multipart/form-data; boundary=b"})

    (reply,) = send(handler, context, spoofed)

    assert (reply.status, reply.code) == (400, "missing_source")


def test_an_explanation_is_a_png_of_the_photos_size(
    handler: U2Net, context: Context, photo_bytes: list[bytes]
) -> None:
    (reply,) = send(handler, context, photo(photo_bytes[1], HEAT))

    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert (reply.headers["X-Width"], reply.headers["X-Height"]) == ("451", "300")
    assert (reply.picture.mode, reply.picture.size) == ("RGB", (451, 300))


def test_explanations_and_cutouts_share_a_batch(
    handler: U2Net, context: Context, photo_bytes: list[bytes], replies: list[Reply]
) -> None:
    first, second = photo_bytes[:2]

    explained, cutout = send(handler, context, photo(first, HEAT), photo(second))

    assert explained.headers["content-type"] == "image/png"
    assert (cutout.body, told_of(cutout)) == (replies[2].body, told_of(replies[2]))


def test_an_explanation_tells_the_subjects_box_as_the_cutout_does(
    handler: U2Net, context: Context, photo_bytes: list[bytes]
) -> None:
    explained, cutout = send(handler, context, photo(photo_bytes[1], HEAT), photo(photo_bytes[1]))

    assert told_of(explained) == told_of(cutout)


def test_every_answer_tells_how_long_each_step_took(replies: list[Reply]) -> None:
    timed = [reply.headers["Server-Timing"] for reply in replies if reply.status == 200]

    steps = [[entry.partition(";dur=")[0] for entry in timing.split(", ")] for timing in timed]
    assert steps == [["decode", "preprocess", "inference", "postprocess", "encode"]] * 5


def test_an_explanation_in_json_holds_the_same_png(
    handler: U2Net, context: Context, photo_bytes: list[bytes]
) -> None:
    in_json, bare = send(
        handler,
        context,
        photo(photo_bytes[1], HEAT | {"Accept": "application/json"}),
        photo(photo_bytes[1], HEAT),
    )

    data = json.loads(in_json.body)["data"]
    assert (base64.b64decode(data["result_b64"]), data["content_type"]) == (bare.body, "image/png")


@pytest.mark.parametrize(
    ("name", "value"), [("format", "rgba"), ("crop", "true"), ("bg_image_file", "x")]
)
def test_an_explanation_takes_no_options(
    handler: U2Net, context: Context, photo_bytes: list[bytes], name: str, value: str
) -> None:
    (reply,) = send(handler, context, form(photo_bytes[1], HEAT, **{name: value}))

    assert (reply.status, reply.code) == (400, "unsupported_parameter")


@pytest.mark.parametrize("header", ["true", "False", ""])
def test_only_torchserves_own_word_asks_for_an_explanation(
    handler: U2Net, context: Context, photo_bytes: list[bytes], header: str
) -> None:
    (reply,) = send(handler, context, photo(photo_bytes[1], {"explain": header}))

    assert reply.headers["content-type"] == "application/octet-stream"


def running(context: Context, network: Callable[[Tensor], Tensor]) -> U2Net:
    """Load a handler that runs another network."""
    handler = loaded(context)
    handler.pipeline = replace(handler.pipeline, network=cast(SaliencyRuntime, network))
    return handler


def failing_on(fails: Callable[[Tensor], bool]) -> Callable[[Tensor], Tensor]:
    """Return a network that sees nothing anywhere and breaks down over some batches."""

    def network(batch: Tensor) -> Tensor:
        if fails(batch):
            raise RuntimeError("CUDA out of memory")
        return torch.zeros(len(batch), 7, *batch.shape[-2:])

    return network


def test_the_fused_map_becomes_the_alpha(context: Context) -> None:
    maps = torch.ones(1, 7, 320, 320)
    maps[:, 0] = torch.linspace(0, 1, 320)
    handler = running(context, lambda batch: maps)

    (reply,) = send(handler, context, photo(png(Image.new("RGB", (320, 2)))))

    assert np.array_equal(reply.alpha[0], np.linspace(0, 255, 320, dtype=np.int32))


def test_the_network_sees_a_transparent_picture_on_white(context: Context) -> None:
    seen: list[Tensor] = []

    def network(batch: Tensor) -> Tensor:
        seen.append(batch)
        return torch.zeros(len(batch), 7, 320, 320)

    transparent = photo(png(Image.new("RGBA", (8, 8), (0, 0, 0, 0))))
    white = photo(png(Image.new("RGB", (8, 8), "white")))

    send(running(context, network), context, transparent, white)

    (batch,) = seen
    assert torch.equal(batch[0], batch[1])


def test_a_network_that_fails_over_a_batch_is_tried_on_each_photo(
    context: Context, batch: list[Request]
) -> None:
    handler = running(context, failing_on(lambda pictures: len(pictures) > 1))

    assert [reply.status for reply in send(handler, context, *batch[:3])] == [200, 400, 200]


@pytest.fixture
def one_failed(context: Context, photo_bytes: list[bytes]) -> list[Reply]:
    """Of three photos the network fails on the black one, whose brightest value is below 0."""
    network = failing_on(lambda pictures: bool((pictures.amax((1, 2, 3)) < 0).any()))
    black = png(Image.new("RGB", (8, 8)))
    requests = photo(photo_bytes[0]), photo(black), photo(photo_bytes[1])
    return send(running(context, network), context, *requests)


def test_a_photo_that_the_network_fails_on_fails_alone(one_failed: list[Reply]) -> None:
    assert [reply.status for reply in one_failed] == [200, 500, 200]


def test_a_failure_of_ours_is_told_with_the_request_id(one_failed: list[Reply]) -> None:
    (error,) = json.loads(one_failed[1].body)["errors"]

    assert (error["code"], "id-1" in error["detail"]) == ("internal_error", True)


def test_a_picture_in_which_nothing_stands_out_is_all_background(
    context: Context, photo_bytes: list[bytes]
) -> None:
    handler = running(context, failing_on(lambda pictures: False))

    (reply,) = send(handler, context, photo(photo_bytes[0]))

    assert not reply.alpha.any()


@pytest.mark.parametrize(
    "options", [{"crop": "true"}, {"scale": "50%"}, {"position": "center"}], ids=str
)
def test_where_nothing_stands_out_there_is_no_subject_to_place(
    context: Context, photo_bytes: list[bytes], options: dict[str, str]
) -> None:
    handler = running(context, failing_on(lambda pictures: False))

    (reply,) = send(handler, context, form(photo_bytes[0], **options))

    assert (reply.status, reply.code) == (422, "unknown_foreground")


def test_each_request_of_a_batch_has_its_own_options(
    handler: U2Net, context: Context, photo_bytes: list[bytes]
) -> None:
    replies = send(
        handler,
        context,
        form(photo_bytes[1], format="jpg", bg_color="red"),
        form(photo_bytes[1], format="gif"),
        form(photo_bytes[1], crop="true", format="png"),
        form(photo_bytes[1], size="small", channels="alpha"),
        photo(photo_bytes[1], {"Accept": "application/json"}),
    )

    assert [(reply.status, reply.headers["content-type"]) for reply in replies] == [
        (200, "image/jpeg"),
        (400, "application/json"),
        (200, "image/png"),
        (200, "application/octet-stream"),
        (200, "application/json"),
    ]


def test_a_crop_is_the_subjects_box_of_the_whole_cutout(
    handler: U2Net, context: Context, photo_bytes: list[bytes]
) -> None:
    whole, crop = send(handler, context, photo(photo_bytes[0]), form(photo_bytes[0], crop="true"))

    left, top, width, height = (
        int(whole.headers[f"X-Foreground-{name}"]) for name in ("Left", "Top", "Width", "Height")
    )
    assert (crop.headers["X-Width"], crop.headers["X-Height"]) == (str(width), str(height))
    assert np.array_equal(crop.alpha, whole.alpha[top : top + height, left : left + width])


def test_json_tells_the_mean_uncertainty_of_its_own_photo(context: Context) -> None:
    maps = torch.zeros(2, 7, 320, 320)
    maps[1] = 0.5
    handler = running(context, lambda batch: maps)
    asked = photo(png(Image.new("RGB", (8, 8))), {"Accept": "application/json"})

    replies = send(handler, context, asked, asked)

    told = [json.loads(reply.body)["data"]["uncertainty"] for reply in replies]
    assert told == [0, 1]


@pytest.fixture(scope="module")
def on_gpu(context: Context) -> Iterator[U2Net]:
    """A handler as it is with a GPU, for which the CPU stands in."""
    handler = loaded(context)
    network = handler.pipeline.network
    assert isinstance(network, TorchRuntime)
    handler.pipeline = replace(
        handler.pipeline,
        network=replace(network, whole_batches=True),
        network_input=DeviceInput(VARIANTS["u2netp"], torch.device("cpu")),
    )
    with ThreadPoolExecutor(4) as handler.pool:
        yield handler


def test_on_a_gpu_a_batch_is_answered_as_on_a_cpu(
    on_gpu: U2Net, context: Context, batch: list[Request], replies: list[Reply]
) -> None:
    for answer, expected in zip(send(on_gpu, context, *batch), replies, strict=True):
        assert (answer.status, answer.headers["content-type"]) == (
            expected.status,
            expected.headers["content-type"],
        )
        if expected.headers["content-type"] == "application/octet-stream":
            assert np.abs(answer.alpha - expected.alpha).max() <= 1


def test_on_a_gpu_requests_of_a_batch_are_decoded_and_encoded_side_by_side(
    on_gpu: U2Net, context: Context, batch: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {"load": set(), "respond": set()}
    for name, seen in threads.items():
        barrier, step = Barrier(2, timeout=30), getattr(CutoutPipeline, name)

        def meeting(
            *arguments: Any, barrier: Barrier = barrier, step: Any = step, seen: set[int] = seen
        ) -> Any:
            barrier.wait()
            seen.add(get_ident())
            return step(*arguments)

        monkeypatch.setattr(CutoutPipeline, name, meeting)

    assert [reply.status for reply in send(on_gpu, context, batch[0], batch[2])] == [200, 200]
    assert [len(seen) for seen in threads.values()] == [2, 2]


def test_on_a_gpu_without_memory_for_a_batch_each_photo_is_tried_alone(
    on_gpu: U2Net, context: Context, batch: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def network(pictures: Tensor) -> Tensor:
        sizes.append(len(pictures))
        if len(pictures) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return torch.zeros(1, 7, 320, 320)

    full = replace(on_gpu.pipeline, network=cast(SaliencyRuntime, network))
    monkeypatch.setattr(on_gpu, "pipeline", full)

    assert [reply.status for reply in send(on_gpu, context, *batch[:3])] == [200, 400, 200]
    assert sizes == [2, 1, 1]


def test_a_worker_warms_up_on_the_batches_that_it_is_registered_for(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[Tensor] = []
    monkeypatch.setitem(context.system_properties, "batch_size", 3)
    monkeypatch.setattr(
        "u2net_handler.choose_input",
        lambda device, variant: DeviceInput(variant, torch.device("cpu")),
    )
    monkeypatch.setattr(
        "u2net_cutout.worker.warmup.warm_up_network", lambda _, given: batches.extend(given)
    )

    handler = loaded(context)

    assert [len(each) for each in batches] == [3, 2, 1]
    assert handler.pool is None


def test_a_worker_warms_up_every_step_around_the_network(
    context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: dict[str, Any] = {}
    for name in ("load", "prepare", "respond"):
        own = getattr(CutoutPipeline, name)

        def step(pipeline: CutoutPipeline, given: Any, name: str = name, run: Any = own) -> Any:
            done[name] = run(pipeline, given)
            return done[name]

        monkeypatch.setattr(CutoutPipeline, name, step)

    with caplog.at_level(logging.INFO, "ts.metrics.caching_metric"):
        handler = loaded(context)

    assert list(done) == ["load", "prepare", "respond"]
    assert (done["respond"].status, done["respond"].content_type) == (200, "image/png")
    with Image.open(BytesIO(done["respond"].body)) as cutout:
        soft = sum(cutout.getchannel("A").histogram()[1:255])
    assert soft > 0
    # Nobody asked for it, so nobody counts it.
    assert (emitted(caplog), handler.context) == ([], None)


def test_the_configurations_jpeg_decoder_is_asked_first(
    context: Context, photo_bytes: list[bytes], photos: list[Image.Image]
) -> None:
    handler = loaded(context)
    asked: list[str | None] = []

    def decoder(opened: Image.Image, data: bytes | bytearray) -> None:
        asked.append(opened.format)

    first = cast(DeviceJpegDecoder, decoder)
    handler.pipeline = replace(handler.pipeline, jpeg_decoder=first)

    (reply,) = send(handler, context, photo(photo_bytes[3]))

    assert (reply.status, asked) == (200, ["JPEG"])


def test_nvjpeg_without_a_gpu_stops_the_worker(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = context.model_yaml_config | {"jpeg_decoder": "nvjpeg"}
    monkeypatch.setattr(context, "model_yaml_config", asking)

    with pytest.raises(ModelLoadError, match="needs a GPU"):
        U2Net().initialize(context)


def test_an_assigned_gpu_that_is_not_there_stops_the_worker(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setitem(context.system_properties, "gpu_id", 0)

    with pytest.raises(ModelLoadError):
        U2Net().initialize(context)


def test_a_worker_is_initialized_once_the_model_is_loaded(context: Context) -> None:
    handler = U2Net()
    before = handler.initialized

    handler.initialize(context)

    assert (before, handler.initialized) == (False, True)
