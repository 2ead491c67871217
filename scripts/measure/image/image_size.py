"""What fills the image: its layers, and its folders."""

from scripts.measure.image.podman import Podman

SITE_PACKAGES = "/opt/cutout/.venv/lib/python3.11/site-packages"
FOLDERS = ("/", "/opt/cutout/.venv", "/opt/cutout/build")
# Smaller packages are added up.
LEAST_MB = 15


def show_size(podman: Podman, image: str) -> None:
    """Print the size of each layer that has one, of the large folders and packages."""
    history = podman("history", "--format", "{{.Size}}\t{{.CreatedBy}}", image)
    print("size of the image by layer:")
    for layer in history.splitlines():
        layer_size, _, made_by = layer.partition("\t")
        if layer_size != "0 B":
            print(f"  {layer_size:>8}  {' '.join(made_by.split())[:80]}")
    sizes = [_megabytes(podman, image, folder)[folder] for folder in FOLDERS]
    whole, environment, archive = sizes
    print("by folder:")
    _row(whole - environment - archive, "system, nginx, this project")
    _row(archive, "archive, and the wheels of its requirements")
    _row(environment, "Python environment:")
    packages = _megabytes(podman, image, SITE_PACKAGES, depth=1)
    del packages[SITE_PACKAGES]
    large = {path: size for path, size in packages.items() if size >= LEAST_MB}
    for path, size in sorted(large.items(), key=lambda item: -item[1]):
        _row(size, f"  {path.rpartition('/')[2]}")
    _row(environment - sum(large.values()), "  all others")
    _row(whole, "in all")


def _row(megabytes: int, what: str) -> None:
    print(f"  {megabytes:5d} MB  {what}", flush=True)


def _megabytes(podman: Podman, image: str, folder: str, depth: int = 0) -> dict[str, int]:
    """Return the size of a folder of the image, and of those below it to a depth."""
    inside = ("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "du", image)
    listed = podman(*inside, "-xm", f"--max-depth={depth}", folder)
    rows = (line.split("\t") for line in listed.splitlines())
    return {path: int(size) for size, path in rows}
