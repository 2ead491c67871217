"""Requests with malformed or unusual HTTP; each has a connection of its own."""

import gzip
from collections.abc import Iterator

from tests.hostile.files.samples import samples
from tests.hostile.http.forms import broken_forms
from tests.hostile.http.message import Address, Message

PAUSE_S = 0.3


def framings(to: Address) -> Iterator[Message]:
    """Yield them all."""
    png = samples()["png"]
    yield from broken_forms(to, png)
    yield from _bodies(to, png)
    yield from _lengths(to, png)
    yield from _heads(to, png)
    yield from _no_http(to)


def _bodies(to: Address, png: bytes) -> Iterator[Message]:
    chunked = (b"Transfer-Encoding", b"chunked")
    head = to.head([chunked])

    def chunks(size: int) -> list[bytes]:
        return [b"%x\r\n%b\r\n" % (len(png[at : at + size]), png[at : at + size])
                for at in range(0, len(png), size)]  # fmt: skip

    end = b"0\r\n\r\n"
    yield Message("chunked", [head, *chunks(50), end])
    yield Message("chunks of a byte", [head + b"".join(chunks(1)) + end])
    yield Message("slow chunks", [head, *chunks(40), end], PAUSE_S)
    yield Message("a slow head", [head[:20], head[20:], *chunks(100), end], PAUSE_S)
    yield Message(
        "chunks with extensions", [head + chunks(200)[0].replace(b"\r\n", b";a=b\r\n", 1) + end]
    )
    yield Message("trailers", [head + chunks(200)[0] + b"0\r\nX-Evil: 1\r\n\r\n"])
    for size in (b"ffffffffffffffff", b"-1", b"xyz", b"", b"1 1"):
        yield Message(f"a chunk of {size!r}", [head + size + b"\r\n" + png], response_due=False)
    yield Message("chunks without end", [head, *chunks(50)], response_due=False)
    slow = [to.head([(b"Content-Length", str(len(png)).encode())]), png[:50], png[50:90], png[90:]]
    yield Message("a slow body", slow, PAUSE_S)
    waiting = to.head([(b"Content-Length", str(len(png)).encode()), (b"Expect", b"100-continue")])
    yield Message("a body that waits to be asked for", [waiting, png], PAUSE_S)
    for encoding in (b"gzip", b"deflate", b"br", b"evil"):
        body = gzip.compress(png)
        yield to.message(f"a body in {encoding!r}", body, [(b"Content-Encoding", encoding)])
    bomb = gzip.compress(bytes(1 << 26))
    yield to.message("a body that unpacks to 64 MB", bomb, [(b"Content-Encoding", b"gzip")])


def _lengths(to: Address, png: bytes) -> Iterator[Message]:
    for length in (b"-1", b"abc", b"1e3", b"0x10", b"99999999999999999999", b"9" * 200, b""):
        yield Message(
            f"length {length!r}", [to.head([(b"Content-Length", length)]) + png], response_due=False
        )
    short = to.head([(b"Content-Length", b"20")])
    yield Message("a length that is too small", [short + png], response_due=False)
    long = to.head([(b"Content-Length", b"5000")])
    yield Message("a length that is too large", [long + png], response_due=False)
    two = to.head([(b"Content-Length", b"20"), (b"Content-Length", str(len(png)).encode())])
    yield Message("two lengths", [two + png], response_due=False)
    both = to.head([(b"Content-Length", b"20"), (b"Transfer-Encoding", b"chunked")])
    yield Message("a length and chunks", [both + b"3\r\nabc\r\n0\r\n\r\n"], response_due=False)
    over = to.head([(b"Content-Length", b"60000000")])
    yield Message("more than the server takes", [over + bytes(100_000)], response_due=False)
    yield Message("no length", [to.head() + png], response_due=False)


def _heads(to: Address, png: bytes) -> Iterator[Message]:
    for name, value in (
        *((b"describe", b"True"), (b"explain", b"True"), (b"explain", b"False")),
        *((b"x-request-id", b"../../x"), (b"url_path", b"../.."), (b"image", b"text")),
        *(
            (b"body", b"text"),
            (b"Accept", b"\xff\xfe"),
            (b"Accept", b", ;;q=;,/"),
            (b"Accept", b""),
        ),
        *((b"Content-Type", b"application/json; charset=nope"), (b"Content-Type", b"\xff")),
        *((b"Content-Type", b"text/plain; charset=utf-7"), (b"Content-Type", b"image")),
        *((b"X-Forwarded-For", b"x" * 3000), (b"Content-Type", b"multipart/form-data")),
        *(
            (b"Accept", b""),
            (b"Connection", b"upgrade"),
            (b"Range", b"bytes=0-1"),
            (b"TE", b"trailers"),
        ),
    ):
        yield to.message(f"header {name!r}: {value[:30]!r}", png, [(name, value)])
    both = [(b"describe", b"True"), (b"explain", b"True")]
    yield to.message("describe and explain", png, both)
    yield to.message("describe without a body", b"", [(b"describe", b"True")], method="GET")
    yield to.message("300 headers", png, [(b"X-%d" % number, b"1") for number in range(300)])
    yield to.message("a header of 20 KB", png, [(b"X-Long", b"x" * 20_000)])
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "EVIL"):
        yield to.message(f"method {method}", png, method=method)
    model = to.model
    for path in (
        *(
            f"/explanations/{model}",
            f"/predictions/{model}/1.0",
            f"/predictions/{model}/1.0/a/../b",
        ),
        *(f"/predictions/{model}/9.9", "/predictions/../predictions", "/predictions/%00", "//"),
        *(f"/predictions/{model}?format=png&x=%zz", f"/models/{model}/invoke?format=png"),
        *(f"/invocations?model_name={model}&format=png&explain=1", f"/{model}/predict?crop=%ff"),
        *(
            f"/v1/models/{model}:predict",
            f"/v1/models/{model}:explain",
            f"/v2/models/{model}/infer",
        ),
        "/predictions/" + "x" * 3000,
    ):
        yield to.message(f"path {path[:60]}", png, path=path)
    yield Message("a header with a zero", [to.head([(b"X", b"a\0b")])], response_due=False)
    yield Message(
        "a header without a colon", [to.head()[:-2] + b"evil\r\n\r\n"], response_due=False
    )
    yield Message("a folded header", [to.head()[:-2] + b" folded\r\n\r\n"], response_due=False)


def _no_http(to: Address) -> Iterator[Message]:
    for name, data in {
        "nothing": b"",
        "a line": b"\r\n",
        "HTTP/0.9": b"GET /ping\r\n",
        "HTTP/1.0": b"GET /ping HTTP/1.0\r\n\r\n",
        "HTTP/9.9": b"GET /ping HTTP/9.9\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50),
        "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160),
        "zeros": bytes(5000),
        "half a head": to.head()[:40],
        "a picture": samples()["jpeg"],
    }.items():
        yield Message(f"no HTTP: {name}", [data], response_due=False)
