"""The program itself, ended at the first step of the first optimizer: `python -m benchmarks.first_step worker ...`."""

import os
import sys

from torch.optim.optimizer import register_optimizer_step_post_hook

from colgan_search.cli.app import run


def _end(*_: object) -> None:
    os._exit(0)


if __name__ == "__main__":
    register_optimizer_step_post_hook(_end)
    run(sys.argv[1:])
    sys.exit("no optimizer has made a step")
