"""Requests that can't be understood, and what the error says."""

import base64
import gzip

from tests.served.spellings.message import (
    END,
    FORM_TYPE,
    FORM_TYPE_IN_CAPITALS,
    HEAD,
    URLENCODED,
    Sent,
    field,
    form,
    lines,
    part,
)


def refused(photo: bytes) -> dict[str, tuple[Sent, tuple[int, str], str]]:
    """Requests that the handler refuses: status, code, and a word of the reason."""
    text = base64.b64encode(photo)
    whole = form(photo)
    missing, invalid = (400, "missing_source"), (400, "invalid_form")
    unknown, compressed = (400, "unknown_parameter"), (415, "unsupported_encoding")
    gzipped = ("Content-Encoding: gzip",)
    return {
        "a file called photo": (
            Sent(FORM_TYPE, whole.replace(b"image_file", b"photo")), unknown, "'photo'"
        ),
        "a file called image_file[]": (
            Sent(FORM_TYPE, whole.replace(b"image_file", b"image_file[]")), unknown, "image_file,"
        ),
        "a small file called files": (
            Sent(FORM_TYPE, form(b"x").replace(b"image_file", b"files")), unknown, "'files'"
        ),
        "JSON called image_base64": (
            Sent("application/json", b'{"image_base64": "%b"}' % text), unknown, "image_file_b64"
        ),
        "no boundary": (Sent("multipart/form-data", whole), invalid, "lacks its boundary"),
        "no boundary in capitals": (Sent("Multipart/Form-Data", whole), invalid, "lacks its"),
        "another boundary": (
            Sent("multipart/form-data; boundary=c", whole), invalid, "boundary"
        ),
        "another boundary in capitals": (
            Sent("Multipart/Form-Data; boundary=c", whole), invalid, "boundary"
        ),
        "no boundary last": (Sent(FORM_TYPE, form(photo, end=b"")), invalid, "boundary"),
        "a preamble": (Sent(FORM_TYPE, b"preamble\r\n" + whole), invalid, "boundary"),
        "a picture twice": (
            Sent(FORM_TYPE, form(photo, HEAD, part(HEAD, photo))), invalid, "twice"
        ),
        "a small field twice, in capitals": (
            Sent(FORM_TYPE_IN_CAPITALS, form(photo, HEAD, *[field(b"crop", b"1")] * 2)),
            invalid,
            "twice",
        ),
        "an empty part": (Sent(FORM_TYPE, form(b"")), missing, "image_file is empty"),
        "an empty part without a file name": (
            Sent(FORM_TYPE, field(b"image") + END), missing, "image is empty"
        ),
        "an empty body": (Sent("image/png", b""), missing, "body is empty"),
        "no parts": (Sent(FORM_TYPE, END), missing, "image_file"),
        "a compressed picture": (
            Sent("image/png", gzip.compress(photo), gzipped), compressed, "Content-Encoding"
        ),
        "a compressed form": (
            Sent(FORM_TYPE, gzip.compress(whole), gzipped), compressed, "Content-Encoding"
        ),
        "urlencoded line breaks": (
            Sent(URLENCODED, b"image_file_b64=" + b"\r\n".join(lines(text))),
            invalid,
            "line break",
        ),
        "urlencoded without a field": (
            Sent(URLENCODED, photo.translate(None, b"=%&")), invalid, "-F"
        ),
        "urlencoded JSON": (
            Sent(URLENCODED, b'{"image_file_b64": "QUFB=="}'), invalid, "application/json"
        ),
        "a data URL without base64": (
            Sent("application/json", b'{"data": "data:image/png,%89PNG"}'),
            (400, "invalid_base64"),
            "base64",
        ),
        "base64 that lost a + in its line ends": (
            Sent("text/plain", b"AAAA \r\nAAAA"), (400, "invalid_base64"), "spaces"
        ),
    }  # fmt: skip


def unparsed(photo: bytes) -> dict[str, Sent]:
    """Forms over which TorchServe's own parser fails, before the handler sees them."""
    whole = form(photo)
    heads = {
        "no name": HEAD.replace(b'name="image_file"; ', b""),
        "no disposition": b"Content-Type: image/png",
        "another disposition": HEAD.replace(b"form-data", b"attachment"),
        "base64": HEAD + b"\r\nContent-Transfer-Encoding: base64",
        "a charset of no name": HEAD + b"; charset=nope",
        "a broken filename*": HEAD.replace(b'filename="a.png"', b"filename*=a.png"),
        "a wrong length": HEAD + b"\r\nContent-Length: 3",
        "a folded line": HEAD.replace(b"; ", b";\r\n "),
    }
    return {
        **{
            f"a part with {name}": Sent(FORM_TYPE, form(photo, head))
            for name, head in heads.items()
        },
        "a boundary without a value": Sent("multipart/form-data; boundary", whole),
        "an empty boundary": Sent("multipart/form-data; boundary=", whole),
        "a charset of no name": Sent("multipart/form-data; charset=no; boundary=----edge", whole),
        "broken escapes": Sent(URLENCODED, b"image_file_b64=QU%zz"),
    }
