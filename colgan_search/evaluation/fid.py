"""FID as torch-fidelity has it, its matrix root by symmetric eigenvalues; the real images' statistics are cached."""

import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from colgan_search.evaluation.extraction import Extraction
from colgan_search.file_names import STATISTICS_PREFIX
from colgan_search.files import atomic_path, locked, never, require_space
from colgan_search.images import RealImages
from colgan_search.records import ShouldStop

log = logging.getLogger(__name__)

Statistics = dict[str, npt.NDArray[Any]]
"""torch-fidelity's: `mu` float32 [F] and `sigma` float64 [F, F]."""


def feature_statistics(features: Tensor) -> Statistics:
    """Mean and covariance of features [N, F] on the CPU, N >= 2."""
    from torch_fidelity.metric_fid import fid_features_to_statistics  # here: more than a second of imports

    with _threads_of_torch():
        statistics: Statistics = fid_features_to_statistics(features)
    return statistics


def covariance_root(statistics: Statistics, device: torch.device) -> Tensor:
    """R [F, F] with R R^T = the covariance: float64 on `device`. Computed once for as many distances as come."""
    values, vectors = torch.linalg.eigh(_finite(statistics["sigma"], device))
    # Rounding leaves the zeros of a singular covariance a hair below 0.
    root: Tensor = vectors * values.clamp_min(0).sqrt()
    return root


def frechet_distance(ours: Statistics, reference: Statistics, root: Tensor) -> float:
    """FID between two sets of features; `root` is `covariance_root(reference, device)`, and it is computed there.

    The trace of (S1 S2)^(1/2) is the sum of the roots of the eigenvalues of R^T S1 R with R R^T = S2, which is
    symmetric: torch-fidelity takes those of S1 S2, which are the same numbers at three times the work.
    `numpy.linalg.LinAlgError` if a number in the statistics is not finite.
    """
    device = root.device
    (mu1, sigma1), (mu2, sigma2) = (
        (_finite(one["mu"], device), _finite(one["sigma"], device)) for one in (ours, reference)
    )
    values = torch.linalg.eigvalsh(root.T @ sigma1 @ root)
    of_roots = values.clamp_min(0).sqrt().sum()
    return float((mu1 - mu2).square().sum() + sigma1.trace() + sigma2.trace() - 2 * of_roots)


def _finite(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """As float64. LAPACK's own answer to infinite numbers differs from one library to the next."""
    if not np.isfinite(array).all():
        raise np.linalg.LinAlgError("its statistics are not finite")
    return torch.from_numpy(array).to(device, torch.float64)


def _threads_of_torch() -> threadpool_limits:
    """NumPy on as many threads as torch: processes side by side that each take all cores slow each other down."""
    return threadpool_limits(limits=torch.get_num_threads(), user_api="blas")


def reference_statistics(
    extraction: Extraction, real: RealImages, digest: str, cache: Path, should_stop: ShouldStop = never
) -> Statistics:
    """Mean and covariance of the features of **all** real images. `digest` is `real.digest`.

    However many workers ask at once, one computes and the others wait. A broken cache file is replaced.
    """
    extractor = extraction.extractor
    path = cache / f"{STATISTICS_PREFIX}{extractor.name}-{extractor.weights_digest}-{digest}.npz"
    with locked(path, should_stop):
        statistics = _read(path)
        if statistics is None:
            statistics = _compute(extraction, real, should_stop)
            require_space(path.parent, sum(array.nbytes for array in statistics.values()))
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, mu=statistics["mu"], sigma=statistics["sigma"])
    return statistics


def _compute(extraction: Extraction, real: RealImages, should_stop: ShouldStop) -> Statistics:
    device = extraction.extractor.device
    features, _ = extraction.run(
        lambda start, stop: real.images[start:stop].to(device),
        len(real.images),
        f"the real images {real.name}",
        features=True,
        should_stop=should_stop,
    )
    assert features is not None  # they were asked for
    return feature_statistics(features)


def _read(path: Path) -> Statistics | None:
    """None if the file is missing or broken. Arrays only: nothing in it is ever unpickled."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            statistics = {"mu": file["mu"], "sigma": file["sigma"]}
        if statistics["sigma"].shape != statistics["mu"].shape * 2:
            raise ValueError("mu and sigma do not fit each other")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s: cannot be used (%s); the reference statistics are computed again", path, error)
        return None
    return statistics
