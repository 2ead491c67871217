"""What the members of an archive may be called. Needs no library: commands ask in a bare Python."""

import re
from collections import Counter
from collections.abc import Sequence

MANIFEST = "MAR-INF/MANIFEST.json"
# A file beside the manifest's folder, or a module of the package; no part begins with a dot.
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
MODULE = re.compile(r"u2net_cutout(/[A-Za-z0-9_][A-Za-z0-9_]*)+\.py")


def check_names(names: Sequence[str]) -> None:
    """Refuse what would be unpacked elsewhere, or what two programs could read differently.

    Raises:
        ValueError: there is such a name.
    """
    strange = [
        name
        for name in names
        if name != MANIFEST and not FILE.fullmatch(name) and not MODULE.fullmatch(name)
    ]
    strange += [name for name, count in Counter(names).items() if count > 1]
    if strange:
        raise ValueError(f"it has members of strange names: {', '.join(strange)}")
