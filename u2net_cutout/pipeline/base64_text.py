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
URL_SAFE = bytes.maketrans(b"-_", b"+/")
# Characters of base64 make whole bytes in groups of so many.
GROUP = 4
MOST_PADDING = 2


def decode_base64(text: str) -> bytes:
    """Decode base64, also of a ``data:`` URL, in either alphabet, with or without padding.

    Line ends are left out. A space in a line is a ``+`` that was sent in a form without being
    escaped, unless the spaces divide the text into lines of one length.

    Raises:
        InvalidBase64: it is not base64, or its spaces can be read in two ways.
        MissingSource: it is, and holds nothing.
    """
    text = _payload(text.strip().strip(BYTE_ORDER_MARK).strip())
    try:
        encoded = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise InvalidBase64("the text is not base64: it is not ASCII") from error
    for escape, sign in ESCAPES.items():
        encoded = encoded.replace(escape, sign).replace(escape.lower(), sign)
    encoded = _one_line(encoded).translate(URL_SAFE)
    unpadded = encoded.rstrip(b"=")
    if len(encoded) - len(unpadded) > MOST_PADDING:
        raise InvalidBase64(f"the text is not base64: more than {MOST_PADDING} '=' end it")
    if len(unpadded) % GROUP == 1:
        raise InvalidBase64("the text is not base64: a character is missing, or one too many")
    try:
        data = base64.b64decode(unpadded + b"=" * (-len(unpadded) % GROUP), validate=True)
    except ValueError as error:  # binascii.Error is
        raise InvalidBase64("the text is not base64") from error
    if not data:
        raise MissingSource("the base64 text holds no bytes")
    return data


def _payload(text: str) -> str:
    """Return what is in quotes, and what follows the comma of a ``data:`` URL."""
    if len(text) > 1 and text[0] in QUOTES and text[0] == text[-1]:
        text = text[1:-1].strip()
    if text[: len(DATA_SCHEME)].lower() != DATA_SCHEME:
        return text
    head, comma, data = text.partition(",")
    if not comma or head.rpartition(";")[2].strip().lower() != "base64":
        # The other form, percent signs and hexadecimal digits, is for short texts such as SVG.
        raise InvalidBase64("a data: URL must be base64, as in data:image/jpeg;base64,...")
    return data.strip()


def _one_line(text: bytes) -> bytes:
    """Return the text without what divides it into lines."""
    if b" " in text and (b"\n" in text or b"\r" in text):
        text = _without_indentation(text)
        if b" " in text:
            raise InvalidBase64("the text has line ends and other spaces: leave the spaces out")
    text = text.translate(None, LINE_ENDS)
    if b" " not in text:
        return text
    joined = text.replace(b" ", b"")
    if _is_in_lines(text) and len(joined) % GROUP == 0:
        return joined
    restored = text.replace(b" ", b"+")
    if len(restored) % GROUP:
        raise InvalidBase64("the text has spaces: escape + as %2B in forms, or leave them out")
    return restored


def _without_indentation(text: bytes) -> bytes:
    """Return the text without the spaces that begin its lines, if all have as many."""
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    second = text.partition(b"\n")[2]
    indentation = len(second) - len(second.lstrip(b" "))
    unindented = text.replace(b"\n" + b" " * indentation, b"\n")
    # With a + lost at the beginning of a line, the length would tell.
    return unindented if len(unindented.translate(None, LINE_ENDS)) % GROUP == 0 else text


def _is_in_lines(text: bytes) -> bool:
    """Whether spaces, and nothing else, come after each so many characters."""
    width = text.index(b" ")
    ends = text[width :: width + 1]
    return width % GROUP == 0 and len(ends) == ends.count(b" ") == text.count(b" ")
