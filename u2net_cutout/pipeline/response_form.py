"""What the response to a request is: its format, and whether JSON is around it."""

from collections.abc import Mapping
from dataclasses import dataclass

from u2net_cutout.contract.errors import InvalidOption, NotAcceptable
from u2net_cutout.contract.formats import CONTENT_TYPES, JSON_TYPE, LOSSLESS, OutputFormat
from u2net_cutout.contract.options import Channels, CutoutOptions
from u2net_cutout.pipeline.accept import negotiate

# The format for clients that name none; the gateway's remove.bg address sets it to auto.
DEFAULT_FORMAT_HEADER = "x-default-format"


@dataclass(frozen=True)
class ResponseForm:
    """The form of one response."""

    output_format: OutputFormat
    in_json: bool
    """The response is JSON around the encoded cutout."""

    @classmethod
    def choose(
        cls, head: Mapping[str, str], options: CutoutOptions, *, explain: bool
    ) -> "ResponseForm":
        """Choose by a request's headers, whose names are in small letters, and its options.

        Over gRPC there are no headers, so a response has neither size nor content type: there the
        default is PNG, which holds both.

        Raises:
            NotAcceptable: nothing that ``Accept`` allows can be made.
            InvalidOption: an option that the format can't have, or an unknown default format.
        """
        default = None if explain else _default_format(head)
        offers = [OutputFormat.PNG] if explain or not head else list(CONTENT_TYPES)
        first = OutputFormat.PNG if default is OutputFormat.AUTO else default
        offers.sort(key=lambda offer: offer is not first)
        types = [CONTENT_TYPES[output_format] for output_format in offers]
        accept = head.get("accept", "")
        chosen = negotiate(accept, (*types, JSON_TYPE))
        if chosen == JSON_TYPE:
            form = cls(options.format or default or OutputFormat.PNG, in_json=True)
        elif options.format is not None:
            form = cls(options.format, in_json=False)
        elif chosen is None:
            raise NotAcceptable(f"supported: {', '.join((*types, JSON_TYPE))}")
        else:
            as_accepted = offers[types.index(chosen)]
            if default is OutputFormat.AUTO and as_accepted is first and _either(accept):
                as_accepted = OutputFormat.AUTO
            form = cls(as_accepted, in_json=False)
        form._check(options)
        return form

    def _check(self, options: CutoutOptions) -> None:
        """Refuse options that this format can't have."""
        if options.channels is Channels.ALPHA and self.output_format is OutputFormat.ZIP:
            raise InvalidOption("channels", "format=zip can't be combined with channels")
        if options.quality is None:
            return
        if not self.output_format.takes_quality:
            raise InvalidOption("quality", "quality is for JPEG and WebP only")
        if options.quality == LOSSLESS and self.output_format is not OutputFormat.WEBP:
            raise InvalidOption("quality", f"quality={LOSSLESS} is for WebP only")


def _default_format(head: Mapping[str, str]) -> OutputFormat | None:
    """Return the format that a gateway sets for clients that name none."""
    text = head.get(DEFAULT_FORMAT_HEADER, "")
    try:
        return OutputFormat(text) if text else None
    except ValueError as error:
        raise InvalidOption("format", f"{DEFAULT_FORMAT_HEADER}: {text[:40]!r} is none") from error


def _either(accept: str) -> bool:
    """Whether JPEG is no less welcome than PNG, so that `auto` may choose."""
    jpeg, png = CONTENT_TYPES[OutputFormat.JPG], CONTENT_TYPES[OutputFormat.PNG]
    return negotiate(accept, (jpeg, png)) == jpeg
