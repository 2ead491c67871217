"""The formats of a response. Loads no library, so that the client starts fast."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

LOSSLESS = "lossless"
JSON_TYPE = "application/json"


class OutputFormat(Enum):
    """How a cutout is written; the value is the option's."""

    RGBA = "rgba"
    PNG = "png"
    WEBP = "webp"
    JPG = "jpg"
    ZIP = "zip"
    AUTO = "auto"

    @property
    def takes_quality(self) -> bool:
        """Whether a quality means anything."""
        return self not in (OutputFormat.RGBA, OutputFormat.PNG)


CONTENT_TYPES: Mapping[OutputFormat, str] = MappingProxyType(
    {
        OutputFormat.RGBA: "application/octet-stream",
        OutputFormat.PNG: "image/png",
        OutputFormat.WEBP: "image/webp",
        OutputFormat.JPG: "image/jpeg",
        OutputFormat.ZIP: "application/zip",
    }
)
