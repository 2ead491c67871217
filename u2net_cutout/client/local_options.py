"""The options of a local cutout; known without NumPy and before anything is sent."""

from collections.abc import Mapping

from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.options import CutoutOptions, Edges, read_options

# Those that need no more of the server than a matte.
POSSIBLE = frozenset({"format", "quality", "channels", "edges"})


def check_possible(fields: Mapping[str, str]) -> CutoutOptions:
    """Return the options, parsed.

    Raises:
        UsageError: one of them needs the whole picture at the server.
    """
    options = read_options(fields)
    impossible = sorted(fields.keys() - POSSIBLE)
    if impossible or ("edges" in fields and options.edges is not Edges.PLAIN):
        name = impossible[0] if impossible else f"edges={options.edges.value}"
        raise UsageError(f"composite excludes {name}, for which the server needs the whole picture")
    return options
