"""The client against a real TorchServe: pictures, pipes, options, frames, Python's own types."""

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.torchserve.management_api import ManagementApi
from tests.conftest import ROOT
from tests.served.client_runs import client
from tests.served.conftest import Served, make
from u2net_cutout import CutoutClient, Refused, connect, remove


@pytest.fixture
def connected(served: Served) -> Iterator[CutoutClient]:
    key = ManagementApi(served.config).token("inference")
    with connect(served.config.inference_address, key=key, model="u2netp") as opened:
        yield opened


def asked(served: Served, photo: bytes, **options: str) -> bytes:
    """What curl would get."""
    response = served.ask(files={"image_file": photo}, data={"format": "png", **options})
    assert response.status_code == 200, response.text
    return response.content


@pytest.mark.parametrize("name", ["-a ü.png", "a b.webp", "a.JPG"])
def test_a_file_is_in_the_format_of_its_name(
    served: Served, photo_files: list[Path], tmp_path: Path, name: str
) -> None:
    output_format = Path(name).suffix.lower()[1:]

    done = client(served, "i", "--", photo_files[1], name, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, b"")
    expected = asked(served, photo_files[1].read_bytes(), format=output_format)
    assert (tmp_path / name).read_bytes() == expected


def test_options_are_sent_as_they_are_given(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    background = tmp_path / "background.png"
    Image.radial_gradient("L").save(background)
    options = {"crop_margin": "5% 10px", "size": "preview", "edges": "refined", "quality": "70"}
    arguments = [
        word for name, text in options.items() for word in (f"--{name.replace('_', '-')}", text)
    ]
    target = tmp_path / "a.jpg"

    done = client(
        served, "i", "--crop", *arguments, "--bg-image-file", background, photo_files[0], target
    )

    assert done.returncode == 0, done.stderr
    expected = served.ask(
        files={"image_file": photo_files[0].read_bytes(), "bg_image_file": background.read_bytes()},
        data={"crop": "true", "format": "jpg", **options},
    )
    assert target.read_bytes() == expected.content


@pytest.mark.parametrize("arguments", [(), ("-", "-")])
def test_a_picture_goes_through_a_pipe(
    served: Served, photo_files: list[Path], arguments: tuple[str, ...]
) -> None:
    photo = photo_files[1].read_bytes()

    done = client(served, "i", *arguments, "--channels", "alpha", input=photo)

    assert done.returncode == 0, done.stderr
    assert done.stdout == asked(served, photo, channels="alpha")


def test_make_tells_the_key(served: Served, photo_files: list[Path], tmp_path: Path) -> None:
    command = f"make --silent -C {ROOT} token BUILD={served.build} PORT={served.config.port}"

    done = client(served, "i", "--key-command", command, photo_files[1], tmp_path / "a.rgba")
    wrong = client(served, "i", "--key", "wrong", photo_files[1], tmp_path / "b.png")

    assert done.returncode == 0, done.stderr
    expected = asked(served, photo_files[1].read_bytes(), format="rgba")
    assert (tmp_path / "a.rgba").read_bytes() == expected
    assert wrong.returncode == 1
    assert b"does not take the key: set U2NET_KEY" in wrong.stderr


def test_of_several_files_the_good_ones_are_done_and_the_bad_ones_told(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "none.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    out = tmp_path / "out"
    out.mkdir()
    sources = [photo_files[1], tmp_path / "none.jpg", tmp_path / "empty.jpg", tmp_path / "gone.jpg"]

    done = client(served, "i", *sources, photo_files[3], out)

    said = done.stderr.decode()
    assert done.returncode == 1
    assert f"{tmp_path / 'none.jpg'}: invalid_file_type" in said
    assert f"{tmp_path / 'empty.jpg'}: missing_source" in said
    assert f"{tmp_path / 'gone.jpg'}: [Errno 2]" in said
    assert said.splitlines()[-1] == "2 done, 3 failed"
    assert {file.name for file in out.iterdir()} == {"chelsea.png", "rocket.png"}


def test_nothing_is_replaced_without_force(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"mine")

    assert client(served, "i", photo_files[1], target).returncode == 1
    assert target.read_bytes() == b"mine"

    assert client(served, "i", "--force", photo_files[1], target).returncode == 0
    assert target.read_bytes() == asked(served, photo_files[1].read_bytes())


def test_a_picture_never_becomes_itself(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    photo = tmp_path / "a.png"
    shutil.copy(photo_files[1], photo)

    done = client(served, "i", "--force", photo, tmp_path)

    assert done.returncode == 2
    assert photo.read_bytes() == photo_files[1].read_bytes()


def test_frames_keep_their_order(served: Served, photos: list[Image.Image], tmp_path: Path) -> None:
    frames = [photo.resize((64, 48)) for photo in photos]
    pixels = b"".join(frame.tobytes() for frame in frames)

    done = client(served, "b", "64", "48", "-o", f"{tmp_path}/f-%03u.png", input=pixels)
    piped = client(served, "b", "64", "48", "--channels", "alpha", input=pixels)

    assert (done.returncode, piped.returncode) == (0, 0), done.stderr + piped.stderr
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["f-001.png", "f-002.png", "f-003.png", "f-004.png"]
    mattes = np.frombuffer(piped.stdout, np.uint8).reshape(4, 48, 64)
    for frame, file, matte in zip(frames, files, mattes, strict=True):
        packed = BytesIO()
        frame.save(packed, "PNG")
        assert file.read_bytes() == asked(served, packed.getvalue())
        assert np.array_equal(np.asarray(Image.open(file).convert("RGBA"))[:, :, 3], matte)


def test_each_type_comes_back_as_itself(
    served: Served, connected: CutoutClient, photo_files: list[Path], photos: list[Image.Image]
) -> None:
    file, photo = photo_files[1].read_bytes(), photos[1]
    expected = asked(served, file)
    pixels = np.asarray(Image.open(BytesIO(expected)))

    assert remove(file, client=connected) == expected
    assert remove(bytearray(file), client=connected) == expected
    image = remove(photo, client=connected)
    assert (type(image), image.mode) == (Image.Image, "RGBA")
    assert np.array_equal(np.asarray(image), pixels)
    array = remove(np.asarray(photo), client=connected)
    assert (array.dtype.name, array.shape) == ("uint8", pixels.shape)
    assert np.array_equal(array, pixels)
    matte = remove(np.asarray(photo), client=connected, channels="alpha")
    assert np.array_equal(matte, pixels[:, :, 3])


def test_options_are_pythons_values(
    served: Served, connected: CutoutClient, photo_files: list[Path]
) -> None:
    photo = photo_files[1].read_bytes()

    cutout = remove(photo, client=connected, format="jpg", quality=80, crop=True)

    assert cutout == asked(served, photo, format="jpg", quality="80", crop="true")


def test_a_turned_image_with_a_profile_is_sent_with_both(
    connected: CutoutClient, photo_files: list[Path], photos: list[Image.Image]
) -> None:
    with Image.open(photo_files[3]) as rocket:  # in Adobe RGB
        turned = rocket.transpose(Image.Transpose.ROTATE_90)
        turned.info["icc_profile"] = rocket.info["icc_profile"]
    turned.getexif()[0x0112] = 6

    cutout = np.asarray(remove(turned, client=connected, edges="plain"))

    solid = cutout[:, :, 3] == 255
    assert cutout.shape[:2] == photos[3].size[::-1]
    assert np.array_equal(cutout[solid, :3], np.asarray(photos[3])[solid])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "I;16"])
def test_every_mode_is_taken(connected: CutoutClient, photos: list[Image.Image], mode: str) -> None:
    small = photos[1].resize((60, 40))
    image = Image.fromarray(np.asarray(small.convert("L"), np.uint16) * 257)
    if mode != "I;16":
        image = small.convert(mode)

    assert remove(image, client=connected).size == (60, 40)


def test_a_picture_that_is_none_is_refused(connected: CutoutClient) -> None:
    with pytest.raises(Refused) as told:
        remove(b"no picture", client=connected)

    assert (told.value.status, told.value.code) == (415, "invalid_file_type")


def test_make_cutout_takes_options_and_folders(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(photo_files[1], source)
    arguments = (f"IMAGE={source}", f"OUTPUT={tmp_path / 'out'}", "MODEL=u2netp")

    done = make(served.build, served.config.port, "cutout", *arguments, "OPTIONS=--channels alpha")

    assert done.returncode == 0, done.stderr
    expected = asked(served, photo_files[1].read_bytes(), channels="alpha")
    assert (tmp_path / "out" / "chelsea.png").read_bytes() == expected
