"""Requests in every spelling that gets the cutout."""

import base64

from tests.served.spellings.message import (
    BOUNDARY,
    END,
    FORM_TYPE,
    FORM_TYPE_IN_CAPITALS,
    HEAD,
    URLENCODED,
    Sent,
    field,
    form,
    lines,
)

DISPOSITION = b"Content-Disposition: form-data"
NAME = b'filename="a.png"'


def sound(photo: bytes) -> dict[str, Sent]:
    """Requests for the same cutout, by name."""
    text = base64.b64encode(photo)
    whole = form(photo)
    untouched = b'; filename=""\r\nContent-Type: application/octet-stream'
    bodies = {
        "an epilogue": whole + b"epilogue\r\n",
        "a line break first": b"\r\n" + whole,
        "no line break last": whole[:-2],
        "two line breaks last": whole + b"\r\n",
        "LF": form(photo, HEAD.replace(b"\r\n", b"\n"), end=END),
        "capitals": form(photo, HEAD.replace(DISPOSITION, b"CONTENT-DISPOSITION:FORM-DATA")),
        "a name without quotes": form(photo, HEAD.replace(b'"', b"")),
        "the file's name first": form(photo, DISPOSITION + b'; filename="a"; name="image_file"'),
        "an escaped quote": form(photo, HEAD.replace(b"a.png", b'a\\".png')),
        "a quote as browsers escape it": form(photo, HEAD.replace(b"a.png", b"a%22.png")),
        "semicolons": form(photo, HEAD.replace(b"a.png", b"a; name=b; c.png")),
        "UTF-8": form(photo, HEAD.replace(b"a.png", "фото.png".encode())),
        "Latin-1": form(photo, HEAD.replace(b"a.png", b"\xe9.png")),
        "filename*": form(photo, HEAD.replace(NAME, b"filename*=UTF-8''%D1%84.png")),
        "both file names": form(photo, HEAD.replace(NAME, NAME + b"; filename*=UTF-8''b.png")),
        "a path of Windows": form(photo, HEAD.replace(b"a.png", b"C:\\a\\b.png")),
        "no file name": form(photo, HEAD.replace(b'; filename="a.png"', b"")),
        "no type": form(photo, HEAD.partition(b"\r\n")[0]),
        "an empty type": form(photo, HEAD.replace(b" image/png", b"")),
        "binary": form(photo, HEAD + b"\r\nContent-Transfer-Encoding: binary"),
        "the part's length": form(photo, HEAD + b"\r\nContent-Length: %d" % len(photo)),
        "an untouched background": form(photo, HEAD, field(b"bg_image_file", b"", untouched)),
        "an untouched source": form(photo, HEAD, field(b"image", b"", untouched)),
    }  # fmt: skip
    types = [
        "multipart/form-data;boundary=----edge",
        "multipart/form-data ; boundary=----edge",
        'multipart/form-data; boundary="----edge"',
        'multipart/form-data; BOUNDARY="----edge"; charset=utf-8',
        "multipart/form-data; charset=utf-8; boundary=----edge",
        "multipart/form-data; a=1; c=2; boundary=----edge",
        "Multipart/Form-Data; boundary=----edge",
        'MULTIPART/FORM-DATA; BOUNDARY="----edge"',
    ]
    texts = {
        "escaped": text.replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D"),
        "a lost +": text,
        "url-safe": base64.urlsafe_b64encode(photo),
        "no padding": text.rstrip(b"=").replace(b"+", b"%2B"),
        "a data URL in capitals": b"DATA:image/png;name=a.png;base64," + text.replace(b"+", b"%2B"),
        "escaped line breaks": b"%0D%0A".join(lines(text.replace(b"+", b"-"))),
    }
    return {
        **{f"a form with {name}": Sent(FORM_TYPE, body) for name, body in bodies.items()},
        **{declared: Sent(declared, whole) for declared in types},
        "an odd boundary": Sent(
            'multipart/form-data; boundary="\'()+_,-./:=?"',
            whole.replace(BOUNDARY, b"'()+_,-./:=?"),
        ),
        "another form with a preamble": Sent(FORM_TYPE_IN_CAPITALS, b"preamble\r\n" + whole),
        **{
            f"urlencoded, {name}": Sent(URLENCODED, b"image_file_b64=" + body)
            for name, body in texts.items()
        },
        "urlencoded in capitals": Sent(URLENCODED.upper(), b"image_file_b64=" + texts["escaped"]),
        "urlencoded with a space before ;": Sent(
            f"{URLENCODED} ; charset=utf-8", b"image_file_b64=" + texts["escaped"]
        ),
        "JSON as text": Sent("text/plain;charset=UTF-8", b'{"data": "%b"}' % text),
        "JSON of a kind": Sent("application/vnd.api+json", b'{"data": "%b"}' % text),
        "JSON with a mark": Sent("Application/JSON", b'\xef\xbb\xbf{"data": "%b"}' % text),
        "text in lines": Sent("text/plain", b"\r\n".join(lines(text))),
        "text in lines that a shell joined": Sent("text/plain", b" ".join(lines(text))),
        "text after a mark": Sent("text/plain", b"\xef\xbb\xbf " + text + b"\n"),
        "text in quotes": Sent("text/plain", b"'" + text + b"'"),
        "chunks": Sent(FORM_TYPE, whole, chunk=10_000),
        "100-continue": Sent(FORM_TYPE, whole, ("Expect: 100-continue",)),
        "HTTP/1.0": Sent(FORM_TYPE, whole, version="1.0"),
        "identity": Sent("image/png", photo, ("Content-Encoding: identity",)),
    }
