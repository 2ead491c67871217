"""The file whose class TorchServe takes, and the modules that travel with it in an archive."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HANDLER = ROOT / "handler" / "u2net_handler.py"


class HandlerError(Exception):
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
        raise HandlerError(
            f"HANDLER={handler} is no Python file that can be read: {error}"
        ) from error
    own = next((each for each in modules_beside(handler) if each.name == handler.name), None)
    if own is not None:
        raise HandlerError(
            f"HANDLER={handler} is called like {own.relative_to(ROOT)}, and an archive is one "
            "folder: give it another name"
        )
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if len(names) != 1:
        raise HandlerError(
            f"HANDLER={handler} defines {', '.join(names) or 'no class'}: TorchServe takes the "
            "only class that is defined in it. An imported one does not count; helpers go into "
            "handler/"
        )
    return handler


def modules_beside(handler: Path) -> list[Path]:
    """List the modules that travel with a handler: all of handler/ but itself."""
    modules = sorted(HANDLER.parent.glob("*.py"))
    others = [module for module in modules if module != handler.resolve()]
    return [ROOT / "preprocessing.py", *others]
