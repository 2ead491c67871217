"""A folder, or an object store, of pictures to one of cutouts, by Ray Data and an archive.

    python docs/examples/bulk_with_ray.py ARCHIVE IN OUT [--edges refined]

IN and OUT are folders, or URLs that pyarrow knows: s3://bucket/photos, gs://bucket/photos. Each
actor opens the archive once and takes one core. Pictures that OUT has cutouts of are left out, so
that the same command resumes. A picture that can't be cut out ends nothing: OUT/failures.jsonl has
its path and the reason. Nor does an actor that dies: the few pictures that it had are listed there.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Ray reports its use over the network otherwise.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from pyarrow import fs
from tqdm import tqdm

from u2net_cutout import ClientError, open_archive

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".heic", ".heif"}
FAILURES = "failures.jsonl"
# Pictures that an actor is given at once, and loses if it dies.
BLOCK = 8
DIED = "the actor died, over this picture or over one of its block: the same command tries it again"


class CutOut:
    """One actor: opens the archive once, then cuts out picture after picture."""

    def __init__(self, archive: str, source: str, target: str, options: dict[str, str]) -> None:
        self.model = open_archive(archive, threads=1)
        self.source, self.source_root = filesystem(source)
        self.target, self.target_root = filesystem(target)
        self.options = options

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """Write the cutout of one picture; return the row with the reason if there is none."""
        try:
            with self.source.open_input_stream(f"{self.source_root}/{row['picture']}") as file:
                cutout = self.model.remove(file.read(), **self.options)
            self.write(cutout_of(row["picture"]), cutout)
        except (ClientError, OSError, MemoryError) as error:
            return {**row, "reason": str(error) or type(error).__name__}
        return {**row, "reason": ""}

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        path = f"{self.target_root}/{name}"
        self.target.create_dir(str(PurePosixPath(path).parent))
        # Object stores write whole objects anyway, and moving one would be a copy.
        part = f"{path}.part" if isinstance(self.target, fs.LocalFileSystem) else path
        with self.target.open_output_stream(part) as file:
            file.write(content)
        if part != path:
            self.target.move(part, path)


def filesystem(place: str) -> tuple[fs.FileSystem, str]:
    """Return what reads and writes a folder or a URL, and the path there."""
    found, root = fs.FileSystem.from_uri(place if "://" in place else str(Path(place).resolve()))
    return found, root.rstrip("/")


def cutout_of(picture: str) -> str:
    """Return the name of a picture's cutout; a.jpg and a.png have one each."""
    return f"{picture}.png"


def files_in(place: str) -> Iterator[str]:
    """List the files in a folder and below, by their paths from there."""
    store, root = filesystem(place)
    selector = fs.FileSelector(root, allow_not_found=True, recursive=True)
    for info in store.get_file_info(selector):
        if info.type == fs.FileType.File:
            yield str(PurePosixPath(info.path).relative_to(PurePosixPath(root)))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", help="at the same path on each node")
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--edges", default="matte")
    parser.add_argument("--actors", type=int, help="by default, one for each core")
    arguments = parser.parse_args()

    done = set(files_in(arguments.target))
    todo = [
        {"picture": name}
        for name in files_in(arguments.source)
        if PurePosixPath(name).suffix.lower() in SUFFIXES and cutout_of(name) not in done
    ]
    ray.init(include_dashboard=False)
    actors = arguments.actors or int(ray.cluster_resources()["CPU"])
    failures = cut_out(todo, actors, arguments) if todo else []

    print(f"{len(todo) - len(failures)} done, {len(failures)} failed")
    target, root = filesystem(arguments.target)
    target.create_dir(root)
    with target.open_output_stream(f"{root}/{FAILURES}") as file:
        file.write("".join(f"{json.dumps(row)}\n" for row in failures).encode())
    sys.exit(1 if failures else 0)


def cut_out(
    todo: list[dict[str, str]], actors: int, arguments: argparse.Namespace
) -> list[dict[str, str]]:
    """Cut all pictures out; return the rows of those that can't be."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # it counts blocks
    context.max_errored_blocks = -1
    options = {"edges": arguments.edges}
    # Where few are left, as after a death, each is a block.
    blocks = max(-(-len(todo) // BLOCK), min(len(todo), BLOCK * actors))
    rows = ray.data.from_items(todo, override_num_blocks=blocks).map(
        CutOut,
        fn_constructor_args=(arguments.archive, arguments.source, arguments.target, options),
        compute=ray.data.ActorPoolStrategy(size=min(actors, len(todo))),
        num_cpus=1,
        max_task_retries=1,
    )
    reasons = {row["picture"]: DIED for row in todo}
    for row in tqdm(rows.iter_rows(), total=len(todo), unit="picture"):
        reasons[row["picture"]] = row["reason"]
    return [{"picture": name, "reason": why} for name, why in reasons.items() if why]


if __name__ == "__main__":
    main()
