"""Malformed forms."""

from collections.abc import Iterator

from tests.hostile.http.message import BOUNDARY, FORM_TYPE, Address, Message, form, part

EVIL = b"\r\nX-Evil: 1"


def broken_forms(to: Address, png: bytes) -> Iterator[Message]:
    """Yield forms of both kinds; `png` is a sound picture."""
    yield from _many_fields(to, png)
    yield from _malformed_texts(to, png)
    yield from _malformed_parts(to, png)
    yield from _urlencoded(to, png)


def _many_fields(to: Address, png: bytes) -> Iterator[Message]:
    picture = part(b'name="image"; filename="a.png"', png, b"image/png")
    fields = [_field(b"f%d" % number, b"1") for number in range(10_000)]
    yield to.form("10,000 fields", form([picture, *fields]))
    yield to.form("10,000 pictures", form([picture] * 10_000))
    yield to.form("a field twice", form([picture, _field(b"crop", b"1"), _field(b"crop", b"0")]))
    yield to.form("a picture and a text of one name", form([picture, _field(b"image", b"text")]))
    yield to.form("a name of a megabyte", form([picture, _field(b"n" * (1 << 20), b"1")]))
    yield to.form("a value of a megabyte", form([picture, _field(b"format", b"png" * 350_000)]))


def _malformed_texts(to: Address, png: bytes) -> Iterator[Message]:
    picture = _picture(png)
    for what, text in {
        "a line break": EVIL,
        "an escaped line break": b"%0d%0aX-Evil: 1",
        "a lone line feed": b"\nX-Evil: 1",
        "a zero": b"\0",
        "no UTF-8": b"\xff\xfe",
        "a quote": b'"; filename="b',
        "a path": b"../../../etc/passwd",
        "a backslash": b"a\\",
        "nothing": b"",
        "64 KB": b"x" * (1 << 16),
    }.items():
        yield to.form(f"{what} in a name", form([picture, _field(b"format" + text, b"png")]))
        yield to.form(f"{what} in a value", form([picture, _field(b"format", b"png" + text)]))
        yield to.form(
            f"{what} in a file's name",
            form([part(b'name="image"; filename="a' + text + b'"', png, b"image/png")]),
        )
        yield to.form(
            f"{what} in a part's type",
            form([part(b'name="image"; filename="a"', png, b"image/png" + text)]),
        )
        yield to.form(f"{what} in the boundary", form([picture]), FORM_TYPE + text)


def _malformed_parts(to: Address, png: bytes) -> Iterator[Message]:
    sound, file = form([_picture(png)]), b'name="image"; filename="a"'
    yield to.form("no boundary", sound, b"multipart/form-data")
    yield to.form("an empty boundary", sound, b"multipart/form-data; boundary=")
    yield to.form("another boundary", sound, b"multipart/form-data; boundary=other")
    yield to.form(
        "a boundary of 5,000 letters", sound, b"multipart/form-data; boundary=" + b"x" * 5000
    )
    yield to.form("another kind of parts", sound, FORM_TYPE.replace(b"form-data", b"mixed"))
    yield to.form("no end", sound[: -len(BOUNDARY) - 6])
    yield to.form("cut in the picture", sound[:150])
    yield to.form("no parts", form([]))
    yield to.form("nothing", b"")
    yield to.form("only a boundary", b"--" + BOUNDARY)
    yield to.form("no name", form([part(b'filename="a.png"', png)]))
    yield to.form("no disposition", b"--" + BOUNDARY + b"\r\n\r\n" + png + b"\r\n" + form([]))
    yield to.form("a form in a form", form([part(file, sound, FORM_TYPE)]))
    for encoding in (b"base64", b"7bit", b"8bit", b"evil"):
        kind = b"image/png\r\nContent-Transfer-Encoding: " + encoding
        yield to.form(f"a part in {encoding!r}", form([part(file, png, kind)]))
    yield to.form("a part of a charset", form([part(file, png, b"text/plain; charset=nope")]))
    yield to.form("a JSON part", form([part(file, b"{", b"application/json")]))
    long = b"image/png\r\nX: " + b"y" * 100_000
    yield to.form("a long header of a part", form([part(file, png, long)]))


def _picture(png: bytes) -> bytes:
    return part(b'name="image"; filename="a.png"', png, b"image/png")


def _field(name: bytes, value: bytes) -> bytes:
    return part(b'name="' + name + b'"', value)


def _urlencoded(to: Address, png: bytes) -> Iterator[Message]:
    for name, body in {
        "10,000 fields": b"&".join(b"f%d=1" % number for number in range(10_000)),
        "broken escapes": b"image_file_b64=%zz%",
        "no values": b"&&&&====&&",
        "a picture": png,
        "zeros": bytes(1000),
        "line breaks": b"format=png%0d%0aX-Evil:1&image_file_b64=QUFB",
        "no UTF-8": b"\xff\xfe=%ff%fe",
        "a name twice": b"format=png&format=jpg&image_file_b64=QUFB",
        "nothing": b"",
    }.items():
        yield to.form(f"urlencoded: {name}", body, b"application/x-www-form-urlencoded")
