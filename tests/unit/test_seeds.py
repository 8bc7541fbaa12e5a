"""Seeds derived from names."""

import itertools

from colgan_search.seeds import derive_seed


def test_the_same_on_every_machine() -> None:
    # sha256sum of `[7, "trial", 12]` begins with e7f77e4cd7bb9934; shifted right by one.
    assert derive_seed(7, "trial", 12) == 0xE7F77E4CD7BB9934 >> 1


def test_every_name_its_type_and_its_place_matter() -> None:
    calls = [
        (0,),
        (1,),
        (0, 1),
        (0, "1"),
        (0, 1, 2),
        (0, 2, 1),
        (0, 12),
        (0, "a", "b"),
        (0, "ab"),
        (0, "1, 2"),
        (0, "1", "2"),
    ]
    seeds = [derive_seed(*call) for call in calls]
    assert all(a != b for a, b in itertools.combinations(seeds, 2))


def test_range_and_no_collisions_among_many() -> None:
    seeds = [derive_seed(study, "trial", trial, "z") for study in range(10) for trial in range(1000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert len(set(seeds)) == len(seeds)
    assert max(seeds) > 2**62
