"""The documents and their commands: ```sh and ```python blocks, in the order of reading."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+\.md)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """Commands of a document, and the line at which they begin."""

    language: str
    text: str
    line: int

    @property
    def script(self) -> str:
        """The block in bash."""
        if self.language == "sh":
            return self.text
        return f"python - <<'END_OF_PYTHON'\n{self.text}END_OF_PYTHON\n"


def blocks(text: str) -> list[Block]:
    """Return the blocks of a document that are run."""
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 2)
        for found in BLOCK.finditer(text)
    ]


def documents(root: Path) -> list[Path]:
    """Return README.md and all documents that it leads to, in the order of links, below `root`."""
    found = [Path("README.md")]
    for document in found:
        text = (root / document).read_text(encoding="utf-8")
        for link in LINK.findall(text):
            target = Path(os.path.normpath(document.parent / link))
            if target not in found and (root / target).is_file():
                found.append(target)
    return found
