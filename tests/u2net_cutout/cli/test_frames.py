import signal
import threading
import time
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from u2net_cutout.cli.frames import in_order, read_frames
from u2net_cutout.client.errors import UsageError


def test_each_frame_becomes_a_picture_of_the_same_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)

    frames = list(read_frames(BytesIO(pixels.tobytes()), (7, 5)))

    shown = [np.asarray(Image.open(BytesIO(frame))) for frame in frames]
    assert np.array_equal(shown, pixels)


def test_a_frame_too_large_for_the_server_is_compressed() -> None:
    (frame,) = read_frames(BytesIO(bytes(4000 * 3000 * 3)), (4000, 3000))

    assert len(frame) < 1_000_000
    assert Image.open(BytesIO(frame)).size == (4000, 3000)


def test_a_stream_that_ends_within_a_frame_is_an_error() -> None:
    frames = read_frames(BytesIO(bytes(4 * 4 * 3 + 5)), (4, 4))
    next(frames)

    with pytest.raises(UsageError, match="are width and height right"):
        next(frames)


def test_results_keep_their_order_whichever_is_done_first() -> None:
    second_done = threading.Event()

    def work(frame: bytes) -> bytes:
        if frame == b"1":
            assert second_done.wait(10)
        if frame == b"2":
            second_done.set()
        return frame * 2

    assert list(in_order(iter([b"1", b"2", b"3"]), work, 2)) == [b"11", b"22", b"33"]


def test_only_a_few_frames_are_read_ahead() -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x"

    cutouts = in_order(endless(), lambda frame: frame, 2)
    next(cutouts)
    cutouts.close()

    assert read <= 5


def test_an_interrupt_that_does_not_wake_the_main_thread_is_seen() -> None:
    seen, unseen = threading.Event(), threading.Event()

    def work(frame: bytes) -> bytes:
        # The main thread waits by now; this is as one that came just before.
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not seen.wait(10):
            unseen.set()
        return frame

    with pytest.raises(KeyboardInterrupt):
        list(in_order(iter([b"x"]), work, 1))

    assert not unseen.is_set()
    seen.set()
