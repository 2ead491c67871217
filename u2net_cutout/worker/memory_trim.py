"""Returns memory that a worker needed to load its network, and does not need to run it.

On Linux with glibc; elsewhere it does what it can.
"""

import ctypes
import gc
import mmap
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

MAPS = Path("/proc/self/maps")


def trim(files: Iterable[Path]) -> None:
    """Return what is free in the heap, and the pages of `files` that are mapped to be read.

    A runtime keeps the file of its weights mapped after it has laid them out anew: 42 MB of u2net
    in 8 bits. A later read there gets the same from the file. Compiling and the first runs
    leave holes in the heap, 15 to 20 MB, that glibc does not return by itself.
    """
    libc = ctypes.CDLL(None)
    for start, length in _mapped({str(file.resolve()) for file in files}):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_DONTNEED)
    gc.collect()
    with suppress(AttributeError):  # other C libraries have no such thing
        libc.malloc_trim(0)


def _mapped(paths: set[str]) -> Iterator[tuple[int, int]]:
    """Return start and length of each mapping of a file that can't be written into now.

    The map does not show whether one could be before; runtimes map their weights to be read only.

    Format: https://man7.org/linux/man-pages/man5/proc_pid_maps.5.html.
    """
    with suppress(FileNotFoundError), MAPS.open(encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps.read().splitlines():
            bounds, permissions, _, _, _, *path = line.split(maxsplit=5)
            if "w" not in permissions and path and path[0] in paths:
                start, end = (int(bound, 16) for bound in bounds.split("-"))
                yield start, end - start
