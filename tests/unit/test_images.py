"""Numbers that are finite are told from those that are not."""

import pytest
import torch

from colgan_search.images import all_finite

NAN, INF, LARGE = float("nan"), float("inf"), torch.finfo(torch.float32).max


@pytest.mark.parametrize(
    ("values", "finite"),
    [
        ([], True),
        ([0.0, -1.0], True),
        ([LARGE, LARGE], True),  # though their sum is not
        ([0.0, NAN], False),
        ([INF, 1.0], False),
        ([INF, -INF], False),
        ([LARGE, LARGE, -INF], False),
    ],
)
def test_all_finite(values: list[float], finite: bool) -> None:
    assert all_finite(torch.tensor(values)) is finite
