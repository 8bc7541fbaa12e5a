"""A real Slurm for the tests that are marked so."""

from collections.abc import Iterator

import pytest

from tests.cluster.one_node_slurm import OneNodeSlurm, missing


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNodeSlurm]:
    """One node, empty."""
    if (why := missing()) is not None:
        pytest.skip(why)
    node = OneNodeSlurm(tmp_path_factory.mktemp("slurm") / "node")
    node.start()
    yield node
    node.stop()
