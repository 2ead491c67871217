"""Which of the media types on offer an ``Accept`` header prefers (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence


def negotiate(accept: str, offers: Sequence[str]) -> str | None:
    """Return the offer of the highest quality, the earliest of equals; None if none is accepted.

    An empty `accept` accepts everything. Ranges that can't be parsed are passed over.
    """
    ranges = [parsed for text in accept.split(",") if (parsed := _parse(text)) is not None]
    if not accept.strip():
        ranges = [("*/*", 1.0)]
    best, best_quality = None, 0.0
    for offer in offers:
        quality = _quality(offer, ranges)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def _parse(text: str) -> tuple[str, float] | None:
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return None
    if "/" not in media_range or not 0 <= quality <= 1:
        return None
    return media_range, quality


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return what the most specific range that covers `offer` says of it."""
    qualities = dict(reversed(ranges))
    kind = offer.partition("/")[0]
    for covering in (offer, f"{kind}/*", "*/*"):
        if covering in qualities:
            return qualities[covering]
    return 0.0
