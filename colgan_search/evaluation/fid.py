"""FID by torch-fidelity's formulas; the real images' statistics are computed once per machine and cached."""

import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

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
    with _threads_of_torch():
        statistics: Statistics = fid_features_to_statistics(features)
    return statistics


def frechet_distance(ours: Statistics, reference: Statistics) -> float:
    """FID between two sets of features; `numpy.linalg.LinAlgError` if a number in them is not finite."""
    with _threads_of_torch():
        return float(fid_statistics_to_metric(ours, reference, False)[KEY_METRIC_FID])


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
