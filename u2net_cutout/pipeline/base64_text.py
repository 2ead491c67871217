"""Base64 in the spellings that clients send (RFC 4648, RFC 2397); what is ambiguous is refused.

Every step works on the whole text at once: a list of its lines or words would take many times
its memory.
"""

import base64

from u2net_cutout.contract.errors import InvalidBase64, MissingSource

BYTE_ORDER_MARK = "\ufeff"
QUOTES = "\"'"
DATA_SCHEME = "data:"
# What escaping a URL twice leaves of base64's own signs and of line ends.
ESCAPES = {b"%2B": b"+", b"%2F": b"/", b"%3D": b"=", b"%0D": b"\r", b"%0A": b"\n"}
# Apart from spaces: nothing that travels becomes one of these.
LINE_ENDS = b"\r\n\t\v\f"
LOST_PLUS = bytes.maketrans(b" ", b"+")
URL_SAFE = bytes.maketrans(b"-_", b"+/")
# Characters of base64 make whole bytes in groups of so many.
GROUP = 4
MOST_PADDING = 2
AMBIGUOUS = "the text has spaces: escape + as %2B in a form, and leave spaces out"


def decode_base64(text: str) -> bytes:
    """Decode base64, also of a ``data:`` URL, in either alphabet, with or without padding.

    Line ends are left out, and spaces around the text. A space in it is a ``+`` that was sent in a
    form without being escaped, unless the spaces divide the text into lines of one length.

    Raises:
        InvalidBase64: it is not base64, or its spaces can be read in two ways.
        MissingSource: it is, and holds nothing.
    """
    text = _payload(text.strip(BYTE_ORDER_MARK))
    try:
        encoded = text.strip().encode("ascii")
    except UnicodeEncodeError as error:
        raise InvalidBase64("the text is not base64: it is not ASCII") from error
    for escape, sign in ESCAPES.items() if b"%" in encoded else ():
        encoded = encoded.replace(escape, sign).replace(escape.lower(), sign)
    encoded = _one_line(encoded).translate(URL_SAFE)
    # Had it spaces inside, it is whole by now.
    if len(encoded) % GROUP and not (len(encoded) + text.count(" ")) % GROUP:
        # With a + at its end, or without padding: as long as either.
        raise InvalidBase64(AMBIGUOUS)
    unpadded = encoded.rstrip(b"=")
    if len(encoded) - len(unpadded) > MOST_PADDING:
        raise InvalidBase64(f"the text is not base64: it ends with more than {MOST_PADDING} '='")
    if len(unpadded) % GROUP == 1:
        raise InvalidBase64("the text is not base64: a character is missing or extra")
    try:
        data = base64.b64decode(unpadded + b"=" * (-len(unpadded) % GROUP), validate=True)
    except ValueError as error:  # binascii.Error is
        raise InvalidBase64("the text is not base64") from error
    if not data:
        raise MissingSource("the base64 text is empty")
    return data


def _payload(text: str) -> str:
    """Return what is in quotes, and what follows the comma of a ``data:`` URL."""
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] in QUOTES and stripped[0] == stripped[-1]:
        text = stripped[1:-1]
        stripped = text.strip()
    if stripped[: len(DATA_SCHEME)].lower() != DATA_SCHEME:
        return text
    head, comma, data = text.partition(",")
    if not comma or head.rpartition(";")[2].strip().lower() != "base64":
        # The other form, percent signs and hexadecimal digits, is for short texts such as SVG.
        raise InvalidBase64("a data: URL must be base64, as in data:image/jpeg;base64,...")
    return data


def _one_line(text: bytes) -> bytes:
    """Return the text without what divides it into lines."""
    if b" " in text and (b"\n" in text or b"\r" in text):
        text = _without_indentation(text)
        if b" " in text:
            raise InvalidBase64(AMBIGUOUS)
    text = text.translate(None, LINE_ENDS)
    if b" " not in text:
        return text
    joined = text.translate(None, b" ")
    if _is_in_lines(text) and not len(joined) % GROUP:
        return joined
    restored = text.translate(LOST_PLUS)
    if len(restored) % GROUP:
        raise InvalidBase64(AMBIGUOUS)
    return restored


def _without_indentation(text: bytes) -> bytes:
    """Return the text without the spaces that begin its lines, if all have as many."""
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    second = text.partition(b"\n")[2]
    beginning = b"\n" + b" " * (len(second) - len(second.lstrip(b" ")))
    if text.count(beginning) != text.count(b"\n"):
        return text
    unindented = text.replace(beginning, b"\n")
    # If it was a + that each line lost, the length tells.
    return text if len(unindented.translate(None, LINE_ENDS)) % GROUP else unindented


def _is_in_lines(text: bytes) -> bool:
    """Whether spaces, and nothing else, come after each so many characters."""
    width = text.index(b" ")
    ends = text[width :: width + 1]
    return not width % GROUP and ends == b" " * text.count(b" ")
