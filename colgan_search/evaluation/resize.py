"""TensorFlow 1's bilinear resize, which InceptionV3 was trained with, as two products of small matrices."""

import torch
from torch import Tensor


def resize_matrix(size: int, wanted: int) -> Tensor:
    """[wanted, size], float32: the weights of the old pixels of one side in every new one; each row sums to 1.

    New pixel i lies at i * size / wanted (corners not aligned, no half pixels), beyond the last one at the last one.
    Positions and weights are those of torch-fidelity's `interpolate_bilinear_2d_like_tensorflow1x`, to the bit.
    """
    position = torch.arange(0, wanted, dtype=torch.float32) * torch.tensor(size / wanted, dtype=torch.float32)
    below = position.long()
    above = (below + 1).clamp_max(size - 1)
    share = position - below.float()
    rows = torch.arange(wanted)
    matrix = torch.zeros(wanted, size)
    matrix[rows, below] = 1 - share
    matrix[rows, above] += share
    return matrix


def resize(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, H', W'] in channels_last, by `rows` [H', H] and `columns` [W', W] of `resize_matrix`.

    The width goes first: what is rearranged to channels_last on the way is then the smaller of the two results.
    """
    count, channels, height, width = images.shape
    wide = (images.reshape(-1, width) @ columns.T).view(count, channels, height, -1)
    lines = wide.permute(0, 2, 3, 1).reshape(count, height, -1)
    return (rows @ lines).view(count, len(rows), len(columns), channels).permute(0, 3, 1, 2)
