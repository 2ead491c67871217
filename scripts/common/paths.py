"""Where the repository's own files are, and what lies where in a build folder."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# The tests' and the measurements' own photo: NASA, public domain.
PHOTO = DOCS / "astronaut.jpg"


def weights_of(build: Path, model: str) -> Path:
    """Return where the converted weights of a model are."""
    return build / "weights" / f"{model}.pth"


def archive_of(build: Path, model: str) -> Path:
    """Return where the archive of a model is."""
    return build / "model-store" / f"{model}.mar"
