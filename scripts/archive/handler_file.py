"""The file whose class TorchServe takes, and the modules that travel with it in an archive."""

import ast
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.paths import ROOT

HANDLER = ROOT / "handler" / "u2net_handler.py"
PACKAGE = ROOT / "u2net_cutout"
# Of the users of a server or of an archive; no worker has them.
OUTSIDE = ("cli", "client", "local")


class HandlerError(CommandError):
    """TorchServe would not take a handler; the message says why and what to do."""


def checked_handler(handler: Path) -> Path:
    """Return a handler's file that TorchServe takes.

    Raises:
        HandlerError: it is none, is called like another module of the archive, or does not define
            exactly one class.
    """
    try:
        tree = ast.parse(handler.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise HandlerError(f"HANDLER={handler} can't be read as Python: {error}") from error
    own = archived_modules(handler).get(handler.name)
    if own is not None or handler.stem == PACKAGE.name:
        raise HandlerError(
            f"HANDLER={handler} has the name of {(own or PACKAGE).relative_to(ROOT)}, which is in "
            "every archive: rename it"
        )
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if len(names) != 1:
        raise HandlerError(
            f"HANDLER={handler} defines {', '.join(names) or 'no class'}: it must define "
            "exactly one class, which TorchServe takes. Imported classes don't count; put helpers "
            "into u2net_cutout/"
        )
    return handler


def archived_modules(handler: Path) -> dict[str, Path]:
    """Map each module's path inside an archive to its file; without the handler itself.

    They are ``preprocessing.py``, the package without what uses a server or an archive, and this
    project's handler, from which others inherit.
    """
    modules = [
        module
        for module in (ROOT / "preprocessing.py", HANDLER, *sorted(PACKAGE.rglob("*.py")))
        if module != handler.resolve()
        and not any(PACKAGE / room in module.parents for room in OUTSIDE)
    ]
    return {_place(module): module for module in modules}


def _place(module: Path) -> str:
    return module.name if module == HANDLER else module.relative_to(ROOT).as_posix()
