"""torch-fidelity's InceptionV3 computed faster: the same layers, weights and float32 arithmetic in fewer passes.

Against torch-fidelity's module: batch norms are folded into the convolutions before them, ReLU is part of the
convolution, tensors are channels_last, the resize is two products of small matrices, average pools come after their
1 x 1 convolutions, where there are fewer channels, and a batch goes through in groups that fit into caches.
docs/speed.md has what each of them gains.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3

from colgan_search.evaluation.resize import resize, resize_matrix

FEATURES, LOGITS = "2048", "logits_unbiased"
"""torch-fidelity's names of the layers that FID and IS read."""

SIDE = FeatureExtractorInceptionV3.INPUT_IMAGE_SIZE
GROUP = 8
"""Images that go through the network at once: of a larger group a CPU's caches hold too little."""

KEPT_SIZES = 8
"""Sizes of images whose resize matrices are kept."""


class FusedConv(nn.Module):
    """A convolution with its batch norm folded in, and ReLU after it unless `relu` is False."""

    def __init__(self, layer: BasicConv2d, *, relu: bool, in_one_pass: bool) -> None:
        super().__init__()
        convolution, norm = layer.conv, layer.bn
        # Folded in float64: rounded once, not once for every factor.
        mean, variance, scale, shift = (
            one.double() for one in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        weight, bias = fuse_conv_bn_weights(convolution.weight.double(), None, mean, variance, norm.eps, scale, shift)
        kind = convolution.weight.dtype
        self.weight = nn.Parameter(weight.to(kind).contiguous(memory_format=torch.channels_last), requires_grad=False)
        self.bias = nn.Parameter(bias.to(kind), requires_grad=False)
        self.stride, self.padding, self.relu = convolution.stride, convolution.padding, relu
        self.in_one_pass = one_pass_convolution() if in_one_pass else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C', H', W'], both channels_last."""
        if self.in_one_pass is not None and x.device.type == "cpu":
            after = "relu" if self.relu else "none"
            one: Tensor = self.in_one_pass(
                x, self.weight, self.bias, self.padding, self.stride, (1, 1), 1, after, [], ""
            )
            return one
        found = F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
        return F.relu_(found) if self.relu else found


def one_pass_convolution() -> Any:
    """oneDNN's convolution with ReLU in one pass over memory, as PyTorch's own compiler calls it; None without it."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    return getattr(torch.ops.mkldnn, "_convolution_pointwise", None)


class FusedInception(FeatureExtractorBase):  # type: ignore[misc]
    """The features and logits of torch-fidelity's module: uint8 [N, 3, S, S] -> ([N, 2048], [N, 1008]), float32."""

    def __init__(
        self, module: FeatureExtractorInceptionV3, *, group: int | None = GROUP, in_one_pass: bool = True
    ) -> None:
        """`group` None = the whole batch at once; `in_one_pass` False = ReLU after the convolution."""
        super().__init__(module.get_name(), [FEATURES, LOGITS])
        self.layers = nn.ModuleDict(
            {
                name.replace(".", "/"): FusedConv(
                    part, relu=not name.endswith("branch_pool") or name == LAST_POOL, in_one_pass=in_one_pass
                )
                for name, part in module.named_modules()
                if isinstance(part, BasicConv2d)
            }
        )
        self.logit_weights = nn.Parameter(module.fc.weight.detach().clone(), requires_grad=False)
        self.group = group
        self._matrices: dict[int, Tensor] = {}
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Of any S and N >= 1."""
        parts = [self._pass(part) for part in torch.split(images, self.group or len(images))]
        features, logits = (torch.cat(found) for found in zip(*parts, strict=True))
        return features, logits

    def _pass(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The names of the blocks are torch-fidelity's; the sizes are those of one image."""
        run = self._run
        x = self._resized(images)  # 3 x 299 x 299
        for name in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"):
            x = run(name, x)
        x = F.max_pool2d(x, kernel_size=3, stride=2)  # 64 x 73 x 73
        x = run("Conv2d_4a_3x3", run("Conv2d_3b_1x1", x))
        x = F.max_pool2d(x, kernel_size=3, stride=2)  # 192 x 35 x 35
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self._block_a(name, x)  # 288 x 35 x 35
        x = self._block_b("Mixed_6a", x)  # 768 x 17 x 17
        for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self._block_c(name, x)
        x = self._block_d("Mixed_7a", x)  # 1280 x 8 x 8
        for name in ("Mixed_7b", "Mixed_7c"):
            x = self._block_e(name, x)  # 2048 x 8 x 8
        features = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        return features, features @ self.logit_weights.T

    def _run(self, name: str, x: Tensor) -> Tensor:
        found: Tensor = self.layers[name](x)
        return found

    def _chain(self, block: str, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self._run(f"{block}/{name}", x)
        return x

    def _averaged(self, block: str, x: Tensor) -> Tensor:
        """Average pool and 1 x 1 convolution change places: both are linear, and a mean of biases is the bias."""
        x = self._run(f"{block}/branch_pool", x)
        return F.relu_(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False))

    def _resized(self, images: Tensor) -> Tensor:
        """[N, 3, 299, 299] in about [-1, 1]: the bytes less 128, resized, divided by 128."""
        pixels = images.to(self.logit_weights.dtype) - 128
        rows, columns = (self._matrix(size) for size in images.shape[2:])
        return resize(pixels, rows / 128, columns)

    def _matrix(self, size: int) -> Tensor:
        """To 299 from that size. 128 is a power of two, so that the quotient is exact wherever it is taken."""
        if size not in self._matrices:
            if len(self._matrices) >= KEPT_SIZES:
                self._matrices.clear()
            self._matrices[size] = resize_matrix(size, SIDE).to(self.logit_weights)
        return self._matrices[size]

    def _block_a(self, block: str, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self._chain(block, x, "branch1x1"),
                self._chain(block, x, "branch5x5_1", "branch5x5_2"),
                self._chain(block, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
                self._averaged(block, x),
            ],
            1,
        )

    def _block_b(self, block: str, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self._chain(block, x, "branch3x3"),
                self._chain(block, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
                F.max_pool2d(x, kernel_size=3, stride=2),
            ],
            1,
        )

    def _block_c(self, block: str, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self._chain(block, x, "branch1x1"),
                self._chain(block, x, *(f"branch7x7_{i}" for i in (1, 2, 3))),
                self._chain(block, x, *(f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5))),
                self._averaged(block, x),
            ],
            1,
        )

    def _block_d(self, block: str, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self._chain(block, x, "branch3x3_1", "branch3x3_2"),
                self._chain(block, x, *(f"branch7x7x3_{i}" for i in (1, 2, 3, 4))),
                F.max_pool2d(x, kernel_size=3, stride=2),
            ],
            1,
        )

    def _block_e(self, block: str, x: Tensor) -> Tensor:
        """The last one takes the maximum where the one before takes the average, as the original network does."""
        narrow = self._chain(block, x, "branch3x3_1")
        wide = self._chain(block, x, "branch3x3dbl_1", "branch3x3dbl_2")
        if f"{block}.branch_pool" == LAST_POOL:
            pooled = self._chain(block, F.max_pool2d(x, kernel_size=3, stride=1, padding=1), "branch_pool")
        else:
            pooled = self._averaged(block, x)
        return torch.cat(
            [
                self._chain(block, x, "branch1x1"),
                *(self._chain(block, narrow, name) for name in ("branch3x3_2a", "branch3x3_2b")),
                *(self._chain(block, wide, name) for name in ("branch3x3dbl_3a", "branch3x3dbl_3b")),
                pooled,
            ],
            1,
        )

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """The outputs of `forward`, in order."""
        return FEATURES, LOGITS

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """The output that torch-fidelity's `metric` reads."""
        layer: str = FeatureExtractorInceptionV3.get_default_feature_layer_for_metric(metric)
        return layer

    @staticmethod
    def can_be_compiled() -> bool:
        """Compiling for CPUs was not worth it."""
        return False


LAST_POOL = "Mixed_7c.branch_pool"
"""The one pooling branch with a maximum, which cannot change places with the convolution."""
