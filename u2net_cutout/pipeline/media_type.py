"""The media type that a client declares for a body, or for a part of a form (RFC 9110, 8.3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message

from u2net_cutout.contract.formats import JSON_TYPE

FORM_TYPE = "multipart/form-data"
URLENCODED_TYPE = "application/x-www-form-urlencoded"
JSON_SUFFIX = "+json"
# Python takes time that grows with the square of the length.
LONGEST = 1024
OTHER_JSON_TYPES = ("text/json", "application/x-json")


@dataclass(frozen=True)
class MediaType:
    """A ``Content-Type``, read; empty without one."""

    name: str = ""
    """Type and subtype in small letters, such as ``image/png``."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By name in small letters; the values are as they were sent, without quotes."""

    @classmethod
    def parse(cls, declared: str) -> "MediaType":
        """Read a header's value, of a long one the beginning; nothing that it holds fails."""
        message = Message()
        # Python fails over half a pair of UTF-16, which no header that arrived well has.
        message["Content-Type"] = declared[:LONGEST].encode("latin-1", "replace").decode("latin-1")
        (name, _), *parameters = message.get_params() or [("", "")]
        # A value in RFC 2231's form, a tuple, means nothing in HTTP.
        values = {key: text for key, text in parameters if isinstance(text, str) and key}
        return cls(name.strip().lower(), values)

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, or a kind of it such as ``application/problem+json``."""
        return self.name in (JSON_TYPE, *OTHER_JSON_TYPES) or self.name.endswith(JSON_SUFFIX)

    @property
    def is_text(self) -> bool:
        """Whether it is text."""
        return self.name.startswith("text/")
