"""Which installed packages a study depends on, and whether they are here."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from colgan_search.config.schema import StudyConfig
from colgan_search.errors import PluginError
from colgan_search.extensions.datasets import DATASETS
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.extensions.metrics import METRICS
from colgan_search.extensions.networks import NETWORKS
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.extensions.transfers import TRANSFERS
from colgan_search.gates import GATES
from colgan_search.registry import Registry


def members_used(config: StudyConfig) -> dict[str, str]:
    """`gate cosine` -> `colgan-cosine 1.0`: every member that the config names and an installed package brings."""
    transfers = [settings for settings in (config.transfer, config.discriminator_transfer) if settings is not None]
    used: list[tuple[Registry[Any], str]] = [
        *((GATES, gate.name) for gate in config.search.gates),
        *((TRANSFERS, settings.kind) for settings in transfers),
        (NETWORKS, config.network.name),
        (DATASETS, config.data.name),
        (EXTRACTORS, config.evaluation.extractor),
        *((METRICS, settings.name) for settings in config.evaluation.metrics),
        (SAMPLERS, config.search.sampler),
    ]
    return {
        f"{registry.kind} {name}": str(origin)
        for registry, name in used
        if (origin := registry.origin(name)) is not None
    }


def require_members(recorded: Mapping[str, str], where: str) -> None:
    """PluginError, which begins with `where`, unless the packages of `members_used` are here in these versions."""
    for member, package in recorded.items():
        kind, _, name = member.rpartition(" ")
        distribution, _, wanted = package.rpartition(" ")
        try:
            here = version(distribution)
        except (PackageNotFoundError, ValueError):
            here = None
        if here == wanted:
            continue
        state = "which is not installed here" if here is None else f"and here is {here}; scores must not mix"
        raise PluginError(
            f"{where} uses the {kind} {name!r} of package {distribution} {wanted}, {state}: "
            f"pip install {distribution}=={wanted}"
        )
