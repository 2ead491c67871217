"""Fuzz the reading of requests and pictures, guided by which code an input reaches (atheris).

Ends at the first input that gives anything but a picture or a refusal; libFuzzer writes it into the
folder of the corpus, as ``crash-...``. This command with its path runs it again.
"""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import atheris
import yaml

from scripts.common.options import OptionParser

with atheris.instrument_imports(include=["PIL"]):
    import PIL.Image

with atheris.instrument_imports():
    from tests.hostile.files.malformed import with_exif, with_profile
    from tests.hostile.files.parts import PNG_HEADER_END, chunk
    from tests.hostile.files.samples import samples
    from tests.hostile.rows.malformed import FIELDS, Row
    from u2net_cutout.contract.errors import CutoutError, InternalError
    from u2net_cutout.contract.formats import JSON_TYPE
    from u2net_cutout.contract.limits import Limits
    from u2net_cutout.pipeline.body import BODY_FIELD
    from u2net_cutout.pipeline.photo import load_photo

CONFIG = Path(__file__).resolve().parents[2] / "handler" / "model-config.yaml"
LONGEST = 16_384
# libFuzzer's limits of time and memory.
TIMEOUT_S, MEGABYTES = 20, 2500
COLOUR_CHUNKS = (b"cICP", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"tRNS", b"PLTE", b"eXIf", b"zTXt")


def row_of(data: bytes) -> Row:
    """Return the request that some bytes encode; the first byte is its kind."""
    kind, rest = data[:1] or b"\0", data[1:]
    return _KINDS[kind[0] % len(_KINDS)](rest)


def _picture(data: bytes) -> Row:
    return Row({BODY_FIELD: bytearray(data)})


def _exif(data: bytes) -> Row:
    return _picture(with_exif(data))


def _profile(data: bytes) -> Row:
    return _picture(with_profile(data))


def _chunk(data: bytes) -> Row:
    png, kind = samples()["png"], COLOUR_CHUNKS[(data[0] if data else 0) % len(COLOUR_CHUNKS)]
    return _picture(png[:PNG_HEADER_END] + chunk(kind, data[1:]) + png[PNG_HEADER_END:])


def _json(data: bytes) -> Row:
    return Row({BODY_FIELD: bytearray(data)}, {"Content-Type": JSON_TYPE})


def _text(data: bytes) -> Row:
    return Row({BODY_FIELD: bytearray(data)}, {"Content-Type": "text/plain"})


def _form(data: bytes) -> Row:
    fields: dict[str, Any] = {"image": samples()["png"]}
    for piece in data.split(b"\0"):
        name, value = FIELDS[(piece[0] if piece else 0) % len(FIELDS)], piece[1:]
        fields[name] = bytearray(value)
    return Row(fields)


def _headers(data: bytes) -> Row:
    accept, _, content_type = data.decode("latin-1").partition("\n")
    return Row({BODY_FIELD: samples()["png"]}, {"Accept": accept, "Content-Type": content_type})


_KINDS = (_picture, _exif, _profile, _chunk, _json, _text, _form, _headers)


def seeds() -> list[bytes]:
    """Return the first inputs: sound ones of every kind."""
    files = [b"\0" + data for data in samples().values()]
    texts = [b'\4{"data": "", "crop": true}', b"\5data:image/png;base64,iVBORw0KGgo="]
    texts += [b"\6\0png\0\1" + b"80", b"\7image/png;q=0.5, */*\napplication/json"]
    return files + texts


def fuzz(line: Sequence[str]) -> None:
    """Fuzz the reading of requests, guided by coverage."""
    parser = OptionParser("fuzz", "Fuzz the reading of requests, guided by coverage.")
    parser.take("build", "seconds", seed=1)
    parser.add_argument("repeat", type=Path, nargs="*", help="an input to run again, alone")
    arguments = parser.parse_args(line)
    limits = Limits.from_config(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    warnings.simplefilter("ignore")
    PIL.Image.init()

    def try_one(data: bytes) -> None:
        row = row_of(data)
        try:
            load_photo(row.fields, row.headers, limits, explain=False)
        except InternalError:
            raise
        except CutoutError:
            pass

    folder = arguments.build / "torture" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(data)
    options = [
        *(f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}"),
        *(f"-max_len={LONGEST}", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={MEGABYTES}"),
        *(f"-artifact_prefix={folder}/", "-print_final_stats=1"),
    ]
    inputs = [str(path) for path in arguments.repeat] or [str(folder)]
    atheris.Setup([sys.argv[0], *options, *inputs], try_one)
    atheris.Fuzz()
