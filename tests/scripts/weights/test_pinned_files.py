import hashlib
import socket
import zipfile
from pathlib import Path

import psutil
import pytest

from scripts.weights.pinned_files import WheelDataError, WheelFile, fetch, fetching

CONTENT = b"a photo"
PHOTO = WheelFile("pictures==1.0", "pictures/data/photo.jpg", hashlib.sha256(CONTENT).hexdigest())


OTHER = WheelFile("two-words==2.0", "two_words/other.jpg", PHOTO.sha256)


@pytest.fixture
def offline(tmp_path: Path) -> list[str]:
    """A registry that has two wheels, as pip arguments."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name, version, member in (
        ("pictures", "1.0", PHOTO.member),
        ("two_words", "2.0", OTHER.member),
    ):
        with zipfile.ZipFile(wheels / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(member, CONTENT)
            facts = f"{name}-{version}.dist-info"
            wheel.writestr(
                f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{facts}/RECORD", "")
    return ["--no-index", "--find-links", str(wheels)]


def test_a_file_is_taken_out_of_its_wheel(tmp_path: Path, offline: list[str]) -> None:
    folder = tmp_path / "photos"

    assert fetch([PHOTO], folder, offline) == [folder / "photo.jpg"]
    assert (folder / "photo.jpg").read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == ["photo.jpg"]


def test_files_of_several_wheels_are_downloaded_together(
    tmp_path: Path, offline: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"

    fetch([PHOTO, OTHER], folder, offline)

    assert sorted(path.name for path in folder.iterdir()) == ["other.jpg", "photo.jpg"]
    assert "downloading photo.jpg, other.jpg, in pictures==1.0, two-words==2.0" in (
        capfd.readouterr().out
    )


def test_files_are_there_after_what_is_done_meanwhile(tmp_path: Path, offline: list[str]) -> None:
    folder = tmp_path / "photos"

    with fetching([PHOTO, OTHER], folder, offline):
        meanwhile = sorted(path.name for path in folder.glob("*.jpg"))

    assert meanwhile == []
    assert sorted(path.name for path in folder.iterdir()) == ["other.jpg", "photo.jpg"]


def test_a_download_ends_with_what_fails_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    children = psutil.Process().children()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        registry = ["--isolated", "--index-url", address, "--timeout", "60"]

        def fail() -> None:
            with fetching([PHOTO], folder, registry), silent.accept()[0]:
                raise KeyError("meanwhile")

        with pytest.raises(KeyError, match="meanwhile"):
            fail()

    assert psutil.Process().children() == children
    assert list(folder.iterdir()) == []


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(CONTENT)

    assert fetch([PHOTO], tmp_path, ["--no-index"]) == [tmp_path / "photo.jpg"]


def test_a_damaged_file_is_fetched_again(tmp_path: Path, offline: list[str]) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"half a ph")

    fetch([PHOTO], folder, offline)

    assert (folder / "photo.jpg").read_bytes() == CONTENT


def test_another_content_is_refused(tmp_path: Path, offline: list[str]) -> None:
    other = WheelFile(PHOTO.requirement, PHOTO.member, "0" * 64)

    with pytest.raises(WheelDataError, match="refusing to use it"):
        fetch([other], tmp_path / "photos", offline)
    assert not list((tmp_path / "photos").iterdir())


def test_a_missing_member_is_told(tmp_path: Path, offline: list[str]) -> None:
    other = WheelFile(PHOTO.requirement, "pictures/none.jpg", PHOTO.sha256)

    with pytest.raises(WheelDataError, match=r"lacks pictures/none\.jpg"):
        fetch([other], tmp_path / "photos", offline)


def test_a_name_may_be_spelt_otherwise(tmp_path: Path, offline: list[str]) -> None:
    other = WheelFile("Two.Words==2.0", OTHER.member, OTHER.sha256)

    assert fetch([other], tmp_path / "photos", offline) == [tmp_path / "photos" / "other.jpg"]


def test_a_version_that_the_wheel_spells_otherwise_is_told(
    tmp_path: Path, offline: list[str]
) -> None:
    other = WheelFile("pictures==1", PHOTO.member, PHOTO.sha256)

    with pytest.raises(WheelDataError, match="no wheel of pictures==1"):
        fetch([other], tmp_path / "photos", offline)


def test_a_wheel_that_is_not_to_be_had_says_what_to_do(tmp_path: Path, offline: list[str]) -> None:
    other = WheelFile("nothing-of-that-name==1.0", PHOTO.member, PHOTO.sha256)

    with pytest.raises(WheelDataError, match="--find-links"):
        fetch([other], tmp_path / "photos", offline)
