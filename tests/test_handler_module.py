from pathlib import Path

import pytest

from handler_module import HANDLER, HandlerError, checked_handler, modules_beside
from tests.conftest import ROOT


def test_the_handler_of_the_product_is_taken_and_does_not_travel_twice() -> None:
    assert checked_handler(HANDLER) == HANDLER
    assert HANDLER not in modules_beside(HANDLER)
    assert HANDLER not in modules_beside(Path("handler/u2net_handler.py").resolve())


def test_with_another_handler_the_products_travels_beside_it() -> None:
    example = ROOT / "docs" / "examples" / "blurred_background.py"

    assert HANDLER in modules_beside(checked_handler(example))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("mine.py", "from u2net_handler import U2Net\n", "no class"),
        ("mine.py", "class A: ...\nclass B: ...\n", "A, B"),
        ("mine.py", "class A(:\n", "no Python file"),
        ("photo.py", "class A: ...\n", "called like handler/photo.py"),
        ("u2net_handler.py", "class A: ...\n", "called like handler/u2net_handler.py"),
    ],
)
def test_what_torchserve_would_not_take_is_refused(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(HandlerError, match=why):
        checked_handler(tmp_path / name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HandlerError, match="can be read"):
        checked_handler(tmp_path / "mine.py")
