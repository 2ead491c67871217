import mmap
from pathlib import Path

import numpy as np
import psutil
import pytest

from u2net_cutout.worker.memory_trim import trim

SIZE = 32 << 20


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "some weights.bin"
    file.write_bytes(bytes(range(256)) * (SIZE >> 8))
    return file


def resident(file: Path) -> int:
    """Return how many bytes of a file this process has in memory."""
    maps = psutil.Process().memory_maps(grouped=True)
    return sum(each.rss for each in maps if each.path == str(file.resolve()))


def test_a_file_that_is_mapped_takes_no_memory_and_reads_the_same(weights: Path) -> None:
    with weights.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
    before = np.frombuffer(mapped, np.uint8).sum()
    assert resident(weights) == SIZE

    trim([weights])

    assert resident(weights) == 0
    assert np.frombuffer(mapped, np.uint8).sum() == before


def test_what_was_written_over_a_mapped_file_stays(weights: Path) -> None:
    with weights.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    mapped[:5] = b"other"

    trim([weights])

    assert mapped[:5] == b"other"


def test_other_files_stay_in_memory(weights: Path, tmp_path: Path) -> None:
    with weights.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    assert np.frombuffer(mapped, np.uint8).any()
    np.frombuffer(mapped, np.uint8).sum()

    trim([tmp_path / "others.bin"])

    assert resident(weights) == SIZE


def test_holes_in_the_heap_are_given_back() -> None:
    # Below the size from which glibc maps each piece by itself.
    pieces = [np.ones(60_000, np.uint8) for _ in range(2000)]
    del pieces[:-1]
    before = psutil.Process().memory_info().rss

    trim([])

    assert before - psutil.Process().memory_info().rss > 60_000 * 1000
    assert pieces[0].all()
