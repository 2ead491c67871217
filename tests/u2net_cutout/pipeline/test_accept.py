import pytest

from u2net_cutout.pipeline.accept import negotiate

RAW, PNG = "application/octet-stream", "image/png"
OFFERS = (RAW, PNG)


@pytest.mark.parametrize("accept", ["", " ", "*/*", "*", "*; q=.2", "image/*, application/*"])
def test_of_equals_the_first_on_offer_is_chosen(accept: str) -> None:
    assert negotiate(accept, OFFERS) == RAW


@pytest.mark.parametrize(
    "accept",
    [
        "image/png",
        "IMAGE/PNG",
        " image/png ",
        "image/*",
        "text/html, image/png",
        "image/png;q=0.001",
        "image/png; q=1.0",
        "image/png ; Q=0.5",
        "image/png;level=1",
        "image/png;level=1;q=0.5",
        "image/png;charset=none",
        "image/png;version=none",
    ],
)
def test_only_what_is_accepted_is_chosen(accept: str) -> None:
    assert negotiate(accept, OFFERS) == PNG


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/octet-stream;q=0.5, image/png;q=0.6", PNG),
        ("image/png;q=0.5, application/octet-stream;q=0.6", RAW),
        ("image/png, */*;q=0.5", PNG),
        ("image/png, application/octet-stream", RAW),
        # What browsers send with an <img>.
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", PNG),
    ],
)
def test_the_highest_quality_wins(accept: str, expected: str) -> None:
    assert negotiate(accept, OFFERS) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html, image/gif, image/png, *; q=.2, */*; q=.2", RAW),
        ("text/html, image/png, */*; q=0.2", RAW),
        ("image/png, text/*;q=0.1, *;q=0.1", RAW),
        ("TEXT/HTML, image/png, */*;q=0.1", RAW),
        # It excludes an offer.
        ("text/html, application/octet-stream;q=0, image/png;q=0.1, */*;q=0.1", PNG),
        # No text, or nothing but what is named.
        ("image/gif, image/png, */*; q=0.2", PNG),
        ("text/html;q=0, image/png, */*; q=0.2", PNG),
        ("text/html, image/png", PNG),
        ("text/html, image/png, */*;q=0", PNG),
    ],
)
def test_text_beside_a_wildcard_is_a_librarys_default_and_no_wish(
    accept: str, expected: str
) -> None:
    assert negotiate(accept, OFFERS) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*;q=0.9, application/octet-stream;q=0.1, image/*;q=0.5", PNG),
        ("image/*;q=0.9, image/png;q=0.1, */*;q=0.2", RAW),
        ("image/png;q=0, */*", RAW),
        ("application/*;q=0, */*;q=0.1", PNG),
    ],
)
def test_the_most_specific_range_speaks_for_an_offer(accept: str, expected: str) -> None:
    assert negotiate(accept, OFFERS) == expected


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "image/jpeg",
        "*/*;q=0",
        "image/png;q=0",
        "image/png;q=0, application/octet-stream;q=0.0",
        "image/*;q=0, */*;q=0",
    ],
)
def test_nothing_is_chosen_where_nothing_is_accepted(accept: str) -> None:
    assert negotiate(accept, OFFERS) is None


@pytest.mark.parametrize(
    "malformed",
    [
        "png",
        "**",
        ";q=1",
        "application/octet-stream;q=high",
        "application/octet-stream;q=",
        "application/octet-stream;q",
        "application/octet-stream;q=2",
        "application/octet-stream;q=-1",
        "application/octet-stream;q=nan",
    ],
)
def test_a_malformed_range_is_passed_over(malformed: str) -> None:
    assert negotiate(f"{malformed}, image/png;q=0.1", OFFERS) == PNG


@pytest.mark.parametrize("accept", ["png", "application/octet-stream;q=nan", "\x00"])
def test_malformed_ranges_alone_accept_nothing(accept: str) -> None:
    assert negotiate(accept, OFFERS) is None


def test_of_a_range_said_twice_the_first_counts() -> None:
    assert negotiate("image/png;q=0, image/png", [PNG]) is None


def test_without_offers_nothing_is_chosen() -> None:
    assert negotiate("*/*", ()) is None


def test_of_a_quality_below_none_nothing_is_believed() -> None:
    assert negotiate("image/png;q=-1, */*", [PNG]) == PNG
