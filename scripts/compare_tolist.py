"""Measure what ``.tobytes()`` gains over ``.tolist()``, both through the same running server.

The model is registered a second time, with a handler that answers in nested lists; both are then
asked in turn, and the second is removed again.
"""

import argparse
import statistics
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from build_archive import ArchiveError, build_archive
from management_api import ManagementApi, local_session
from server_config import ServerConfig, ServerError
from weights_record import WeightsError

TOLIST_HANDLER = Path(__file__).parent / "comparison" / "tolist_handler.py"
VERSION = "comparison"

# 1.5 megapixels, of which the nested lists are 80 MB of JSON.
PICTURE_SIZE = (1500, 1000)
TIMEOUT_S = 120


def compare(
    config: ServerConfig, model: str, weights: Path, pairs: int
) -> list[tuple[float, float]]:
    """Return the seconds that `.tolist()` and `.tobytes()` take for the same picture, pair by pair.

    Raises:
        ServerError, ArchiveError, WeightsError: one of the two can't be served.
    """
    api = ManagementApi(config)
    workers = api.describe(model)["minWorkers"]
    slow = f"{model}_tolist"
    build_archive(slow, VERSION, weights / f"{model}.pth", config.store, TOLIST_HANDLER)
    if api.find(slow, VERSION):
        api.unregister(slow, VERSION)
    api.register(slow, VERSION, workers)
    try:
        picture = _picture()
        for warm_up in (slow, model):
            _seconds(config, warm_up, picture)
        timings = []
        for pair in range(1, pairs + 1):
            timings.append((_seconds(config, slow, picture), _seconds(config, model, picture)))
            tolist, tobytes = timings[-1]
            print(
                f"{pair}/{pairs}: .tolist() {tolist:.2f} s, .tobytes() {tobytes:.2f} s", flush=True
            )
        return timings
    finally:
        api.unregister(slow, VERSION)
        (config.store / f"{slow}.mar").unlink()


def _picture() -> bytes:
    gradient = Image.linear_gradient("L").resize(PICTURE_SIZE)
    noise = Image.effect_noise(PICTURE_SIZE, 40)
    picture = BytesIO()
    Image.merge("RGB", (gradient, noise, gradient.rotate(180))).save(picture, "JPEG")
    return picture.getvalue()


def _seconds(config: ServerConfig, model: str, picture: bytes) -> float:
    """Time one request until the client holds the cutout as an array."""
    token = ManagementApi(config).token("inference")
    start = time.perf_counter()
    response = local_session().post(
        f"{config.inference_address}/predictions/{model}",
        data=picture,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"},
        timeout=TIMEOUT_S,
    )
    if not response.ok:
        raise ServerError(f"{model}: status {response.status_code}: {response.text[:200]}")
    if response.headers["content-type"] == "application/json":
        cutout = np.array(response.json(), np.uint8)
    else:
        size = int(response.headers["X-Width"]), int(response.headers["X-Height"])
        cutout = np.asarray(Image.frombytes("RGBA", size, response.content))
    seconds = time.perf_counter() - start
    if cutout.shape != (*reversed(PICTURE_SIZE), 4):
        raise ServerError(f"{model} answered with the shape {cutout.shape}")
    return seconds


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    ServerConfig.add_arguments(parser)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pairs", type=int, default=5, help="how often each is asked")
    arguments = parser.parse_args()
    config = ServerConfig.from_arguments(arguments)
    weights = arguments.build / "weights"
    try:
        timings = compare(config, arguments.model, weights, arguments.pairs)
    except (ServerError, ArchiveError, WeightsError) as error:
        sys.exit(f"make compare: {error}")
    ratio = statistics.median(tolist / tobytes for tolist, tobytes in timings)
    print(
        f"{PICTURE_SIZE[0]} x {PICTURE_SIZE[1]} pixels, one request at a time: "
        f".tobytes() is {ratio:.1f} times as fast as .tolist()"
    )


if __name__ == "__main__":
    main()
