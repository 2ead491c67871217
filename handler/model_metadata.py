"""What an archive knows about its weights: ``metadata.json``, written when it is built."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

METADATA_FILE = "metadata.json"


@dataclass(frozen=True)
class ModelMetadata:
    """Facts about the served weights that no one can read off the weights themselves."""

    variant: str
    """A name in ``saliency_network.VARIANTS``."""
    weights_sha256: str
    """Of the weights file in the archive."""
    weights_source: str
    """Where the weights came from, in words."""
    license: str
    """SPDX identifier of the weights' licence."""
    sources_sha256: str
    """Of everything else that went into the archive; tells a stale archive from a fresh one."""

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
