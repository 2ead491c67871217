"""Forms with a photo in them (multipart/form-data), always the same for the same content."""

from collections.abc import Mapping

from urllib3.filepost import encode_multipart_formdata

BOUNDARY = "a-boundary-that-no-photo-contains-4f1d"


def encode_form(
    options: Mapping[str, str],
    photo: bytes,
    *,
    field: str = "image_file",
    name: str = "photo",
    media_type: str = "application/octet-stream",
) -> tuple[bytes, str]:
    """Return a form's body and Content-Type; `field`, `name` and `media_type` are the photo's."""
    photo_part = (field, (name, photo, media_type))
    return encode_multipart_formdata([*options.items(), photo_part], BOUNDARY)
