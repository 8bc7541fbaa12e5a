"""Workers keep to their threads, and are bound to no core."""

import os
import subprocess
import sys

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from colgan_search.launchers import cores

LOADED = """
import os
from colgan_search.launchers.cores import keep_free
keep_free(os.environ)
import torch
torch.nn.Conv2d(8, 8, 3)(torch.ones(8, 8, 9, 9))
print(sorted(os.sched_getaffinity(0)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_what_is_inherited_binds_no_worker_to_the_first_core() -> None:
    binding = {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores", "GOMP_CPU_AFFINITY": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", LOADED], env=os.environ | binding, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == str(sorted(os.sched_getaffinity(0)))


def test_an_own_choice_of_waiting_is_heard() -> None:
    environment = {"OMP_WAIT_POLICY": "active", "KMP_AFFINITY": "compact", "PATH": "/bin"}
    cores.keep_free(environment)
    assert environment == {"OMP_WAIT_POLICY": "active", "OMP_PROC_BIND": "false", "PATH": "/bin"}
    environment = {}
    cores.keep_free(environment)
    assert environment == {"OMP_WAIT_POLICY": "passive", "OMP_PROC_BIND": "false"}


def test_all_libraries_get_the_number_of_threads() -> None:
    environment: dict[str, str] = {}
    before = torch.get_num_threads()
    with threadpool_limits(limits=None):  # puts back what was there
        try:
            cores.limit(1, environment)
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
        finally:
            torch.set_num_threads(before)
    assert environment == dict.fromkeys(cores.LIBRARIES, "1")
