"""Which of the media types on offer an ``Accept`` header prefers (RFC 9110, section 12.5.1).

Browsers and libraries send a default header if the caller sets none: the types that they show or
parse, text first, then a wildcard. A cutout is never text, so such a header states no preference
and gets the first offer. Java's ``HttpURLConnection`` would get JPEG otherwise, which has no
transparency.
"""

from collections.abc import Sequence

ANYTHING = "*/*"
# Without a slash it is no media range, but Java and RestSharp send it.
BARE_WILDCARD = "*"
TEXT = "text/"

Range = tuple[str, float]


def negotiate(accept: str, offers: Sequence[str]) -> str | None:
    """Return the offer of the highest quality, the earliest of equals; None if none is accepted.

    An empty `accept` accepts everything, and so does one that names text besides a wildcard, but
    for what it excludes. Ranges that can't be parsed are passed over.
    """
    ranges = [parsed for text in accept.split(",") if (parsed := _parse(text)) is not None]
    if not accept.strip() or _is_no_wish(ranges):
        excluded = [(media_range, quality) for media_range, quality in ranges if not quality]
        ranges = [*excluded, (ANYTHING, 1.0)]
    best, best_quality = None, 0.0
    for offer in offers:
        quality = _quality(offer, ranges)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def _is_no_wish(ranges: Sequence[Range]) -> bool:
    accepted = [media_range for media_range, quality in ranges if quality]
    return ANYTHING in accepted and any(each.startswith(TEXT) for each in accepted)


def _parse(text: str) -> Range | None:
    media_range, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return None
    if media_range == BARE_WILDCARD:
        media_range = ANYTHING
    if "/" not in media_range or not 0 <= quality <= 1:
        return None
    return media_range, quality


def _quality(offer: str, ranges: Sequence[Range]) -> float:
    """Return what the most specific range that covers `offer` says of it."""
    qualities = dict(reversed(ranges))
    kind = offer.partition("/")[0]
    for covering in (offer, f"{kind}/*", ANYTHING):
        if covering in qualities:
            return qualities[covering]
    return 0.0
