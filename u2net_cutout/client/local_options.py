"""Which options a cutout made at home can have; known without NumPy and before anything is sent."""

from collections.abc import Mapping

from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.options import CutoutOptions, Edges, read_options

# What can be done without the server, which alone knows where the subject is.
POSSIBLE = frozenset({"format", "quality", "channels", "edges"})


def check_possible(fields: Mapping[str, str]) -> CutoutOptions:
    """Return the options, understood.

    Raises:
        UsageError: one of them needs the whole picture at the server.
    """
    options = read_options(fields)
    impossible = sorted(fields.keys() - POSSIBLE)
    if impossible or ("edges" in fields and options.edges is not Edges.PLAIN):
        name = impossible[0] if impossible else f"edges={options.edges.value}"
        raise UsageError(f"composite can't be had with {name}: the server must see the picture")
    return options
