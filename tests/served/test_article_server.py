"""The article's two forms, served side by side."""

from pathlib import Path

import numpy as np

from scripts.measure.bench.article_server import list_archive
from tests.served.conftest import Served


def test_lists_and_bytes_are_the_same_cutout(served: Served, photo_files: list[Path]) -> None:
    photo = photo_files[0].read_bytes()
    store = served.config.store
    lists = store / "u2netp_tolist.mar"
    list_archive(store / "u2netp.mar", lists)
    served.api.register("u2netp_tolist", "1.0", 1)
    try:
        files, options = {"image_file": photo}, {"format": "rgba"}
        nested = served.ask("u2netp_tolist", files=files, data=options)
        plain = served.ask(files=files, data=options)
    finally:
        served.api.unregister("u2netp_tolist", "1.0")
        lists.unlink()

    pixels = np.array(nested.json(), np.uint8)
    assert pixels.tobytes() == plain.content
    assert pixels.shape[2] == 4
    assert len(nested.content) > 2 * len(plain.content)
