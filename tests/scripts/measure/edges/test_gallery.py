"""The sheet that README.md shows, on pictures of one colour."""

from PIL import Image

from scripts.measure.edges.gallery import DARK, GAP, LIGHT, PAGE_COLOUR, TILE, sheet

RED, CLEAR = (200, 0, 0), (0, 0, 0, 0)


def test_rows_and_columns_are_tiles_with_gaps() -> None:
    page = sheet([[Image.new("RGB", (40, 30), RED)] * 3, [Image.new("RGBA", (9, 9), CLEAR)]])

    assert page.size == (3 * TILE[0] + 2 * GAP, 2 * TILE[1] + GAP)
    assert page.getpixel((5, 5)) == RED
    assert page.getpixel((TILE[0] + 1, 5)) == PAGE_COLOUR


def test_a_transparent_picture_lies_on_a_chessboard() -> None:
    page = sheet([[Image.new("RGBA", TILE, CLEAR)]])

    assert {colour for _, colour in page.getcolors() or ()} == {LIGHT, DARK}
