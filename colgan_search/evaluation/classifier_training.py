"""How the classifier extractor is trained: fixed split, seeds and threads, so that the same bits come out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from colgan_search.errors import Interrupted
from colgan_search.files import never
from colgan_search.images import RealImages
from colgan_search.long_work import tell
from colgan_search.records import ShouldStop
from colgan_search.seeds import derive_seed

BATCH = 128
LEARNING_RATE = 1e-3
HELD_OUT_SHARE = 0.1


def train_classifier(module: nn.Module, real: RealImages, epochs: int, should_stop: ShouldStop = never) -> float:
    """Trains `module` (uint8 images -> (features, logits)) from scratch on nine tenths of `real`.

    Returns the accuracy on the held-out tenth, 0..1. Adam with a cosine schedule on the cross-entropy.
    Interrupted if `should_stop` turns true between two batches.
    """
    device = next(module.parameters()).device
    order = torch.randperm(len(real.images), generator=_generator("split"))
    held_out, kept = order.tensor_split([max(1, int(HELD_OUT_SHARE * len(order)))])
    images, labels = real.images.to(device), real.labels.to(device)
    with _reproducible(device):
        _initialise(module.cpu())  # on the CPU, so that every device starts from the same weights
        module.to(device).train()
        optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE, fused=True)
        batches = -(-len(kept) // BATCH)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
        shuffle = _generator("shuffle")
        for epoch in range(epochs):
            tell("training the classifier", epoch, epochs)
            for chosen in kept[torch.randperm(len(kept), generator=shuffle)].to(device).tensor_split(batches):
                if should_stop():
                    raise Interrupted(f"stopped while training the classifier (epoch {epoch + 1} of {epochs})")
                loss = nn.functional.cross_entropy(module(images[chosen])[1], labels[chosen])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        tell("training the classifier", epochs, epochs)
        return _accuracy(module.eval(), images, labels, held_out.to(device))


def _accuracy(module: nn.Module, images: Tensor, labels: Tensor, chosen: Tensor) -> float:
    with torch.no_grad():
        right = [
            (module(images[part])[1].argmax(1) == labels[part]).sum().item()
            for part in chosen.tensor_split(-(-len(chosen) // 256))
        ]
    return float(sum(right) / len(chosen))


def _initialise(module: nn.Module) -> None:
    """torch's own initial weights, drawn from our seed whatever the global random state was."""
    torch.manual_seed(derive_seed(0, "classifier", "weights"))
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            part.reset_parameters()


def _generator(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(0, "classifier", name))


@contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """One CPU thread, cuDNN's deterministic kernels, and the global random state put back afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
