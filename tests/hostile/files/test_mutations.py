from random import Random

from tests.hostile.files.mutations import broken, cuts
from tests.hostile.files.samples import samples


def test_small_files_are_cut_at_every_byte_and_others_at_every_kilobyte() -> None:
    assert list(cuts(bytes(5))) == [0, 1, 2, 3, 4]
    assert list(cuts(bytes(5000))) == [0, 1024, 2048, 3072, 4096]


def test_a_seed_breaks_a_file_in_its_own_way() -> None:
    jpeg, others = samples()["jpeg"], list(samples().values())

    assert broken(Random(1), jpeg, others) == broken(Random(1), jpeg, others)
    assert len({broken(Random(seed), jpeg, others) for seed in range(100)} - {jpeg}) > 90
