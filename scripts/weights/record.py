"""What is known of a weights file, and what is said where it can't be used."""

import json
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.files import sha256_of


class WeightsError(CommandError):
    """A weights file that can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class WeightsRecord:
    """What is known of a weights file; kept beside it as ``<model>.json``."""

    variant: str
    sha256: str
    source: str
    license: str

    @classmethod
    def beside(cls, weights: Path) -> "WeightsRecord":
        """Read the record of a weights file and hold the file against it.

        Raises:
            WeightsError: there is none, or the file is not the one that was recorded.
        """
        try:
            record = cls(**json.loads(weights.with_suffix(".json").read_text(encoding="utf-8")))
            found = sha256_of(weights)
        except (OSError, ValueError, TypeError) as error:
            raise WeightsError(
                f"{weights} or its record, the .json beside it, can't be read: delete both, then "
                "make weights"
            ) from error
        if found != record.sha256:
            raise WeightsError(f"{weights} is damaged: delete it, then make weights")
        return record
