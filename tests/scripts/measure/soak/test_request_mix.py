from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from scripts.measure.soak.pictures import SOURCES
from scripts.measure.soak.request_mix import OPTIONS, SHARES, request_mix
from u2net_cutout.contract.limits import Limits


@pytest.fixture(scope="module")
def pictures(photo_files: list[Path]) -> dict[str, bytes]:
    """Small ones in place of all sizes: only the requests are looked at."""
    return dict.fromkeys(SOURCES, photo_files[1].read_bytes())


def test_no_two_requests_of_the_mix_have_one_name(pictures: dict[str, bytes]) -> None:
    names = [request.name for request in request_mix(pictures)]

    assert len(set(names)) == len(names)


def test_every_option_is_in_the_mix(pictures: dict[str, bytes]) -> None:
    names = " ".join(request.name for request in request_mix(pictures))
    options = {f"{name}={value}" for each in OPTIONS for name, value in each.items()}

    assert sorted(each for each in options if each not in names) == []
    assert set(SHARES) == set(SOURCES)


def test_the_mix_has_good_requests_bad_ones_and_clients_that_hang_up(
    pictures: dict[str, bytes],
) -> None:
    requests = request_mix(pictures)

    assert {request.status for request in requests} >= {200, 400, 404, 406, 413, 415, 422, 500}
    assert len({request.hang_up for request in requests}) == 4
    assert sum(request.status == 200 for request in requests) > len(requests) / 2


def test_a_picture_has_the_size_it_is_called_by_and_is_the_same_each_time(
    photo_files: list[Path], limits: Limits
) -> None:
    source = SOURCES["0.3"]

    first, second = source.encode(photo_files[0]), source.encode(photo_files[0])

    assert first == second
    with Image.open(BytesIO(first)) as picture:
        assert picture.width * picture.height == pytest.approx(0.3e6, rel=0.01)
        assert picture.format == source.file_format
