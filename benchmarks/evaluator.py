"""Images per second through InceptionV3 with random weights, and the scores, beside torch-fidelity's own.

    python -m benchmarks evaluator --device cpu --json

One thread. Every variant scores the same images in turn; such blocks are repeated, so that a machine that slows down
slows all of them, and the first block is warm-up. The ratio is that of the times within one block, its median over all
blocks. CPU seconds stand beside those of the clock: other programs lengthen the clock's.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch_fidelity
from torch import Tensor
from torch.nn import functional as F
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from benchmarks.benchmark import Benchmark
from benchmarks.random_inception import Images, images_of_noise, random_weights
from benchmarks.timing import Seconds, spread, timed
from colgan_search.config import EvaluationSettings
from colgan_search.evaluation.fused_inception import GROUP, FusedConv, FusedInception
from colgan_search.evaluation.scores import Evaluator
from colgan_search.images import RealImages

PLAIN, FAST = "torch-fidelity", "colgan-search"
REAL_SEED, GENERATED_SEED, FIT_SEED = 1, 2, 3
SPLITS = 2


class TheirResize(FusedInception):
    """With torch-fidelity's resize."""

    def _resized(self, images: Tensor) -> Tensor:
        pixels = interpolate_bilinear_2d_like_tensorflow1x(images.float(), size=(299, 299), align_corners=False)
        return ((pixels - 128) / 128).contiguous(memory_format=torch.channels_last)


class PoolsFirst(FusedInception):
    """With average pools before their convolutions."""

    def _averaged(self, block: str, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)
        return F.relu_(self._run(f"{block}/branch_pool", pooled))


class ChannelsFirst(FusedInception):
    """With contiguous tensors, as torch-fidelity has them."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        for part in self.modules():
            if isinstance(part, FusedConv):
                part.weight.data = part.weight.data.contiguous()

    def _resized(self, images: Tensor) -> Tensor:
        return super()._resized(images).contiguous()


def variants(module: Any, batch: int, device: torch.device) -> dict[str, Callable[[Tensor], object]]:
    """Name -> what scores a set of images: torch-fidelity's module, ours, and ours with one technique switched off."""

    def plain(size: int) -> Callable[[Tensor], object]:
        return lambda images: [module(part) for part in images.split(size)]

    def fused(network: FusedInception) -> Callable[[Tensor], object]:
        network = network.to(device)
        return lambda images: [network(part) for part in images.split(batch)]

    fast = fused(FusedInception(module))

    def under_inference_mode(images: Tensor) -> object:
        with torch.inference_mode():
            return fast(images)

    return {
        PLAIN: plain(batch),
        f"{PLAIN}, in groups of {GROUP}": plain(GROUP),
        FAST: fast,
        "without groups": fused(FusedInception(module, group=None)),
        "without ReLU in the convolution": fused(FusedInception(module, in_one_pass=False)),
        "without channels_last": fused(ChannelsFirst(module)),
        "without the resize as two products": fused(TheirResize(module)),
        "without pools after convolutions": fused(PoolsFirst(module)),
        "with inference_mode for no_grad": under_inference_mode,
    }


def speeds(
    chosen: dict[str, Callable[[Tensor], object]], images: Tensor, blocks: int, device: torch.device
) -> dict[str, dict[str, Any]]:
    """Images per second of every variant, and the times as fast as torch-fidelity."""
    taken: dict[str, list[Seconds]] = {name: [] for name in chosen}
    with torch.no_grad():
        for _ in range(blocks + 1):
            for name, work in chosen.items():
                taken[name].append(timed(lambda work=work: work(images), device))  # type: ignore[misc]
    found = {}
    for name, (warm_up, *counted) in taken.items():
        plain = taken[PLAIN][1:]
        found[name] = {
            "images_per_second": spread([len(images) / one.wall for one in counted]),
            "images_per_cpu_second": spread([len(images) / one.cpu for one in counted]),
            "times_as_fast": spread([theirs.wall / one.wall for theirs, one in zip(plain, counted, strict=True)]),
            "times_as_fast_by_cpu_time": spread(
                [theirs.cpu / one.cpu for theirs, one in zip(plain, counted, strict=True)]
            ),
            "warm_up_seconds": round(warm_up.wall, 2),
        }
    return found


def scores(weights: Path, generated: Tensor, real: Tensor, batch: int, device: torch.device) -> dict[str, Any]:
    """IS and FID of the same images by `torch_fidelity.calculate_metrics` and by this program, with their times."""
    found: dict[str, Any] = {}

    def theirs() -> None:
        found[PLAIN] = torch_fidelity.calculate_metrics(
            input1=Images(generated),
            input2=Images(real),
            isc=True,
            fid=True,
            isc_splits=SPLITS,
            batch_size=batch,
            cuda=device.type == "cuda",
            cache=False,
            verbose=False,
            feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=str(weights),
        )

    settings = EvaluationSettings(
        extractor="inception",
        weights=str(weights),
        images=len(generated),
        interim_images=len(generated),
        splits=SPLITS,
        batch=batch,
        fid=True,
    )
    names = RealImages("noise", real, torch.zeros(len(real)).long(), ("any",))
    with tempfile.TemporaryDirectory() as cache:
        judge = Evaluator(settings, names, Path(cache), device)

        def ours() -> None:
            found[FAST] = judge.score_images(generated)

        seconds = {PLAIN: timed(theirs, device), FAST: timed(ours, device), f"{FAST}, again": timed(ours, device)}
    values = {
        "is_mean": (found[PLAIN]["inception_score_mean"], found[FAST].is_mean),
        "is_std": (found[PLAIN]["inception_score_std"], found[FAST].is_std),
        "fid": (found[PLAIN]["frechet_inception_distance"], found[FAST].fid),
    }
    return {
        "seconds": {name: {"wall": round(one.wall, 2), "cpu": round(one.cpu, 2)} for name, one in seconds.items()},
        **{name: {PLAIN: plain, FAST: fast, "difference": abs(plain - fast)} for name, (plain, fast) in values.items()},
    }


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--size", type=int, default=64, help="pixels of an image's side")
    parser.add_argument("--images", type=int, default=32, help="in every block")
    parser.add_argument("--batch", type=int, default=32, help="of torch-fidelity and of this program")
    parser.add_argument("--blocks", type=int, default=5, help="counted ones")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """The speed of every variant, and both programs' scores."""
    device = torch.device(asked.device)
    torch.set_num_threads(1)
    result: dict[str, Any] = {"threads": 1, "size": asked.size, "images": asked.images, "batch": asked.batch}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "inception.pth")
        module = random_weights(weights, images_of_noise(32, asked.size, FIT_SEED)).to(device)
        generated = images_of_noise(asked.images, asked.size, GENERATED_SEED, bright=0.02)
        real = images_of_noise(asked.images, asked.size, REAL_SEED)
        result["speed"] = speeds(variants(module, asked.batch, device), generated.to(device), asked.blocks, device)
        result["scores"] = scores(weights, generated, real, asked.batch, device)
    return result


def lines(result: dict[str, Any]) -> Iterator[str]:
    """One for every variant, then the scores."""
    for name, one in result["speed"].items():
        rate, ratio = one["images_per_second"], one["times_as_fast_by_cpu_time"]
        yield (
            f"{name}: {rate['median']:.1f} images/s ({rate['lowest']:.1f} to {rate['highest']:.1f}); "
            f"{one['times_as_fast']['median']:.2f} times torch-fidelity's by the clock, {ratio['median']:.2f} "
            f"({ratio['lowest']:.2f} to {ratio['highest']:.2f}) by CPU time"
        )
    yield json.dumps(result["scores"], indent=1)


EVALUATOR = Benchmark(
    "evaluator",
    "images per second through InceptionV3 with random weights, and the scores, beside torch-fidelity's",
    options,
    measure,
    lines,
    packages=("torch", "torch-fidelity", "numpy"),
)
