"""How TorchServe gathers requests into batches."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Batching:
    """How many requests share a pass and how long one waits; None: as the archive says."""

    size: int | None = None
    delay_ms: int | None = None

    def parameters(self) -> dict[str, int]:
        """Return the parameters of a registration that stand for it."""
        named = {"batch_size": self.size, "max_batch_delay": self.delay_ms}
        return {name: value for name, value in named.items() if value is not None}


AS_ARCHIVED = Batching()
