"""Java's properties files, as TorchServe is configured by them."""

import struct
from collections.abc import Mapping
from pathlib import Path


def read_properties(path: Path) -> dict[str, str]:
    """Read a properties file: ``name=value`` lines, ``#`` comments."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def write_properties(path: Path, properties: Mapping[str, str]) -> None:
    """Write a properties file that Java reads as it is meant, whatever characters are in it."""
    text = "".join(f"{name}={value}\n" for name, value in properties.items())
    path.write_text(_escaped(text), encoding="ascii")


def _escaped(text: str) -> str:
    """Write what is not ASCII as Java reads it in properties: escaped, a UTF-16 unit each."""
    units = struct.unpack(f"<{len(text.encode('utf-16-le')) // 2}H", text.encode("utf-16-le"))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)
