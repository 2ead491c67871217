"""Archives that differ from a real one."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path


def repacked(
    archive: Path,
    target: Path,
    members: Mapping[str, bytes | None],
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """Write an archive whose members differ: other bytes, or None for none."""
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(target, "w", compression) as changed:
        for name in whole.namelist():
            if name not in members:
                changed.writestr(name, whole.read(name))
        for name, content in members.items():
            if content is not None:
                changed.writestr(name, content)
    return target


def with_json(archive: Path, target: Path, member: str, **values: object) -> Path:
    """Write an archive in one of whose JSON objects some values differ."""
    with zipfile.ZipFile(archive) as whole:
        facts = json.loads(whole.read(member))
    return repacked(archive, target, {member: json.dumps({**facts, **values}).encode()})
