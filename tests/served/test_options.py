"""The options of the contract, asked of a real server over HTTP."""

import base64
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.served.conftest import Served
from tests.served.test_answers import encoded, refusal
from u2net_cutout.contract.options import OPTIONS, SIZES

SIZE = (451, 300)


@pytest.fixture(scope="module")
def chelsea(photo_files: list[Path]) -> bytes:
    return photo_files[1].read_bytes()


def ask(served: Served, photo: bytes, **options: str) -> requests.Response:
    return served.ask(files={"image_file": photo}, data=options)


def picture_of(response: requests.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    picture = Image.open(BytesIO(response.content))
    size = int(response.headers["X-Width"]), int(response.headers["X-Height"])
    assert picture.size == size
    return picture


def box_of(response: requests.Response) -> tuple[int, int, int, int]:
    """The subject's box in the answer: left, top, width, height."""
    left, top, width, height = (
        int(response.headers[f"X-Foreground-{side}"]) for side in ("Left", "Top", "Width", "Height")
    )
    return left, top, width, height


@pytest.fixture(scope="module")
def cutout(served: Served, chelsea: bytes) -> Image.Image:
    """The raw cutout, at its default options."""
    response = ask(served, chelsea)
    return Image.frombytes("RGBA", SIZE, response.content)


@pytest.mark.parametrize(
    ("output_format", "content_type", "mode"),
    [
        ("png", "image/png", "RGBA"),
        ("webp", "image/webp", "RGBA"),
        ("jpg", "image/jpeg", "RGB"),
        ("auto", "image/png", "RGBA"),
    ],
)
def test_each_format_is_what_it_says(
    served: Served, chelsea: bytes, output_format: str, content_type: str, mode: str
) -> None:
    response = ask(served, chelsea, format=output_format)

    assert response.headers["content-type"] == content_type
    assert picture_of(response).mode == mode


@pytest.mark.parametrize("output_format", ["png", "webp"])
def test_lossless_formats_hold_the_raw_cutout(
    served: Served, chelsea: bytes, cutout: Image.Image, output_format: str
) -> None:
    found = np.asarray(picture_of(ask(served, chelsea, format=output_format)))

    raw = np.asarray(cutout)
    seen = raw[..., 3] > 0
    assert np.array_equal(found[..., 3], raw[..., 3])
    assert np.array_equal(found[seen], raw[seen])
    assert not found[~seen].any()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("image/webp", "image/webp"),
        ("image/jpeg, image/png;q=0.5", "image/jpeg"),
        ("application/zip", "application/zip"),
        ("image/*", "image/png"),
        ("application/json, text/plain, */*", "application/octet-stream"),
    ],
)
def test_accept_chooses_the_format(
    served: Served, chelsea: bytes, accept: str, content_type: str
) -> None:
    response = served.ask(files={"data": chelsea}, headers={"Accept": accept})

    assert response.headers["content-type"] == content_type


def test_a_zip_holds_colour_and_matte(served: Served, chelsea: bytes, cutout: Image.Image) -> None:
    with zipfile.ZipFile(BytesIO(ask(served, chelsea, format="zip").content)) as members:
        assert members.namelist() == ["color.jpg", "alpha.png"]
        with Image.open(members.open("alpha.png")) as alpha:
            assert alpha.tobytes() == cutout.getchannel("A").tobytes()
        with Image.open(members.open("color.jpg")) as colour:
            assert (colour.size, colour.mode) == (SIZE, "RGB")


def test_quality_makes_files_smaller(served: Served, chelsea: bytes) -> None:
    for output_format in ("jpg", "webp"):
        low, high = (
            len(ask(served, chelsea, format=output_format, quality=quality).content)
            for quality in ("20", "90")
        )
        assert low < 0.75 * high


def test_the_matte_alone_is_the_cutouts_alpha(
    served: Served, chelsea: bytes, cutout: Image.Image
) -> None:
    raw = ask(served, chelsea, channels="alpha")
    png = picture_of(ask(served, chelsea, channels="alpha", format="png"))

    assert raw.content == cutout.getchannel("A").tobytes()
    assert (png.mode, png.tobytes()) == ("L", raw.content)


def test_json_holds_the_cutout_and_its_figures(
    served: Served, chelsea: bytes, cutout: Image.Image
) -> None:
    response = served.ask(
        json={"image_file_b64": base64.b64encode(chelsea).decode()},
        headers={"Accept": "application/json"},
    )

    assert response.headers["content-type"] == "application/json"
    data = response.json()["data"]
    with Image.open(BytesIO(base64.b64decode(data["result_b64"]))) as picture:
        assert (picture.format, picture.size) == ("PNG", SIZE)
    assert (data["width"], data["height"]) == SIZE
    assert data["coverage"] == pytest.approx(np.asarray(cutout)[..., 3].mean() / 255, abs=1e-5)
    assert 0 < data["uncertainty"] < 1


def test_a_crop_is_the_subjects_box(served: Served, chelsea: bytes, cutout: Image.Image) -> None:
    whole = ask(served, chelsea, format="png")
    left, top, width, height = box_of(whole)

    response = ask(served, chelsea, format="png", crop="true")

    assert box_of(response) == (0, 0, width, height)
    expected = cutout.crop((left, top, left + width, top + height)).getchannel("A")
    assert picture_of(response).getchannel("A").tobytes() == expected.tobytes()


def test_a_margin_surrounds_the_subject(served: Served, chelsea: bytes) -> None:
    _, _, width, height = box_of(ask(served, chelsea, format="png"))

    response = ask(served, chelsea, format="png", crop="true", crop_margin="10px 20px 30px 10%")

    assert picture_of(response).size == (width + 20 + round(width * 0.1), height + 40)
    left, top, *_ = box_of(response)
    assert (left, top) == (round(width * 0.1), 10)


def test_a_scaled_subject_fills_its_share_in_the_middle(served: Served, chelsea: bytes) -> None:
    response = ask(served, chelsea, format="png", scale="50%")

    left, top, width, height = box_of(response)
    assert picture_of(response).size == SIZE
    assert max(width / SIZE[0], height / SIZE[1]) == pytest.approx(0.5, abs=0.02)
    assert left + width / 2 == pytest.approx(SIZE[0] / 2, abs=2)
    assert top + height / 2 == pytest.approx(SIZE[1] / 2, abs=2)


def test_a_position_moves_the_subject(served: Served, chelsea: bytes) -> None:
    response = ask(served, chelsea, format="png", scale="40%", position="0% 100%")

    left, top, _, height = box_of(response)
    assert left <= 1
    assert top + height >= SIZE[1] - 1


def test_nothing_outside_of_the_region_is_foreground(served: Served, chelsea: bytes) -> None:
    response = ask(served, chelsea, format="png", roi="0% 0% 50% 100px")

    alpha = np.asarray(picture_of(response).getchannel("A"))
    assert alpha[:100, :226].any()
    assert not alpha[100:].any()
    assert not alpha[:, 226:].any()


def test_a_size_limits_the_answer_and_never_enlarges(served: Served) -> None:
    photo = encoded(Image.linear_gradient("L").resize((1000, 800)), "JPEG")

    small = picture_of(ask(served, photo, format="png", size="preview"))
    large = picture_of(ask(served, photo, format="png", size="4k"))

    assert 240_000 < small.width * small.height <= 250_000
    assert small.width / small.height == pytest.approx(1.25, abs=0.01)
    assert large.size == (1000, 800)


def test_a_colour_lies_behind_the_cutout(
    served: Served, chelsea: bytes, cutout: Image.Image
) -> None:
    response = ask(served, chelsea, format="auto", bg_color="0f0")

    assert response.headers["content-type"] == "image/jpeg"
    expected = Image.alpha_composite(Image.new("RGBA", SIZE, "#00ff00"), cutout).convert("RGB")
    difference = np.asarray(picture_of(response), int) - np.asarray(expected, int)
    assert np.abs(difference).mean() < 3


def test_a_picture_lies_behind_the_cutout(
    served: Served, chelsea: bytes, cutout: Image.Image
) -> None:
    background = encoded(Image.new("RGB", (90, 30), "blue"))

    response = served.ask(
        files={"image_file": chelsea, "bg_image_file": background}, data={"format": "png"}
    )

    expected = Image.alpha_composite(Image.new("RGBA", SIZE, "blue"), cutout)
    assert picture_of(response).convert("RGBA").tobytes() == expected.tobytes()


def test_plain_edges_leave_the_photos_colours(
    served: Served, chelsea: bytes, cutout: Image.Image, photos: list[Image.Image]
) -> None:
    plain = Image.frombytes("RGBA", SIZE, ask(served, chelsea, edges="plain").content)

    assert plain.convert("RGB").tobytes() == photos[1].tobytes()
    assert plain.getchannel("A").tobytes() == cutout.getchannel("A").tobytes()
    changed = (np.asarray(plain) != np.asarray(cutout)).any(axis=2)
    alpha = np.asarray(plain)[..., 3]
    assert changed.any()
    assert not changed[(alpha == 0) | (alpha == 255)].any()


def test_refined_edges_have_a_matte_of_their_own(
    served: Served, chelsea: bytes, cutout: Image.Image
) -> None:
    refined = Image.frombytes("RGBA", SIZE, ask(served, chelsea, edges="refined").content)

    alpha, first = (np.asarray(each)[..., 3].astype(int) for each in (refined, cutout))
    sure = (first <= 8) | (first >= 247)
    assert np.array_equal(alpha[sure], first[sure])
    assert np.abs(alpha[~sure] - first[~sure]).max() > 20


REFUSALS: dict[str, tuple[dict[str, str], tuple[int, str]]] = {
    **{
        f"{name}={value}": ({name: value}, (400, f"invalid_{name}"))
        for name, value in {
            "format": "bmp",
            "quality": "0",
            "channels": "rgb",
            "size": "huge",
            "crop": "maybe",
            "crop_margin": "10px",
            "scale": "5%",
            "position": "left",
            "roi": "0% 0%",
            "bg_color": "greenish",
            "edges": "sharp",
        }.items()
    },
    "a margin too wide": ({"crop": "true", "crop_margin": "501px"}, (400, "invalid_crop_margin")),
    "scaled where it was": (
        {"scale": "50%", "position": "original"},
        (400, "invalid_position"),
    ),
    "an empty region": ({"roi": "50% 50% 50% 90%"}, (400, "invalid_roi")),
    "quality of a PNG": ({"format": "png", "quality": "80"}, (400, "invalid_quality")),
    "a lossless JPEG": ({"format": "jpg", "quality": "lossless"}, (400, "invalid_quality")),
    "a matte in a zip": ({"format": "zip", "channels": "alpha"}, (400, "invalid_channels")),
    "a matte on a colour": ({"bg_color": "red", "channels": "alpha"}, (400, "invalid_channels")),
    "a shadow": ({"shadow_type": "drop"}, (400, "unsupported_parameter")),
    "a kind of subject": ({"type": "person"}, (400, "unsupported_parameter")),
    "something unknown": ({"sharpen": "true"}, (400, "unknown_parameter")),
    "a background's address": (
        {"bg_image_url": "http://a/b.png"},
        (400, "url_sources_disabled"),
    ),
    "no subject to crop to": (
        {"crop": "true", "roi": "0px 0px 2px 2px"},
        (422, "unknown_foreground"),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_has_its_status_and_code(served: Served, chelsea: bytes, case: str) -> None:
    options, expected = REFUSALS[case]

    assert refusal(ask(served, chelsea, **options)) == expected


def test_two_backgrounds_are_refused(served: Served, chelsea: bytes) -> None:
    files = {"image_file": chelsea, "bg_image_file": chelsea}

    response = served.ask(files=files, data={"bg_color": "red"})

    assert refusal(response) == (400, "multiple_bg_sources")


@pytest.mark.parametrize(
    "options",
    [{"type": "auto"}, {"add_shadow": "false"}, {"semitransparency": "true"}, {"size": "full"}],
)
def test_values_that_ask_for_nothing_are_taken(
    served: Served, chelsea: bytes, cutout: Image.Image, options: dict[str, str]
) -> None:
    assert ask(served, chelsea, **options).content == cutout.tobytes()


def test_an_explanation_tells_its_figures_in_json(served: Served, chelsea: bytes) -> None:
    response = served.ask(
        path="explanations", files={"data": chelsea}, headers={"Accept": "application/json"}
    )

    data = response.json()["data"]
    assert 0 < data["uncertainty"] < 1
    assert 0 < data["coverage"] < 1


PERCENT = st.integers(10, 100).map("{}%".format)
POINT = st.tuples(st.integers(0, 45), st.integers(55, 100))
# What each option takes; now and then it gets something else.
TAKEN: dict[str, st.SearchStrategy[str]] = {
    "format": st.sampled_from(["rgba", "png", "webp", "jpg", "zip", "auto"]),
    "quality": st.integers(1, 100).map(str) | st.just("lossless"),
    "channels": st.sampled_from(["rgba", "alpha"]),
    "size": st.sampled_from(list(SIZES)),
    "crop": st.sampled_from(["true", "false"]),
    "crop_margin": st.lists(
        st.integers(0, 50).map("{}%".format) | st.integers(0, 500).map("{}px".format),
        min_size=4,
        max_size=4,
    ).map(" ".join),
    "scale": PERCENT | st.just("original"),
    "position": st.tuples(PERCENT, PERCENT).map(" ".join) | st.just("center"),
    "roi": st.tuples(POINT, POINT).map(lambda p: f"{p[0][0]}% {p[1][0]}% {p[0][1]}% {p[1][1]}%"),
    "bg_color": st.sampled_from(["red", "fff", "0f08", "81d4fa", "81d4fa77"]),
    "edges": st.sampled_from(["matte", "plain", "refined"]),
}
RUBBISH = st.sampled_from(["", "-1", "%", "é", "101%", "\x00", "true false", "9" * 50])
REQUESTS = st.lists(st.sampled_from(sorted(TAKEN)), unique=True, max_size=3).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: st.one_of(*[TAKEN[name]] * 12, RUBBISH) for name in names}
    )
)
PICTURES = st.tuples(
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.sampled_from([(1, 900), (900, 1)]),
    st.binary(min_size=1, max_size=64),
)


def tiny(mode: str, size: tuple[int, int], pixels: bytes) -> bytes:
    """A picture of these pixels, repeated as often as it takes."""
    needed = len(Image.new(mode, size).tobytes())
    return encoded(Image.frombytes(mode, size, (pixels * needed)[:needed]))


def test_random_options_on_tiny_pictures_never_fail(served: Served) -> None:
    statuses: list[int] = []

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(
        options=REQUESTS,
        picture=PICTURES,
        background=st.none() | PICTURES,
        accept=st.sampled_from(["*/*", "application/json", "image/webp", "image/png;q=0.1"]),
        path=st.sampled_from(["predictions"] * 9 + ["explanations"]),
    )
    def try_one(
        options: dict[str, str], picture: Any, background: Any, accept: str, path: str
    ) -> None:
        files = {"image_file": tiny(*picture)}
        if background is not None:
            files["bg_image_file"] = tiny(*background)

        response = served.ask(path=path, files=files, data=options, headers={"Accept": accept})

        assert response.status_code < 500, (options, response.text)
        if response.status_code != 200:
            assert refusal(response)[1]
        statuses.append(response.status_code)

    try_one()
    # Otherwise it would be the refusals alone that are tried.
    assert statuses.count(200) >= len(statuses) / 3, statuses


def test_the_options_of_the_random_test_are_all_there_are() -> None:
    assert set(TAKEN) == {option.name for option in OPTIONS}
