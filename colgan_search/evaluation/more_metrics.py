"""KID, precision and recall, by torch-fidelity's own functions, beside the inception score and FID."""

import torch
from pydantic import Field
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch_fidelity.defaults import DEFAULTS
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from colgan_search.errors import DataError
from colgan_search.evaluation.extraction import Extraction
from colgan_search.evaluation.scores import Evaluator
from colgan_search.records import Record


class MoreScores(Record):
    """Scores of one set of images against the real ones, on the features that FID is computed from."""

    real_images: int = Field(description="real images that were compared with: all of them")
    kid_mean: float | None = Field(None, description="kernel distance, lower is better; about 0 for equal sets")
    kid_std: float | None = Field(None, description="over the subsets")
    kid_subsets: int | None = None
    kid_subset_size: int | None = Field(None, description="images per subset; torch-fidelity's, or fewer if need be")
    precision: float | None = Field(None, description="share of the images that look real, 0..1")
    recall: float | None = Field(None, description="share of the real images that are covered, 0..1")
    neighbours: int | None = Field(None, description="k of the nearest neighbours behind precision and recall")


def real_features(evaluator: Evaluator) -> Tensor:
    """The features [N, F] of all real images, on the CPU."""
    return image_features(evaluator, evaluator.real.images, "the real images")


def image_features(evaluator: Evaluator, images: Tensor, what: str) -> Tensor:
    """The features [N, F] of images, uint8 [N, C, S, S] like the real ones, on the CPU. `what` names them in errors."""
    features, _ = Extraction(evaluator.extractor, evaluator.settings.batch).run(
        lambda start, stop: images[start:stop].to(evaluator.device), len(images), what, features=True
    )
    assert features is not None  # they were asked for
    return features


def require_neighbours(images: int, real: int) -> None:
    """DataError unless both sets are large enough for precision and recall: every image and its neighbours."""
    needed = DEFAULTS["prc_neighborhood"] + 1
    for count, what in ((images, "images"), (real, "real images")):
        if count < needed:
            raise DataError(f"precision and recall need at least {needed} {what}; here are {count}")


def more_scores(features: Tensor, real: Tensor, *, kid: bool, precision_recall: bool) -> MoreScores:
    """KID and/or precision and recall of features [N, F] against the real images' [M, F], both on the CPU.

    DataError if they are too few for precision and recall.
    """
    found: dict[str, float | int] = {}
    with threadpool_limits(limits=torch.get_num_threads(), user_api="blas"):
        if kid:
            size = min(DEFAULTS["kid_subset_size"], len(features), len(real))
            metric = kid_features_to_metric(features, real, kid_subset_size=size, verbose=False)
            found["kid_mean"], found["kid_std"] = metric[KEY_METRIC_KID_MEAN], metric[KEY_METRIC_KID_STD]
            found["kid_subsets"], found["kid_subset_size"] = DEFAULTS["kid_subsets"], size
    if precision_recall:
        require_neighbours(len(features), len(real))
        # The generated images go first. save_cpu_ram: the same numbers without an N x M matrix (10 GB for 50,000).
        metric = prc_features_to_metric(features, real, save_cpu_ram=True, verbose=False)
        found["precision"], found["recall"] = metric[KEY_METRIC_PRECISION], metric[KEY_METRIC_RECALL]
        found["neighbours"] = DEFAULTS["prc_neighborhood"]
    return MoreScores.model_validate({"real_images": len(real), **found})
