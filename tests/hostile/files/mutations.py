"""Damages sound files at random; the same seed damages them in the same way."""

from collections.abc import Callable, Sequence
from random import Random

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
KILOBYTE = 1024
SMALL = 2048


def cuts(data: bytes) -> Sequence[int]:
    """Return where to cut a file short: at every kilobyte, or in a small one at every byte."""
    return range(0, len(data), 1 if len(data) <= SMALL else KILOBYTE)


def broken(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Return a file damaged in up to four ways, with pieces of `others`."""
    held = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if held:
            rng.choice(_WAYS)(rng, held, rng.choice(others))
    return bytes(held)


def _flip_bits(rng: Random, held: bytearray, _: bytes) -> None:
    for _flip in range(rng.choice((1, 1, 2, 8, 64))):
        held[rng.randrange(len(held))] ^= 1 << rng.randrange(8)


def _flip_in_front(rng: Random, held: bytearray, _: bytes) -> None:
    """Change a byte of the header, which breaks more than pixels do."""
    held[rng.randrange(min(len(held), 200))] = rng.randrange(256)


def _set_number(rng: Random, held: bytearray, _: bytes) -> None:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(INTERESTING) & ((1 << 8 * width) - 1)
    at = rng.randrange(len(held))
    held[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))


def _zero(rng: Random, held: bytearray, _: bytes) -> None:
    at, length = rng.randrange(len(held)), rng.choice((1, 4, 16, 256))
    held[at : at + length] = bytes(min(length, len(held) - at))


def _cut(rng: Random, held: bytearray, _: bytes) -> None:
    del held[rng.randrange(len(held)) :]


def _remove(rng: Random, held: bytearray, _: bytes) -> None:
    at = rng.randrange(len(held))
    del held[at : at + rng.choice((1, 2, 4, 12, 64, 512))]


def _repeat(rng: Random, held: bytearray, _: bytes) -> None:
    at = rng.randrange(len(held))
    held[at:at] = held[at : at + rng.choice((2, 4, 12, 64, 512))] * rng.choice((1, 2, 16))


def _splice(rng: Random, held: bytearray, other: bytes) -> None:
    at, start = rng.randrange(len(held)), rng.randrange(len(other))
    held[at : at + rng.randrange(64)] = other[start : start + rng.choice((4, 64, 1024))]


def _append(rng: Random, held: bytearray, other: bytes) -> None:
    held += other[rng.randrange(len(other)) :]


_WAYS: tuple[Callable[[Random, bytearray, bytes], None], ...] = (
    _flip_bits,
    _flip_bits,
    _flip_in_front,
    _flip_in_front,
    _set_number,
    _set_number,
    _set_number,
    _zero,
    _cut,
    _remove,
    _repeat,
    _splice,
    _append,
)
