"""The command `b`: a video's frames out of a pipe, into files or into the next pipe."""

import sys
from argparse import Namespace
from pathlib import Path

from u2net_cutout.client.cli.cutter import Cutter
from u2net_cutout.client.cli.outputs import format_of, write_whole
from u2net_cutout.client.cli.raw_frames import in_order, read_frames
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.formats import OutputFormat


def cut_frames(cutter: Cutter, arguments: Namespace) -> bool:
    """Cut out the frames of stdin, in order; each has its number, from 1, or goes to stdout.

    Raises:
        UsageError: the name for the files makes no sense, or the frames have another size.
        ClientError, OSError: a frame has no cutout; those before it are there.
    """
    pattern = arguments.output
    if sys.stdin.isatty():
        raise UsageError("send frames through a pipe: ffmpeg -i ... -pix_fmt rgb24 -f rawvideo -")
    if pattern is None:
        cutter.ask_for_format(OutputFormat.RGBA)
        if sys.stdout.isatty():
            raise UsageError("frames are nothing to read: name --output, or send them into a pipe")
    else:
        named = format_of(_numbered(pattern, 1))
        if cutter.ask_for_format(named) is not named:
            raise UsageError(f"{pattern} is no name for --format {cutter.output_format.value}")
    frames = read_frames(sys.stdin.buffer, (arguments.width, arguments.height))
    cutouts = in_order(frames, lambda frame: cutter.cut_out(frame).content, arguments.jobs)
    for number, content in enumerate(cutouts, 1):
        if pattern is None:
            sys.stdout.buffer.write(content)
        else:
            write_whole(_numbered(pattern, number), content, force=cutter.force)
    sys.stdout.flush()
    return True


def _numbered(pattern: str, number: int) -> Path:
    try:
        return Path(pattern % number)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{pattern!r} has no place for a number, such as %03u") from error
