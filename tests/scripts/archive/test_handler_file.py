from pathlib import Path

import pytest

from scripts.archive.handler_file import HANDLER, HandlerError, archived_modules, checked_handler
from tests.conftest import ROOT


def test_the_handler_of_the_product_is_taken_and_does_not_travel_twice() -> None:
    assert checked_handler(HANDLER) == HANDLER
    assert HANDLER not in archived_modules(HANDLER).values()
    assert HANDLER not in archived_modules(Path("handler/u2net_handler.py")).values()


def test_with_another_handler_the_products_travels_beside_it() -> None:
    example = ROOT / "docs" / "examples" / "blurred_background.py"

    assert HANDLER in archived_modules(checked_handler(example)).values()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("mine.py", "from u2net_handler import U2Net\n", "no class"),
        ("mine.py", "class A: ...\nclass B: ...\n", "A, B"),
        ("mine.py", "class A(:\n", "can't be read as Python"),
        ("preprocessing.py", "class A: ...\n", r"the name of preprocessing\.py"),
        ("u2net_cutout.py", "class A: ...\n", "the name of u2net_cutout,"),
        ("u2net_handler.py", "class A: ...\n", "the name of handler/u2net_handler.py"),
    ],
)
def test_what_torchserve_would_not_take_is_refused(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(HandlerError, match=why):
        checked_handler(tmp_path / name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HandlerError, match="can't be read"):
        checked_handler(tmp_path / "mine.py")


def test_the_client_does_not_travel() -> None:
    places = archived_modules(HANDLER)

    assert "u2net_cutout/contract/errors.py" in places
    outside = tuple(f"u2net_cutout/{room}/" for room in ("cli", "client", "local"))
    assert not [place for place in places if place.startswith(outside)]
