import zipfile
from io import BytesIO

import pytest

from tests.u2net_cutout.client.failing_server import picture
from u2net_cutout.client.file_checks import fault_of
from u2net_cutout.contract.formats import OutputFormat


def packed() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("color.jpg", picture("JPEG"))
        archive.writestr("alpha.png", picture("PNG", "L"))
    return file.getvalue()


FILES = {
    OutputFormat.PNG: picture("PNG", "RGBA"),
    OutputFormat.JPG: picture("JPEG"),
    OutputFormat.WEBP: picture("WEBP"),
    OutputFormat.ZIP: packed(),
}


@pytest.mark.parametrize("output_format", FILES)
def test_a_whole_file_has_no_fault(output_format: OutputFormat) -> None:
    assert fault_of(FILES[output_format], output_format) is None


@pytest.mark.parametrize("output_format", FILES)
def test_every_shorter_file_has_one(output_format: OutputFormat) -> None:
    content = FILES[output_format]

    assert all(fault_of(content[:length], output_format) for length in range(len(content)))


@pytest.mark.parametrize("output_format", FILES)
def test_files_of_other_formats_have_one(output_format: OutputFormat) -> None:
    for other in FILES.keys() - {output_format}:
        assert fault_of(FILES[other], output_format) == "it begins as another kind of file"


@pytest.mark.parametrize(("length", "whole"), [(12, True), (48, True), (47, False), (36, False)])
def test_raw_pixels_are_a_matte_or_rgba(length: int, whole: bool) -> None:
    assert (fault_of(bytes(length), OutputFormat.RGBA, 12) is None) is whole


def test_raw_pixels_of_an_unknown_number_are_at_least_some() -> None:
    assert fault_of(b"x", OutputFormat.RGBA) is None
    assert fault_of(b"", OutputFormat.RGBA) == "it is empty"
