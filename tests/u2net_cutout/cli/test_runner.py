import os
import signal
import threading
import time
from pathlib import Path
from threading import Event

from u2net_cutout.cli.runner import Tally, run
from u2net_cutout.cli.sources import Job
from u2net_cutout.client.errors import KeyRefused, Refused, TryLater
from u2net_cutout.contract.formats import OutputFormat


def jobs(*names: str) -> list[Job]:
    return [Job(Path(name), Path(f"{name}.png"), (OutputFormat.PNG,)) for name in names]


def test_one_failure_leaves_the_others_alone() -> None:
    tally = Tally(skipped=3)

    def work(job: Job) -> None:
        if job.source.name == "b":
            raise Refused("invalid_file_type: no picture", status=415)
        if job.source.name == "c":
            raise PermissionError(13, "Permission denied", "c")

    run(jobs(*"abcd"), work, Event(), tally, threads=2)

    assert tally.done == {Path("a"), Path("d")}
    assert not tally.is_clean
    assert sorted(tally.report().splitlines()) == [
        "2 done, 3 skipped, done before, 2 failed",
        "b: invalid_file_type: no picture",
        "c: [Errno 13] Permission denied: 'c'",
    ]


def test_a_name_cant_steer_the_terminal() -> None:
    tally = Tally(failures={Path("a\x1b[2J\n\u202eb.jpg"): "no\rpicture"})

    assert tally.report().splitlines()[0] == "a\\x1b[2J\\n\\u202eb.jpg: no\\rpicture"


def test_a_picture_too_large_for_the_memory_is_one_failure() -> None:
    tally = Tally()

    def work(job: Job) -> None:
        if job.source.name == "b":
            raise MemoryError

    run(jobs(*"abc"), work, Event(), tally)

    assert tally.done == {Path("a"), Path("c")}
    assert tally.report().splitlines()[0].startswith("b: not enough memory")


def test_a_server_of_no_use_ends_it() -> None:
    tally, stopping = Tally(), Event()

    def work(job: Job) -> None:
        if job.source.name == "b":
            raise KeyRefused("wrong key")

    run(jobs(*"abcd"), work, stopping, tally)

    assert tally.done == {Path("a")}
    assert tally.left == {Path("b"), Path("c"), Path("d")}
    assert tally.report().splitlines() == ["wrong key", "1 done, 3 not tried"]


def test_an_interrupt_lets_those_in_flight_finish() -> None:
    tally, stopping = Tally(), Event()

    def work(job: Job) -> None:
        if job.source.name == "b":
            time.sleep(0.2)  # the main thread has handed it over by now
            os.kill(os.getpid(), signal.SIGINT)
            assert stopping.wait(10)
        if job.source.name == "c":
            assert stopping.wait(10)
            raise TryLater("its pause was cut short")

    run(jobs(*"abcdef"), work, stopping, tally, threads=3)

    assert tally.interrupted
    assert {Path("a"), Path("b")} <= tally.done
    assert Path("c") in tally.left
    assert not tally.failures
    assert len(tally.done) + len(tally.left) == 6
    assert tally.report().startswith("interrupted; the same command resumes: ")


def test_an_interrupt_that_does_not_wake_the_main_thread_is_seen() -> None:
    tally, stopping = Tally(), Event()

    def work(job: Job) -> None:
        # The main thread waits by now; this is as one that came just before.
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        assert stopping.wait(10)

    run(jobs("a"), work, stopping, tally)

    assert tally.interrupted
    assert tally.done == {Path("a")}


def test_nothing_to_do_is_clean() -> None:
    tally = Tally()

    run([], lambda job: None, Event(), tally)

    assert tally.is_clean
    assert tally.report() == "no pictures"
