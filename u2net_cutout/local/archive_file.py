"""An archive as a file: checked before anything is loaded, and never executed.

Of its members only the network's files, ``metadata.json``, ``model-config.yaml`` and the manifest
are read. Its Python files are those that TorchServe runs; here this package's own code does.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import yaml

from u2net_cutout.client.errors import ArchiveUnusable
from u2net_cutout.contract.limits import Limits
from u2net_cutout.local.member_names import FILE, MANIFEST, check_names
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata

CONFIG = "model-config.yaml"
HANDLER = "u2net_handler.py"
# Ours have some kilobytes; the network's files have 176 MB in float32.
MAX_TEXT_BYTES = 1 << 20
MAX_NETWORK_BYTES = 2 << 30


class _Loader(yaml.SafeLoader):
    """Reads no aliases, by which a small file could stand for any amount of text."""

    def fetch_alias(self) -> None:
        raise yaml.YAMLError("aliases are not read")


@dataclass(frozen=True)
class ArchiveFile:
    """An archive of this package for the CPU; what it says of itself can be done here."""

    path: Path
    metadata: ModelMetadata
    limits: Limits

    @classmethod
    def read(cls, path: Path) -> "ArchiveFile":
        """Read what an archive says of itself.

        Raises:
            ArchiveUnusable: it can't be read, is none of this package or none for here.
        """
        with _opened(path) as members:
            check_names(members.namelist())
            handler = json.loads(_text(members, MANIFEST))["model"]["handler"]
            if handler != HANDLER:
                raise ValueError(f"it has a handler of its own, {handler}, for TorchServe alone")
            limits = Limits.from_config(_config(_text(members, CONFIG)))
            metadata = ModelMetadata.from_json(_text(members, METADATA_FILE))
            _check_network(metadata, members)
            return cls(path, metadata, limits)

    @contextmanager
    def network_files(self) -> Iterator[Path]:
        """Return a folder with the network's files, under their names, while the block runs.

        The files themselves have no place in any folder, so that none of them is left however the
        process ends: the folder holds links to what this process has open.

        Raises:
            ArchiveUnusable: they can't be read, or there is no room for them.
        """
        with TemporaryDirectory(prefix="u2net-cutout-") as folder, ExitStack() as files:
            with _opened(self.path) as members:
                for name in self.metadata.files_sha256:
                    file = files.enter_context(TemporaryFile())
                    with members.open(name) as member:
                        shutil.copyfileobj(member, file, 1 << 20)
                    file.flush()
                    Path(folder, name).symlink_to(f"/proc/self/fd/{file.fileno()}")
            yield Path(folder)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as members:
            yield members
    except ArchiveUnusable:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ArchiveUnusable(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:  # zipfile and the parsers raise all kinds of errors over other files
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ArchiveUnusable(
            f"{path} is damaged, or no archive of this version of u2net-cutout: {reason:.500}. "
            "Build it anew: make archive"
        ) from error


def _text(members: zipfile.ZipFile, name: str) -> bytes:
    if members.getinfo(name).file_size > MAX_TEXT_BYTES:
        raise ValueError(f"{name} has more than {MAX_TEXT_BYTES} bytes")
    return members.read(name)


def _config(text: bytes) -> Mapping[str, Any]:
    loader = _Loader(text)
    try:
        config = loader.get_single_data()
    finally:
        loader.dispose()
    if not isinstance(config, Mapping):
        raise ValueError(f"{CONFIG} holds no settings")
    return config


def _check_network(metadata: ModelMetadata, members: zipfile.ZipFile) -> None:
    if metadata.device != "cpu":
        raise ValueError(f"it is built for {metadata.device}, and this runs on CPUs")
    names = metadata.files_sha256
    if not isinstance(names, dict) or not names or not all(map(FILE.fullmatch, names)):
        raise ValueError(f"{METADATA_FILE} names no files of a network")
    size = sum(members.getinfo(name).file_size for name in names)
    if size > MAX_NETWORK_BYTES:
        raise ValueError(f"its network has {size} bytes; the limit is {MAX_NETWORK_BYTES}")
