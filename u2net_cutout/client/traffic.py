"""What cutting out at home saves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Traffic:
    """Bytes of pictures on the line, and what they would have been without the copy."""

    sent: int = 0
    received: int = 0
    whole_sent: int = 0
    whole_received: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            self.sent + other.sent,
            self.received + other.received,
            self.whole_sent + other.whole_sent,
            self.whole_received + other.whole_received,
        )

    def __str__(self) -> str:
        saved = self.whole_sent + self.whole_received - self.sent - self.received
        return (
            f"sent {self.sent / 1e6:.2f} MB instead of {self.whole_sent / 1e6:.2f}, received "
            f"{self.received / 1e6:.2f} MB instead of {self.whole_received / 1e6:.2f}: "
            f"{saved / 1e6:.2f} MB saved"
        )
