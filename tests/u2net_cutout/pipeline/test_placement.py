import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from u2net_cutout.contract.option_values import Length, Margins, Position, Region
from u2net_cutout.contract.options import SIZES, CutoutOptions
from u2net_cutout.pipeline.placement import (
    SUBJECT_ALPHA,
    Box,
    Placement,
    Size,
    find_subject,
    place,
    region_box,
)

CANVAS: Size = (100, 60)
SUBJECT: Box = (20, 10, 50, 30)

PREVIEW = 250_000


def px(value: float) -> Length:
    return Length(value, "px")


def percent(value: float) -> Length:
    return Length(value, "%")


def numbered(size: Size) -> Image.Image:
    """Return an opaque picture with another colour in each pixel, as long as it is small."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    values = np.stack([columns % 256, rows % 256, columns // 256, np.full_like(rows, 255)], axis=2)
    return Image.fromarray(values.astype(np.uint8))


def pixels(picture: Image.Image) -> npt.NDArray[np.int32]:
    return np.asarray(picture, np.int32)


def test_a_subject_is_what_is_clearly_foreground() -> None:
    alpha = Image.new("L", (10, 8), SUBJECT_ALPHA - 1)
    alpha.paste(SUBJECT_ALPHA, (2, 3, 5, 7))

    assert find_subject(alpha) == (2, 3, 5, 7)


@pytest.mark.parametrize("level", [0, 1, SUBJECT_ALPHA - 1])
def test_haze_is_no_subject(level: int) -> None:
    assert find_subject(Image.new("L", (10, 8), level)) is None


def test_a_subject_is_at_least_one_eighth_opaque() -> None:
    alpha = Image.new("L", (10, 8))
    alpha.putpixel((3, 4), 32)
    assert 32 / 255 > 1 / 8 > 31 / 255
    assert find_subject(alpha) == (3, 4, 4, 5)

    alpha.putpixel((3, 4), 31)
    assert find_subject(alpha) is None


def test_a_subject_may_be_one_pixel_or_all() -> None:
    single = Image.new("L", (10, 8))
    single.putpixel((9, 7), 255)

    assert find_subject(single) == (9, 7, 10, 8)
    assert find_subject(Image.new("L", (10, 8), 255)) == (0, 0, 10, 8)


@pytest.mark.parametrize(
    ("region", "box"),
    [
        (Region(percent(0), percent(0), percent(100), percent(100)), (0, 0, 100, 60)),
        (Region(px(5), percent(50), px(900), px(900)), (5, 30, 100, 60)),
        (Region(px(500), px(0), px(900), px(10)), (100, 0, 100, 10)),
        (Region(px(50), px(0), px(10), px(10)), (50, 0, 10, 10)),
    ],
    ids=["all", "beyond", "outside", "reversed"],
)
def test_a_region_is_cut_to_the_picture(region: Region, box: Box) -> None:
    assert region_box(region, CANVAS) == box


@pytest.mark.parametrize("subject", [None, SUBJECT])
@pytest.mark.parametrize("limit", [None, PREVIEW])
def test_a_cutout_of_which_nothing_is_asked_stays_itself(
    subject: Box | None, limit: int | None
) -> None:
    cutout = numbered(CANVAS)

    assert place(CANVAS, subject, CutoutOptions(size=limit)).apply(cutout) is cutout


def test_a_crop_is_the_subjects_box_with_the_colours_that_are_hidden_there() -> None:
    cutout = numbered(CANVAS)
    cutout.putalpha(Image.linear_gradient("L").resize(CANVAS).point(lambda level: 2 * level - 255))

    cropped = place(CANVAS, SUBJECT, CutoutOptions(crop=True)).apply(cutout)

    assert cropped.tobytes() == cutout.crop(SUBJECT).tobytes()


# The subject is 30 wide and 20 high.
@pytest.mark.parametrize(
    ("margins", "window"),
    [
        (Margins(px(5), px(5), px(5), px(5)), (15, 5, 55, 35)),
        (Margins(px(1), px(2), px(3), px(4)), (16, 9, 52, 33)),
        (Margins(percent(10), percent(10), percent(10), percent(10)), (17, 8, 53, 32)),
        (Margins(percent(50), px(0), px(0), percent(50)), (5, 0, 50, 30)),
        (Margins(px(500), px(500), px(500), px(500)), (-480, -490, 550, 530)),
        (Margins(px(0), px(0), px(0), px(60)), (-40, 10, 50, 30)),
    ],
    ids=["px", "each its own", "percent", "mixed", "beyond all sides", "beyond one side"],
)
def test_margins_are_kept_around_a_crop_and_are_transparent_beyond_the_picture(
    margins: Margins, window: Box
) -> None:
    cutout = numbered(CANVAS)

    cropped = place(CANVAS, SUBJECT, CutoutOptions(crop=True, crop_margin=margins)).apply(cutout)

    # Pillow's crop fills what is outside with transparent black.
    assert cropped.size == (window[2] - window[0], window[3] - window[1])
    assert cropped.tobytes() == cutout.crop(window).tobytes()


@pytest.mark.parametrize(
    ("position", "left", "top"),
    [
        (Position(0, 0), 0, 0),
        (Position(1, 1), 70, 40),
        (Position(0.5, 0.5), 35, 20),
        (Position(0, 1), 0, 40),
        (Position(0.1, 0.25), 7, 10),
    ],
)
def test_a_position_moves_the_subject_and_nothing_else(
    position: Position, left: int, top: int
) -> None:
    cutout = numbered(CANVAS)

    moved = place(CANVAS, SUBJECT, CutoutOptions(position=position)).apply(cutout)

    expected = Image.new("RGBA", CANVAS)
    expected.paste(cutout.crop(SUBJECT), (left, top))
    assert moved.tobytes() == expected.tobytes()


@given(
    subject=st.tuples(
        st.integers(0, 49), st.integers(0, 29), st.integers(1, 50), st.integers(1, 30)
    ),
    across=st.floats(0, 1),
    down=st.floats(0, 1),
)
def test_moving_never_resamples(
    subject: tuple[int, int, int, int], across: float, down: float
) -> None:
    left, top, width, height = subject
    options = CutoutOptions(position=Position(across, down))

    placement = place(CANVAS, (left, top, left + width, top + height), options)

    target = placement.target
    assert (target[2] - target[0], target[3] - target[1]) == (width, height)
    assert_inside(target, CANVAS)


@pytest.mark.parametrize(
    ("scale", "target"),
    [(1.0, (5, 0, 95, 60)), (0.5, (28, 15, 73, 45)), (0.1, (46, 27, 55, 33))],
)
def test_a_scale_is_the_share_of_the_canvas_that_the_subject_fills(
    scale: float, target: Box
) -> None:
    placement = place(CANVAS, SUBJECT, CutoutOptions(scale=scale))

    assert (placement.source, placement.canvas) == (SUBJECT, CANVAS)
    assert placement.target == target


def test_a_scaled_subject_lies_where_the_position_says() -> None:
    options = CutoutOptions(scale=0.5, position=Position(1, 0))

    assert place(CANVAS, SUBJECT, options).target == (55, 0, 100, 30)


def test_a_scale_fills_the_cropped_canvas() -> None:
    margins = Margins(px(10), px(10), px(10), px(10))
    options = CutoutOptions(crop=True, crop_margin=margins, scale=1.0)

    placement = place(CANVAS, SUBJECT, options)

    assert (placement.source, placement.canvas) == (SUBJECT, (50, 40))
    assert placement.target == (0, 3, 50, 36)


@pytest.mark.parametrize("options", [CutoutOptions(crop=True), CutoutOptions(scale=0.5)])
def test_without_a_subject_the_cutout_stays_where_it_is(options: CutoutOptions) -> None:
    assert place(CANVAS, None, options) == Placement((0, 0, *CANVAS), (0, 0, *CANVAS), CANVAS)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1000, 1000), (500, 500)),
        ((2000, 500), (1000, 250)),
        ((500, 500), (500, 500)),
        ((501, 500), (500, 499)),
        ((10, 10), (10, 10)),
        ((1, 300_000), (1, 250_000)),
        ((300_000, 1), (250_000, 1)),
        # Twelve thirteenths, to be rounded down.
        ((707, 409), (657, 380)),
        ((1500, 1500), (500, 500)),
    ],
)
def test_a_limit_shrinks_to_what_fits_and_never_enlarges(size: Size, expected: Size) -> None:
    canvas = place(size, None, CutoutOptions(size=PREVIEW)).canvas

    assert canvas == expected
    assert {type(side) for side in canvas} == {int}


lengths = st.builds(Length, st.floats(0, 50), st.sampled_from(["px", "%"]))
shares = st.none() | st.floats(0.1, 1)
all_options = st.builds(
    CutoutOptions,
    size=st.sampled_from(sorted({pixels for pixels in SIZES.values() if pixels})),
    crop=st.booleans(),
    crop_margin=st.none() | st.builds(Margins, lengths, lengths, lengths, lengths),
    scale=shares,
    position=st.none() | st.builds(Position, st.floats(0, 1), st.floats(0, 1)),
)
sides = st.integers(1, 20_000)


@given(size=st.tuples(sides, sides), corner=st.tuples(sides, sides), options=all_options)
def test_no_placement_leaves_its_canvas_its_picture_or_its_limit(
    size: Size, corner: Size, options: CutoutOptions
) -> None:
    width, height = size
    subject = (corner[0] % width, corner[1] % height, width, height)

    placement = place(size, subject, options)

    assert_inside(placement.source, size)
    assert_inside(placement.target, placement.canvas)
    assert placement.canvas[0] * placement.canvas[1] <= (options.size or 0)


def assert_inside(box: Box, size: Size) -> None:
    left, top, right, bottom = box
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


def test_a_smaller_cutout_keeps_its_look() -> None:
    cutout = Image.linear_gradient("L").resize((1000, 1000)).convert("RGBA")

    smaller = place(cutout.size, None, CutoutOptions(size=PREVIEW)).apply(cutout)

    assert smaller.size == (500, 500)
    assert np.abs(pixels(smaller) - pixels(cutout.reduce(2))).max() <= 2


@pytest.mark.parametrize(
    "options",
    [
        CutoutOptions(size=PREVIEW),
        CutoutOptions(scale=0.3),
        CutoutOptions(scale=1.0),
        CutoutOptions(crop=True, scale=0.7, position=Position(0, 0.3)),
    ],
    ids=["smaller", "scaled down", "scaled up", "cropped and scaled"],
)
def test_hidden_colours_never_bleed_when_resized(options: CutoutOptions) -> None:
    cutout = Image.new("RGBA", (900, 700), (255, 0, 0, 0))
    cutout.paste((0, 0, 255, 255), (311, 203, 622, 404))

    placed = pixels(place(cutout.size, (300, 190, 640, 420), options).apply(cutout))

    seen = placed[..., 3] > 0
    assert seen.any()
    assert (placed[seen][:, :2] == 0).all()
    assert placed[..., 2][placed[..., 3] > 127].min() >= 250


def test_placing_leaves_the_cutout_alone() -> None:
    cutout = numbered(CANVAS)
    before = cutout.tobytes()

    place(CANVAS, SUBJECT, CutoutOptions(crop=True, scale=0.5)).apply(cutout)

    assert cutout.tobytes() == before


WHOLE: Box = (0, 0, *CANVAS)


@pytest.mark.parametrize(
    ("subject", "options", "size"),
    [
        # Parts that are enlarged to the whole picture.
        ((20, 12, 70, 42), CutoutOptions(scale=1.0), CANVAS),
        ((0, 0, 50, 30), CutoutOptions(scale=1.0), CANVAS),
        # All of it, made smaller on its own canvas, or larger on a larger one.
        (WHOLE, CutoutOptions(scale=0.5), (50, 30)),
        (
            WHOLE,
            CutoutOptions(crop=True, crop_margin=Margins(*[percent(10)] * 4), scale=1.0),
            (120, 72),
        ),
    ],
)
def test_what_is_scaled_is_resampled_and_nothing_else(
    subject: Box, options: CutoutOptions, size: Size
) -> None:
    cutout = numbered(CANVAS)

    placement = place(CANVAS, subject, options)
    placed = placement.apply(cutout)

    resized = cutout.resize(size, Image.Resampling.BICUBIC, box=subject)
    assert placed.size == placement.canvas
    assert placed.crop(placement.target).tobytes() == resized.tobytes()


@pytest.mark.parametrize(
    ("subject", "target"), [((5, 0, 6, 60), (50, 27, 51, 33)), ((0, 5, 100, 6), (45, 30, 55, 31))]
)
def test_a_thin_subject_is_a_pixel_thin_at_least(subject: Box, target: Box) -> None:
    assert place(CANVAS, subject, CutoutOptions(scale=0.1)).target == target


def test_a_subject_in_the_corner_stays_inside() -> None:
    # 33.3 x 20 pixels, rounded to 33 x 20.
    options = CutoutOptions(scale=1 / 3, position=Position(1, 1))

    assert place(CANVAS, WHOLE, options).target == (67, 40, 100, 60)
