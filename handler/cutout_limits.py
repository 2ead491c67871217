"""What a picture and an answer may weigh; read from the archive's ``model-config.yaml``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Limits:
    """Upper bounds, each inclusive."""

    max_file_bytes: int
    """Size of the picture as a file."""
    max_pixels: int
    """Width times height of the picture."""
    max_response_bytes: int
    """Size of the answer's body; TorchServe's own ``max_response_size`` must not be smaller."""

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> "Limits":
        """Read the ``limits`` section of a model configuration.

        Raises:
            ValueError: the section is missing, or has other keys or values than those above.
        """
        section = config.get("limits")
        names = {field.name for field in fields(cls)}
        if not isinstance(section, Mapping) or set(section) != names:
            raise ValueError(f"model-config.yaml needs a section 'limits' with {sorted(names)}")
        if not all(type(value) is int and value > 0 for value in section.values()):
            raise ValueError(f"limits must be whole numbers above 0, got {dict(section)}")
        return cls(**section)

    def as_dict(self) -> dict[str, int]:
        """Name and value of each limit."""
        return asdict(self)
