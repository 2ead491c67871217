import subprocess
import sys

import pytest

from tests.conftest import ROOT
from u2net_cutout.network.variant import VARIANTS


def test_variants_are_found_by_their_names() -> None:
    assert {name: variant.name for name, variant in VARIANTS.items()} == {
        "u2net": "u2net",
        "u2net_human_seg": "u2net_human_seg",
        "u2netp": "u2netp",
        "isnet": "isnet",
        "isnet_anime": "isnet_anime",
    }


@pytest.mark.parametrize(
    ("name", "size", "resolution", "maps"), [("u2net", 320, 320, 7), ("isnet", 1024, 512, 6)]
)
def test_the_sizes_are_the_authors(name: str, size: int, resolution: int, maps: int) -> None:
    variant = VARIANTS[name]

    assert (variant.size, variant.resolution, variant.map_count) == (size, resolution, maps)


def test_a_command_reads_the_numbers_without_loading_torch() -> None:
    program = "import sys, u2net_cutout.network.variant; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
