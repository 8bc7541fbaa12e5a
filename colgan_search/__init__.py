"""Search for the best knowledge transfer graph of collaborative GANs (Tsukahara et al., VISAPP 2021).

These names are what its users need; docs/api.md has them with an example. Each is imported at its first use (PEP 562),
so that `import colgan_search` waits neither for PyTorch nor for the database.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from colgan_search.version import __version__

if TYPE_CHECKING:
    from colgan_search import errors, presets
    from colgan_search.api.confirmation import confirm
    from colgan_search.api.enqueueing import enqueue
    from colgan_search.api.evaluating import EvaluateRequest, evaluate
    from colgan_search.api.reporting import report
    from colgan_search.api.studies import Status, Study, Trial, launch, open_study, results
    from colgan_search.api.training import Trained, train
    from colgan_search.config import StudyConfig, load_config
    from colgan_search.graph import KnowledgeTransferGraph
    from colgan_search.roster import Roster
    from colgan_search.sampling.sampler import GraphSampler
    from colgan_search.sampling.winner import name_winner

__all__ = [
    "EvaluateRequest",
    "GraphSampler",
    "KnowledgeTransferGraph",
    "Roster",
    "Status",
    "Study",
    "StudyConfig",
    "Trained",
    "Trial",
    "__version__",
    "confirm",
    "enqueue",
    "errors",
    "evaluate",
    "launch",
    "load_config",
    "name_winner",
    "open_study",
    "presets",
    "report",
    "results",
    "train",
]

_LATER = {
    "EvaluateRequest": "api.evaluating:EvaluateRequest",
    "GraphSampler": "sampling.sampler:GraphSampler",
    "KnowledgeTransferGraph": "graph:KnowledgeTransferGraph",
    "Roster": "roster:Roster",
    "Status": "api.studies:Status",
    "Study": "api.studies:Study",
    "StudyConfig": "config:StudyConfig",
    "Trained": "api.training:Trained",
    "Trial": "api.studies:Trial",
    "confirm": "api.confirmation:confirm",
    "enqueue": "api.enqueueing:enqueue",
    "errors": "errors",
    "evaluate": "api.evaluating:evaluate",
    "launch": "api.studies:launch",
    "load_config": "config:load_config",
    "name_winner": "sampling.winner:name_winner",
    "open_study": "api.studies:open_study",
    "presets": "presets",
    "report": "api.reporting:report",
    "results": "api.studies:results",
    "train": "api.training:train",
}
"""Name -> where it is: a module, or a module and a name in it."""


def __getattr__(name: str) -> Any:
    """Called by Python for a name that is not here yet."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"{__name__}.{_LATER[name]}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
