import json
import math
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from tests.conftest import ROOT
from u2net_cutout.contract.errors import CutoutError, ResponseTooLarge, UnknownForeground
from u2net_cutout.contract.limits import Limits
from u2net_cutout.contract.options import OPTIONS, UNSUPPORTED, Edges
from u2net_cutout.imaging.compositing import cover
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.matting.alpha import alpha_matte
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline.photo import load_photo
from u2net_cutout.pipeline.rendering import MAX_EDGE_PIXELS, Rendering, render
from u2net_cutout.pipeline.response import CutoutStats, Response, picture_response

SIZE = (64, 48)
U2NET = VARIANTS["u2net"]
SUBJECT = (16, 12, 48, 36)
NOTHING = torch.zeros(48, 64)
LIMITS = Limits(max_file_bytes=10**6, max_pixels=10**6, max_response_bytes=10**7)
HTTP = {"Host": "localhost"}
RED = (255, 0, 0)


def encoded(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def rendered(picture: Image.Image, saliency: Tensor, **options: str | bytes) -> Rendering:
    """Return what a client gets who sends a picture with these options."""
    row: dict[str, object] = {"image": encoded(picture), **options}
    return render(load_photo(row, HTTP, LIMITS, explain=False), saliency, U2NET)


def alpha_of(rendering: Rendering) -> npt.NDArray[np.int32]:
    return np.asarray(rendering.picture.getchannel("A"), np.int32)


def colours_of(picture: Image.Image) -> npt.NDArray[np.int32]:
    return np.asarray(picture.convert("RGB"), np.int32)


@pytest.mark.parametrize(("explain", "kept"), [(True, True), (False, False)])
def test_only_an_explanation_keeps_the_photo_itself(explain: bool, kept: bool, box: Tensor) -> None:
    options = {} if explain else {"edges": "plain"}
    row: dict[str, object] = {"image": encoded(Image.new("RGB", SIZE, RED)), **options}
    photo = load_photo(row, HTTP, LIMITS, explain=explain)

    render(photo, box, U2NET)

    assert (photo.image.mode == "RGB") is kept


@pytest.fixture(scope="module")
def box() -> Tensor:
    """A sharp box of saliency, as large as the picture."""
    saliency = NOTHING.clone()
    saliency[12:36, 16:48] = 1
    return saliency


@pytest.fixture(scope="module")
def disc() -> Tensor:
    """A disc whose edge is some pixels wide."""
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    return ((20 - torch.hypot(rows - 24, columns - 32)) / 6).clamp(0, 1)


@pytest.fixture(scope="module")
def picture(photos: list[Image.Image]) -> Image.Image:
    """A small photo."""
    return photos[0].resize(SIZE)


def test_without_options_a_cutout_is_the_photo_with_its_matte(
    picture: Image.Image, box: Tensor
) -> None:
    rendering = rendered(picture, box)

    assert (rendering.picture.mode, rendering.picture.size) == ("RGBA", SIZE)
    assert np.array_equal(alpha_of(rendering), (box * 255).int().numpy())
    assert rendering.subject == SUBJECT
    assert rendering.coverage == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["u2net", "isnet"])
def test_the_mask_is_brought_to_the_pictures_size_as_its_authors_do(
    picture: Image.Image, name: str
) -> None:
    saliency = torch.rand(200, 200, generator=torch.Generator().manual_seed(0))
    row: dict[str, object] = {"image": encoded(picture), "edges": "plain"}
    photo = load_photo(row, HTTP, LIMITS, explain=False)

    alpha = alpha_of(render(photo, saliency, VARIANTS[name]))

    mattes = {
        each: np.asarray(alpha_matte(saliency, SIZE, rounded_last=each == "isnet"))
        for each in ("u2net", "isnet")
    }
    assert np.array_equal(alpha, mattes[name])
    assert not np.array_equal(mattes["u2net"], mattes["isnet"])


def test_plain_edges_leave_all_colours_untouched(picture: Image.Image, disc: Tensor) -> None:
    rendering = rendered(picture, disc, edges="plain")

    assert np.array_equal(colours_of(rendering.picture), colours_of(picture))


def test_matte_edges_change_the_edge_only(picture: Image.Image, disc: Tensor) -> None:
    rendering = rendered(picture, disc)

    alpha = alpha_of(rendering)
    changed = (colours_of(rendering.picture) != colours_of(picture)).any(axis=2)
    assert changed.any()
    assert not changed[(alpha == 0) | (alpha == 255)].any()


def test_matte_and_plain_edges_have_the_same_alpha(picture: Image.Image, disc: Tensor) -> None:
    matte, plain = (rendered(picture, disc, edges=edges) for edges in ("matte", "plain"))

    assert np.array_equal(alpha_of(matte), alpha_of(plain))


@pytest.mark.parametrize("edges", ["matte", "plain"])
def test_a_pictures_own_transparency_multiplies(
    picture: Image.Image, disc: Tensor, edges: str
) -> None:
    half = picture.convert("RGBA")
    half.putalpha(128)

    own, without = (rendered(sent, disc, edges=edges) for sent in (half, picture))

    assert np.abs(alpha_of(own) - alpha_of(without) * 128 / 255).max() <= 1
    assert np.array_equal(colours_of(own.picture), colours_of(without.picture))


def test_what_a_picture_hides_itself_changes_nothing_that_is_seen(
    picture: Image.Image, disc: Tensor
) -> None:
    own = Image.new("L", picture.size, 255)
    own.paste(0, (0, 0, picture.width // 2, picture.height))
    cutouts = []
    for hidden in ("black", "lime"):
        photo = Image.composite(picture, Image.new("RGB", picture.size, hidden), own)
        photo.putalpha(own)
        cutouts.append(rendered(photo, disc))

    seen = alpha_of(cutouts[0]) > 0
    first, second = (colours_of(cutout.picture) for cutout in cutouts)
    assert np.array_equal(first[seen], second[seen])


def test_a_region_leaves_the_colours_inside_as_they_are_without_it(
    picture: Image.Image, disc: Tensor
) -> None:
    cut, whole = rendered(picture, disc, roi="0% 0% 50% 100%"), rendered(picture, disc)

    seen = alpha_of(cut) > 0
    assert np.array_equal(colours_of(cut.picture)[seen], colours_of(whole.picture)[seen])


def test_only_a_region_can_be_foreground(picture: Image.Image, box: Tensor) -> None:
    rendering = rendered(picture, box, roi="0 0 50% 25px")

    assert rendering.subject == (16, 12, 32, 25)
    assert rendering.coverage == pytest.approx(16 * 13 / (64 * 48))
    assert np.count_nonzero(alpha_of(rendering)) == 16 * 13


def test_a_region_of_all_changes_nothing(picture: Image.Image, disc: Tensor) -> None:
    whole = rendered(picture, disc, roi="0 0 100% 100%")

    assert whole == rendered(picture, disc)


def test_a_crop_follows_the_region(picture: Image.Image, box: Tensor) -> None:
    rendering = rendered(picture, box, roi="0 0 50% 25px", crop="true")

    assert (rendering.picture.size, rendering.subject) == ((16, 13), (0, 0, 16, 13))


def test_the_matte_alone_is_the_cutouts_alpha(picture: Image.Image, disc: Tensor) -> None:
    options = {"crop": "true", "crop_margin": "3px"}

    matte = rendered(picture, disc, channels="alpha", **options)

    whole = rendered(picture, disc, **options)
    assert matte.picture.mode == "L"
    assert matte.picture.tobytes() == whole.picture.getchannel("A").tobytes()
    assert (matte.subject, matte.coverage) == (whole.subject, whole.coverage)


def test_haze_does_not_defeat_a_crop(picture: Image.Image, box: Tensor) -> None:
    hazy = box.clone()
    # At 31 of 255; elsewhere there is nothing.
    hazy[:, ::2] = torch.maximum(hazy[:, ::2], torch.tensor(31.5 / 255))

    rendering = rendered(picture, hazy, crop="true")

    assert (rendering.picture.size, rendering.subject) == ((32, 24), (0, 0, 32, 24))


@pytest.mark.parametrize(
    ("margin", "subject", "size"),
    [
        ("0", (0, 0, 32, 24), (32, 24)),
        ("5px", (5, 5, 37, 29), (42, 34)),
        ("1px 2px 3px 4px", (4, 1, 36, 25), (38, 28)),
        ("50%", (16, 12, 48, 36), (64, 48)),
        ("100px 20px", (20, 100, 52, 124), (72, 224)),
    ],
)
def test_the_subject_lies_in_a_crop_as_far_from_its_sides_as_the_margins_say(
    picture: Image.Image,
    box: Tensor,
    margin: str,
    subject: tuple[int, int, int, int],
    size: tuple[int, int],
) -> None:
    rendering = rendered(picture, box, crop="true", crop_margin=margin)

    assert (rendering.picture.size, rendering.subject) == (size, subject)


def test_margins_beyond_the_picture_are_transparent(picture: Image.Image, box: Tensor) -> None:
    rendering = rendered(picture, box, crop="true", crop_margin="100px")

    left, top, right, bottom = rendering.subject or (0, 0, 0, 0)
    alpha = alpha_of(rendering)
    assert (alpha[top:bottom, left:right] == 255).all()
    assert np.count_nonzero(alpha) == 32 * 24


def test_margins_that_make_a_gigantic_canvas_are_refused(disc: Tensor) -> None:
    long = Image.new("RGB", (2, 4000), "red")

    with pytest.raises(ResponseTooLarge, match="smaller margins"):
        rendered(long, disc, crop="true", crop_margin="500px")


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"position": "0%"}, (0, 0, 32, 24)),
        ({"position": "center"}, SUBJECT),
        ({"position": "100% 0%"}, (32, 0, 64, 24)),
        ({"scale": "100%"}, (0, 0, 64, 48)),
        ({"scale": "25%"}, (24, 18, 40, 30)),
        ({"scale": "25%", "position": "0% 100%"}, (0, 36, 16, 48)),
    ],
)
def test_the_subjects_box_follows_scale_and_position(
    picture: Image.Image,
    box: Tensor,
    options: dict[str, str],
    subject: tuple[int, int, int, int],
) -> None:
    rendering = rendered(picture, box, **options)

    assert (rendering.picture.size, rendering.subject) == (SIZE, subject)
    assert rendering.coverage == pytest.approx(0.25)


@pytest.mark.parametrize("size", ["preview", "small", "regular"])
def test_a_size_is_never_exceeded_and_the_subjects_box_follows(box: Tensor, size: str) -> None:
    rendering = rendered(Image.new("RGB", (1000, 750)), box, size=size, edges="plain")

    width, height = rendering.picture.size
    assert 249_000 <= width * height <= 250_000
    expected = (width / 4, height / 4, width * 3 / 4, height * 3 / 4)
    # The matte is stretched, so that its edge is some pixels wide.
    assert rendering.subject == pytest.approx(expected, abs=10)


@pytest.mark.parametrize("size", ["auto", "full", "preview", "50MP"])
def test_a_size_never_enlarges(picture: Image.Image, box: Tensor, size: str) -> None:
    assert rendered(picture, box, size=size).picture.size == SIZE


@pytest.mark.parametrize(
    "options",
    [
        {"crop": "true"},
        {"scale": "50%"},
        {"position": "center"},
        {"crop": "true", "bg_color": "red"},
    ],
    ids=str,
)
def test_what_needs_a_subject_is_refused_without_one(
    picture: Image.Image, options: dict[str, str]
) -> None:
    with pytest.raises(UnknownForeground):
        rendered(picture, NOTHING, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": "preview"},
        {"roi": "0 0 50% 50%"},
        {"bg_color": "red"},
        {"channels": "alpha"},
        {"crop": "false"},
        {"scale": "original", "position": "original"},
    ],
    ids=str,
)
def test_what_needs_no_subject_is_answered_without_one(
    picture: Image.Image, options: dict[str, str]
) -> None:
    rendering = rendered(picture, NOTHING, **options)

    assert (rendering.subject, rendering.coverage) == (None, 0)


def test_a_subject_outside_of_the_region_is_none(picture: Image.Image, box: Tensor) -> None:
    with pytest.raises(UnknownForeground):
        rendered(picture, box, roi="0 0 10px 10px", crop="true")


@pytest.mark.parametrize(
    ("text", "colour"),
    [("red", (*RED, 255)), ("f00", (*RED, 255)), ("ff000080", (*RED, 128)), ("0000", (0, 0, 0, 0))],
)
def test_a_cutout_lies_on_a_colour(
    picture: Image.Image, box: Tensor, text: str, colour: tuple[int, int, int, int]
) -> None:
    rendering = rendered(picture, box, bg_color=text)

    assert rendering.picture.getpixel((0, 0)) == colour
    inside = rendering.picture.crop(SUBJECT)
    assert inside.tobytes() == picture.crop(SUBJECT).convert("RGBA").tobytes()
    assert rendering.subject == SUBJECT


def test_the_edge_is_mixed_with_the_colour_that_it_lies_on(disc: Tensor) -> None:
    rendering = rendered(Image.new("RGB", SIZE), disc, bg_color="white")

    alpha = (disc * 255).int().numpy()
    assert np.abs(colours_of(rendering.picture)[..., 0] - (255 - alpha)).max() <= 1


def test_a_cutout_lies_on_a_picture_that_covers_it(
    picture: Image.Image, box: Tensor, photos: list[Image.Image]
) -> None:
    background = photos[1].resize((100, 30))

    rendering = rendered(picture, box, bg_image_file=encoded(background))

    expected = cover(background, SIZE)
    expected.paste(picture.crop(SUBJECT), SUBJECT)
    assert rendering.picture.tobytes() == expected.tobytes()


def test_a_background_fills_the_margins_of_a_crop(picture: Image.Image, box: Tensor) -> None:
    rendering = rendered(picture, box, crop="true", crop_margin="100px", bg_color="red")

    assert rendering.picture.size == (232, 224)
    assert rendering.picture.getpixel((231, 223)) == (*RED, 255)
    assert rendering.subject == (100, 100, 132, 124)


@pytest.mark.parametrize(
    "options",
    [
        {"crop": "true"},
        {"scale": "77%"},
        {"scale": "30%", "position": "0%"},
        {"crop": "true", "crop_margin": "7px", "scale": "60%"},
    ],
    ids=str,
)
@pytest.mark.parametrize("edges", ["matte", "plain"])
def test_the_hidden_background_never_bleeds(
    box: Tensor, options: dict[str, str], edges: str
) -> None:
    picture = Image.new("RGB", SIZE, "red")
    picture.paste((0, 0, 255), SUBJECT)

    rendering = rendered(picture, box, edges=edges, **options)

    seen = alpha_of(rendering) > 0
    assert colours_of(rendering.picture)[seen][:, 0].max() == 0


def answered(
    fields: Mapping[str, object], headers: Mapping[str, object], saliency: Tensor
) -> Response | CutoutError:
    """Answer a request as the handler does between TorchServe and the network."""
    try:
        photo = load_photo(fields, headers, LIMITS, explain=False)
        rendering = render(photo, saliency, U2NET)
        stats = CutoutStats(rendering.subject, rendering.coverage, 0.5)
        return picture_response(rendering.picture, stats, photo.request, LIMITS.max_response_bytes)
    except CutoutError as error:
        return error


# What some option takes, and what none does.
words = st.sampled_from(
    [
        *("png", "webp", "zip", "auto", "90", "lossless", "alpha", "preview", "true", "0", "5px"),
        *("500px", "10%", "50%", "100%", "original", "center", "f00", "81d4fa77", "plain"),
        *("person", "501px", "-1px", "nan", "\x00", "é"),
    ]
)
texts = st.lists(words, min_size=1, max_size=4).map(" ".join) | st.text(max_size=8)
values = texts | texts.map(str.encode) | st.booleans() | st.integers() | st.none() | st.floats()
names = st.sampled_from([*(option.name for option in OPTIONS), *UNSUPPORTED]) | st.text(max_size=5)
sensible = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from(["rgba", "png", "webp", "jpg", "zip", "auto"]),
        "quality": st.sampled_from(["1", "100", "lossless"]),
        "channels": st.sampled_from(["rgba", "alpha"]),
        "size": st.sampled_from(["full", "preview"]),
        "crop": st.sampled_from(["true", "true", "false"]),
        "crop_margin": st.sampled_from(["0", "3px", "50%", "1px 2% 30px 4%", "500px 0"]),
        "scale": st.sampled_from(["original", "10%", "33.3%", "100%"]),
        "position": st.sampled_from(["original", "center", "0%", "100% 0%", "33% 66%"]),
        "roi": st.sampled_from(["0 0 100% 100%", "1px 1px 3px 3px", "10% 50% 90% 100%"]),
        "bg_color": st.sampled_from(["red", "0000", "12345678"]),
        "edges": st.sampled_from([edges.value for edges in Edges]),
    },
)
options = sensible | st.dictionaries(names, values, max_size=3)
accepts = st.sampled_from(
    ["", "*/*", "image/png", "image/jpeg", "application/zip", "application/json", "text/html"]
)
sides = st.integers(1, 12)


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """Draw a tiny picture, once in a while one that none can read."""
    mode = draw(st.sampled_from(["RGB", "RGBA", "L", "LA", "P", "1"]))
    size = draw(st.tuples(sides, sides))
    rows, seed = size[1] * size[0] * 4, draw(st.integers(0, 2**16))
    noise = np.random.default_rng(seed).integers(0, 256, rows, np.uint8)
    data = encoded(Image.frombytes("RGBA", size, noise.tobytes()).convert(mode))
    return data[: draw(st.sampled_from([len(data)] * 9 + [len(data) // 2]))]


@st.composite
def saliencies(draw: st.DrawFn) -> Tensor:
    """Draw the network's map of a picture: nothing, everything, or a noisy blob of some size."""
    seed, threshold = draw(st.integers(0, 2**16)), draw(st.sampled_from([0, 0.5, 0.9, 0.999, 2]))
    noise = torch.rand(8, 8, generator=torch.Generator().manual_seed(seed))
    return noise * (noise >= threshold)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    picture=pictures(),
    background=st.none() | pictures(),
    asked=options,
    accept=accepts,
    saliency=saliencies(),
)
def test_whatever_is_asked_there_is_an_answer_or_a_refusal(
    picture: bytes,
    background: bytes | None,
    asked: Mapping[str, object],
    accept: str,
    saliency: Tensor,
) -> None:
    fields = {"image": picture, **asked}
    if background is not None:
        fields["bg_image_file"] = background

    outcome = answered(fields, {"Accept": accept}, saliency)

    if isinstance(outcome, CutoutError):
        assert 400 <= outcome.status < 500
    else:
        assert_consistent(outcome)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(picture=pictures(), asked=sensible, saliency=saliencies())
def test_raw_png_and_lossless_webp_show_the_same(
    picture: bytes, asked: dict[str, object], saliency: Tensor
) -> None:
    asked = {"image": picture, **asked, "channels": "rgba"}
    asked.pop("quality", None)

    raw, png, webp = (
        answered(asked | {"format": name}, HTTP, saliency) for name in ("rgba", "png", "webp")
    )

    if isinstance(raw, CutoutError):
        assert {type(png), type(webp)} == {type(raw)}
    else:
        assert isinstance(png, Response)
        assert isinstance(webp, Response)
        size = int(raw.headers["X-Height"]), int(raw.headers["X-Width"])
        pixels = np.frombuffer(raw.body, np.uint8).reshape(*size, 4)
        seen = pixels[..., 3] > 0
        for answer in (png, webp):
            assert answer.headers == raw.headers
            shown = np.asarray(decode_image(answer.body, LIMITS).convert("RGBA"))
            assert np.array_equal(shown[..., 3], pixels[..., 3])
            assert np.array_equal(shown[seen], pixels[seen])


def assert_consistent(answer: Response) -> None:
    """Check that an answer's head tells the truth of its body."""
    assert answer.status == 200
    head = {name: int(value) for name, value in answer.headers.items()}
    width, height = head["X-Width"], head["X-Height"]
    assert 0 <= head["X-Foreground-Left"] <= width - head["X-Foreground-Width"]
    assert 0 <= head["X-Foreground-Top"] <= height - head["X-Foreground-Height"]
    if answer.content_type.startswith("image/"):
        picture = Image.open(BytesIO(answer.body))
        picture.load()
        assert (picture.get_format_mimetype(), picture.size) == (
            answer.content_type,
            (width, height),
        )
    elif answer.content_type == "application/json":
        data = json.loads(answer.body)["data"]
        assert (data["width"], data["height"]) == (width, height)
        assert math.isfinite(data["coverage"])
    elif answer.content_type == "application/octet-stream":
        assert len(answer.body) in (width * height, 4 * width * height)


def test_margins_may_fill_the_limit_itself(box: Tensor) -> None:
    # A subject of 32 x 24 with 10 pixels on each side.
    row = {"image": encoded(Image.new("RGB", SIZE, RED)), "crop": "true", "crop_margin": "10px"}
    photo = load_photo(row, HTTP, LIMITS, explain=False)

    fitting = render(replace(photo, max_pixels=52 * 44), box, U2NET)
    with pytest.raises(ResponseTooLarge, match="have 2288 pixels; the limit is 2287"):
        render(replace(photo, max_pixels=52 * 44 - 1), box, U2NET)

    assert fitting.picture.size == (52, 44)


@pytest.mark.parametrize(("edges", "channels"), [("matte", "RGB"), ("refined", "A")])
def test_a_matte_that_is_soft_all_over_is_left_alone_beyond_the_limit(
    picture: Image.Image, disc: Tensor, monkeypatch: pytest.MonkeyPatch, edges: str, channels: str
) -> None:
    levels = (disc * 255).int()
    soft = int(((levels > 0) & (levels < 255)).sum())

    def seen(edges: str) -> list[bytes]:
        cutout = rendered(picture, disc, edges=edges).picture
        return [cutout.getchannel(each).tobytes() for each in channels]

    plain = seen("plain")
    for most, mended in ((soft + 1, True), (soft, True), (soft - 1, False)):
        monkeypatch.setattr("u2net_cutout.pipeline.rendering.MAX_EDGE_PIXELS", most)
        assert (seen(edges) != plain) == mended


def test_the_limit_of_half_transparent_pixels_is_the_documented_one() -> None:
    assert MAX_EDGE_PIXELS == 8_000_000
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert "more than 8 million half-transparent pixels" in text


@pytest.mark.parametrize(("most", "mended"), [(2, True), (1, False)])
def test_only_what_is_neither_opaque_nor_transparent_is_half_transparent(
    picture: Image.Image,
    box: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    mended: bool,
) -> None:
    monkeypatch.setattr("u2net_cutout.pipeline.rendering.MAX_EDGE_PIXELS", most)
    called: list[int] = []

    def decontaminate(seen: Image.Image, alpha: Image.Image, cells: int) -> Image.Image:
        called.append(cells)
        return Image.merge("RGBA", (*seen.split(), alpha))

    monkeypatch.setattr("u2net_cutout.pipeline.rendering.decontaminate", decontaminate)
    saliency = box.clone()
    saliency[0, 0], saliency[20, 20] = 1.5 / 255, 254.5 / 255

    alpha = alpha_of(rendered(picture, saliency))

    assert (alpha[0, 0], alpha[20, 20], called) == (1, 254, [320] if mended else [])


@pytest.mark.parametrize(("explain", "fields"), [(True, {}), (False, {"channels": "alpha"})])
def test_where_nobody_sees_the_colours_none_are_estimated(
    picture: Image.Image,
    disc: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    explain: bool,
    fields: dict[str, object],
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("estimated")

    monkeypatch.setattr("u2net_cutout.pipeline.rendering.decontaminate", never)
    photo = load_photo({"image": encoded(picture), **fields}, HTTP, LIMITS, explain=explain)

    assert render(photo, disc, U2NET).subject


def test_coverage_counts_half_transparent_pixels_half(picture: Image.Image) -> None:
    saliency = torch.zeros(48, 64)
    saliency[:3, :5], saliency[10:12, 20:27] = 1, 128.5 / 255

    rendering = rendered(picture, saliency, edges="plain")

    assert rendering.coverage == pytest.approx((15 + 14 * 128 / 255) / (48 * 64))


@pytest.mark.parametrize("edges", ["matte", "refined"])
def test_a_pixel_that_a_picture_hides_is_white_and_any_other_its_own(
    disc: Tensor, monkeypatch: pytest.MonkeyPatch, edges: str
) -> None:
    seen: list[Image.Image] = []

    def note(photo: Image.Image, alpha: Image.Image, _: int) -> Image.Image:
        seen.append(photo)
        return alpha if edges == "refined" else Image.merge("RGBA", (*photo.split(), alpha))

    name = "refine" if edges == "refined" else "decontaminate"
    monkeypatch.setattr(f"u2net_cutout.pipeline.rendering.{name}", note)
    photo = Image.new("RGBA", SIZE, (10, 20, 30, 255))
    photo.putpixel((0, 0), (10, 20, 30, 0))
    photo.putpixel((1, 0), (10, 20, 30, 1))

    rendered(photo, disc, edges=edges)

    assert {each.mode for each in seen} == {"RGB"}
    pixels = [[each.getpixel((x, 0)) for x in range(3)] for each in seen]
    assert pixels == [[(255, 255, 255), (10, 20, 30), (10, 20, 30)]] * len(seen)
