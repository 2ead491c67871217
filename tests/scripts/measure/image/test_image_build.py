from pathlib import Path

from scripts.measure.image.image_build import (
    CONTAINERFILE,
    base_name,
    named_paths,
    pip_settings,
)


def test_the_base_image_is_the_containerfiles() -> None:
    name = base_name(CONTAINERFILE.read_text(encoding="utf-8"))

    assert name.startswith("python:3.11")
    # Its last part is what mmdebstrap installs.
    assert name.endswith("-bookworm")


def test_a_setting_of_the_environment_replaces_a_files() -> None:
    listed = ":env:.cert='/mine'\nglobal.cert='/theirs'\nuser.find-links='/a b=c'\n"

    assert pip_settings(listed) == {"cert": "/mine", "find-links": "/a b=c"}


def test_the_folders_and_files_of_settings_are_found(tmp_path: Path) -> None:
    index = tmp_path / "index" / "simple"
    index.mkdir(parents=True)
    certificate = tmp_path / "ca.pem"
    certificate.touch()
    settings = {
        "cert": str(certificate),
        "extra-index-url": f"https://localhost/simple {index.as_uri()}",
        "find-links": f"{tmp_path}/missing relative",
        "timeout": "60",
    }

    assert named_paths(settings) == {certificate, index.parent}
