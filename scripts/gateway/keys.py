"""The file of keys: a line for each client, with name, key and, optionally, requests a minute.

nginx notices a change of it within a second: see gateway.js, ``clientOf``.
"""

import os
import re
import secrets
from pathlib import Path

from scripts.torchserve.config import ServerError

DEFAULT_CLIENT = "default"

_NAME = re.compile(r"[\w-]+", re.ASCII)
_HEAD = (
    "# name, key and, if not the gateway's own (RATE), the most requests a minute. Remove a line, "
    "and its key\n# is refused within a second.\n"
)


def key_of(file: Path, name: str) -> str:
    """Return a client's key; if it has none, add a new one to the file.

    Raises:
        ServerError: the name is not valid, or the file can't be read or written.
    """
    if not _NAME.fullmatch(name):
        raise ServerError(f"NAME={name}: use only letters, digits, - and _")
    try:
        known = _read(file)
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            _add(file, f"{name} {known[name]}\n")
    except OSError as error:
        raise ServerError(f"{file}: {error.strerror}") from error
    return known[name]


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    return {words[0]: words[1] for words in lines if len(words) > 1 and words[0] != "#"}


def _add(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as keys:
        keys.write(line if file.stat().st_size else _HEAD + line)
