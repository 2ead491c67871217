"""Every row gives a photo or a refusal: properties of the reading of requests as a whole."""

import base64
import json
import warnings
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.files.malformed import with_exif, with_profile
from tests.hostile.files.mutations import broken
from tests.hostile.files.parts import PNG_HEADER_END, chunk
from tests.hostile.files.samples import samples
from tests.hostile.rows.malformed import FIELDS
from tests.hostile.rows.random_rows import GOOD, PIECES
from u2net_cutout.contract.errors import CutoutError, InternalError
from u2net_cutout.contract.formats import CONTENT_TYPES, JSON_TYPE
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.accept import negotiate
from u2net_cutout.pipeline.body import BODY_FIELD
from u2net_cutout.pipeline.photo import load_photo

LIMITS = Limits(max_file_bytes=10**6, max_pixels=10**6, max_response_bytes=10**7)

NAMES = st.sampled_from(FIELDS) | st.text(max_size=8)
TEXTS = st.text(max_size=30) | st.sampled_from([*PIECES, *(v for vs in GOOD.values() for v in vs)])
FILES = st.builds(
    lambda rng, name: broken(rng, samples()[name], list(samples().values())),
    st.randoms(use_true_random=True),
    st.sampled_from(list(samples())),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Accept", "ACCEPT", "Content-Type", "content-type", "image", "Content-Length"]
    ),
    TEXTS
    | st.sampled_from([*CONTENT_TYPES.values(), JSON_TYPE, "text/plain", "*/*;q=nan", "100"])
    | st.sampled_from(["Multipart/Form-Data; boundary=b", "Multipart/Form-Data; boundary="])
    | st.just("application/x-www-form-urlencoded ;"),
)
# What a form that TorchServe does not take apart may be made of.
FORM_PIECES = st.sampled_from(
    [
        *(
            b"--b",
            b"--b--",
            b"\r\n",
            b"\r\n\r\n",
            b"\n",
            b": ",
            b";",
            b"=",
            b"&",
            b"%41",
            b"+",
            b'"',
        ),
        *(b"Content-Disposition: form-data; name=image", b"Content-Type: application/json", b"{}"),
    ]
)
EXPLAIN = st.booleans()


def answered(
    row: Mapping[str, Any], headers: Mapping[str, Any] | None = None, *, explain: bool = False
) -> None:
    """Read a row; anything but a photo or a refusal of its own ends the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what it mends
        try:
            photo = load_photo(row, headers or {"Host": "x"}, LIMITS, explain=explain)
        except InternalError:
            raise
        except CutoutError:
            return
    assert photo.image.mode in ("RGB", "RGBA")


@given(FILES, HEADERS, EXPLAIN)
def test_any_body(data: bytes, headers: dict[str, str], explain: bool) -> None:
    answered({BODY_FIELD: bytearray(data)}, headers, explain=explain)


@given(st.lists(FORM_PIECES | st.binary(max_size=5), max_size=20).map(b"".join), HEADERS)
def test_any_form_that_arrives_whole(data: bytes, headers: dict[str, str]) -> None:
    answered({BODY_FIELD: bytearray(data)}, headers)
    answered({BODY_FIELD: bytearray(data)}, {"Content-Type": "Multipart/Form-Data; boundary=b"})


@given(st.dictionaries(NAMES, st.binary(max_size=30) | TEXTS | FILES, max_size=6), HEADERS)
def test_any_form(fields: dict[str, Any], headers: dict[str, str]) -> None:
    answered(fields, headers)


@given(st.dictionaries(st.sampled_from(FIELDS[:11]), TEXTS, max_size=5))
def test_any_options_beside_a_sound_picture(options: dict[str, str]) -> None:
    fields = {name: text.encode(errors="surrogatepass") for name, text in options.items()}

    answered({"image": samples()["png"], **fields})


@given(JSON_VALUES)
def test_any_json_parsed_or_not(value: Any) -> None:
    answered({BODY_FIELD: value})
    answered({BODY_FIELD: json.dumps(value).encode()}, {"Content-Type": JSON_TYPE})


@given(st.binary(max_size=60))
def test_any_bytes_as_json_as_text_and_as_base64(data: bytes) -> None:
    answered({BODY_FIELD: data}, {"Content-Type": JSON_TYPE})
    answered({BODY_FIELD: data}, {"Content-Type": "text/plain"})
    answered({BODY_FIELD: {"data": base64.b64encode(data).decode()}})


@given(st.text(max_size=100) | st.lists(TEXTS, max_size=5).map(",".join))
def test_any_accept_header_prefers_an_offer_or_none(accept: str) -> None:
    offers = (*CONTENT_TYPES.values(), JSON_TYPE)

    assert negotiate(accept, offers) in (*offers, None)


@given(st.binary(max_size=400) | FILES)
def test_any_exif(exif: bytes) -> None:
    answered({BODY_FIELD: with_exif(exif)})


@given(st.binary(max_size=400) | FILES)
def test_any_profile(profile: bytes) -> None:
    answered({BODY_FIELD: with_profile(profile)})


@given(
    st.sampled_from([b"cICP", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"tRNS", b"eXIf", b"zTXt"]),
    st.binary(max_size=40),
)
def test_any_declaration_of_a_png(kind: bytes, data: bytes) -> None:
    png = samples()["png"]

    answered({BODY_FIELD: png[:PNG_HEADER_END] + chunk(kind, data) + png[PNG_HEADER_END:]})
