"""What workers that died on this machine held: given back at once, not when their leases end."""

import logging

from colgan_search.search.budget.workers import Registry
from colgan_search.search.study.opening import OpenStudy

log = logging.getLogger(__name__)


def release_dead(study: OpenStudy) -> int:
    """Gives back the slots of workers that died on this machine, without waiting for their leases. The number."""
    registry = Registry(study.storage, study.uid)
    dead = registry.dead_here()
    if not dead:
        return 0
    released = study.slots.release_of(dead, study.config.service.max_vanished)
    registry.mark_dead(dead)
    log.info("%d slots of %d dead workers of this machine given back", released, len(dead))
    return released
