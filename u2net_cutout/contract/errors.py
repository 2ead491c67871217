"""Why a request gets no cutout: a tree of errors, each with its HTTP status and code.

The codes are those of the cutout contract (docs/options.md, "Errors"). Details are for the
client: no paths, no object addresses. Status phrases are fixed ASCII, because TorchServe writes
them as they are into the response head.
"""

from typing import ClassVar


class CutoutError(Exception):
    """A request gets this error instead of a cutout."""

    status: ClassVar[int]
    phrase: ClassVar[str]
    title: ClassVar[str]
    code: str

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadRequest(CutoutError):
    """The request is wrong: what it holds, names or asks for."""

    status = 400
    phrase = "Bad Request"


class PayloadTooLarge(CutoutError):
    """The request, its picture or the response is over a limit."""

    status = 413
    phrase = "Payload Too Large"


class MissingSource(BadRequest):
    """No picture, or an empty one."""

    code = "missing_source"
    title = "No picture was sent"


class MultipleSources(BadRequest):
    """Two pictures under different names."""

    code = "multiple_sources"
    title = "More than one picture was sent"


class MultipleBackgrounds(BadRequest):
    """A colour and a picture to lie on, both at once."""

    code = "multiple_bg_sources"
    title = "More than one background was sent"


class UrlSourcesDisabled(BadRequest):
    """A picture given by its address; fetching what a client names would be an SSRF hole."""

    code = "url_sources_disabled"
    title = "URL sources are disabled"


class UnknownParameter(BadRequest):
    """An option that does not exist."""

    code = "unknown_parameter"
    title = "Unknown parameter"


class UnsupportedParameter(BadRequest):
    """An option of the remove.bg API that is not offered here."""

    code = "unsupported_parameter"
    title = "Unsupported parameter"


class InvalidOption(BadRequest):
    """A value that an option can't take; the code names the option: ``invalid_format``."""

    title = "Invalid value"

    def __init__(self, option: str, detail: str) -> None:
        super().__init__(detail)
        self.code = f"invalid_{option}"


class InvalidBase64(BadRequest):
    """Text where base64 was expected, and it is not."""

    code = "invalid_base64"
    title = "Invalid base64"


class InvalidForm(BadRequest):
    """A form that can't be taken apart, or of which a part has not arrived."""

    code = "invalid_form"
    title = "Invalid form"


class InvalidJson(BadRequest):
    """A JSON body that can't be parsed, or is neither an object nor a base64 string."""

    code = "invalid_json"
    title = "Invalid JSON"


class UnreadableImage(BadRequest):
    """A picture of a known kind, broken or cut short."""

    code = "failed_to_read_image"
    title = "The picture can't be read"


class UnsupportedPicture(BadRequest):
    """A sound picture of a kind that is not read; the detail names the kind."""

    code = "unsupported_picture"
    title = "Unsupported kind of picture"


class NotAcceptable(CutoutError):
    """Nothing that ``Accept`` allows can be made."""

    status = 406
    phrase = "Not Acceptable"
    code = "not_acceptable"
    title = "No acceptable format"


class FileTooLarge(PayloadTooLarge):
    """More bytes than a picture may have."""

    code = "file_too_large"
    title = "The file is too large"


class ResolutionTooHigh(PayloadTooLarge):
    """More pixels than a picture may have."""

    code = "resolution_too_high"
    title = "The picture has too many pixels"


class SideTooLong(PayloadTooLarge):
    """A picture that is far too wide or too high, however few its pixels are."""

    code = "side_too_long"
    title = "The picture is too wide or too high"


class TooManyParts(PayloadTooLarge):
    """A file in more pieces than any writer makes; reading them takes longer than the pixels."""

    code = "too_many_parts"
    title = "The file has too many parts"


class TooManyFrames(PayloadTooLarge):
    """An animation with more frames than are looked at to find the first."""

    code = "too_many_frames"
    title = "The animation has too many frames"


class MetadataTooLarge(PayloadTooLarge):
    """More metadata than a picture may carry."""

    code = "metadata_too_large"
    title = "The picture has too much metadata"


class TooMuchMemory(PayloadTooLarge):
    """A picture whose decoder asks for more memory than it may have."""

    code = "too_much_memory"
    title = "Decoding the picture needs too much memory"


class TooManyFields(PayloadTooLarge):
    """A form or JSON object of more fields than a request may have."""

    code = "too_many_fields"
    title = "The request has too many fields"


class FieldTooLong(PayloadTooLarge):
    """An option's value that is longer than any that is known."""

    code = "field_too_long"
    title = "A field is too long"


class TooManyItems(PayloadTooLarge):
    """A request of KServe's protocols with more pictures than one response may cover."""

    code = "too_many_items"
    title = "The request has too many pictures"


class ResponseTooLarge(PayloadTooLarge):
    """A response that TorchServe would not carry."""

    code = "response_too_large"
    title = "The response would be too large"


class InvalidFileType(CutoutError):
    """Bytes that are not a picture of a kind that is read here."""

    status = 415
    phrase = "Unsupported Media Type"
    code = "invalid_file_type"
    title = "Not a picture in a supported format"


class CompressedBody(CutoutError):
    """A body in a content coding, such as gzip; pictures are compressed already."""

    status = 415
    phrase = "Unsupported Media Type"
    code = "unsupported_encoding"
    title = "The body is compressed"


class UnknownForeground(CutoutError):
    """No subject was found, and what was asked for needs one."""

    status = 422
    phrase = "Unprocessable Entity"
    code = "unknown_foreground"
    title = "No subject was found"


class InternalError(CutoutError):
    """A fault of ours; the detail holds the request id that is in the log."""

    status = 500
    phrase = "Internal Server Error"
    code = "internal_error"
    title = "Internal server error"
