"""A worker that keeps to its own threads, and that busy neighbours slow down but cannot stop."""

from collections.abc import MutableMapping

LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Where the libraries below PyTorch, NumPy and SciPy look for their number of threads when they are loaded."""
PINNING = ("GOMP_CPU_AFFINITY", "KMP_AFFINITY", "OMP_PLACES")
"""Inherited, these bind the first thread of every process to the same first core."""


def keep_free(environment: MutableMapping[str, str]) -> None:
    """For the environment of a process before PyTorch is loaded: no binding to a core, and no waiting in a loop.

    Processes that are bound take turns on one core while others idle. A thread that waits in a loop for another one
    takes the core that this other one needs, if neighbours have taken the rest. Who says otherwise in
    OMP_WAIT_POLICY is heard.
    """
    for name in PINNING:
        environment.pop(name, None)
    environment["OMP_PROC_BIND"] = "false"
    environment.setdefault("OMP_WAIT_POLICY", "passive")


def limit(threads: int, environment: MutableMapping[str, str]) -> None:
    """So many threads for all libraries of this process: those that are loaded, and those that come."""
    import torch
    from threadpoolctl import threadpool_limits

    for name in LIBRARIES:
        environment[name] = str(threads)
    torch.set_num_threads(threads)
    threadpool_limits(limits=threads, user_api="blas")
