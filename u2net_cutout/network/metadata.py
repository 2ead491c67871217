"""Facts about the network of an archive: ``metadata.json``, written when it is built."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

METADATA_FILE = "metadata.json"


@dataclass(frozen=True)
class ModelMetadata:
    """Facts about the served network that its files don't show."""

    variant: str
    """A name in ``variant.VARIANTS``."""
    runtime: str
    """A value of ``precision.Runtime``."""
    precision: str
    """A value of ``precision.Precision``."""
    device: str
    """The kind of device it is built for and was measured on: ``cpu`` or ``cuda``."""
    files_sha256: dict[str, str]
    """Of each file that holds the network, by its name in the archive; the weights first."""
    weights_source: str
    """Where the weights came from, in words."""
    license: str
    """SPDX identifier of the weights' licence, or what is stated of it, in words."""
    parity: dict[str, float]
    """How far the masks are from plain float32's: means and worsts; all of it is in parity.json."""
    sources_sha256: str
    """Of everything else that went into the archive; shows whether an archive is stale."""

    @property
    def weights_sha256(self) -> str:
        """Of the file with the weights, the first."""
        return next(iter(self.files_sha256.values()))

    def to_json(self) -> str:
        """Return the text of ``metadata.json``."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelMetadata":
        """Read the text of ``metadata.json``.

        Raises:
            ValueError: the text is no such thing.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not the metadata of an archive: {error}") from error

    @classmethod
    def read(cls, model_dir: Path) -> "ModelMetadata":
        """Read the metadata of an unpacked archive."""
        return cls.from_json((model_dir / METADATA_FILE).read_text(encoding="utf-8"))
