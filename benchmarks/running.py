"""The command line of all benchmarks: find one by name, run it, print it, keep it with its command and machine."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.benchmark import BENCHMARKS, Benchmark
from benchmarks.surroundings import surroundings
from colgan_search.errors import BadInput, ColganError
from colgan_search.files import atomic_path

RESULTS = Path(__file__).with_name("results")
BESIDE_THE_RESULTS = "beside the results of this repository, as NAME-DEVICE.json"


def main(words: Sequence[str]) -> int:
    """Runs `NAME [options]`; 0, or 2 for an unknown name or bad input, said in one line."""
    try:
        if not words or words[0] in ("-h", "--help"):
            print("python -m benchmarks NAME [options]; NAME --help has its options\n")
            print("\n".join(f"{one.name:<12}{one.says}" for one in BENCHMARKS))
            return 0 if words else BadInput.exit_code
        _run(BENCHMARKS.get(words[0]), words[1:])
    except ColganError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(benchmark: Benchmark, words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {benchmark.name}", description=benchmark.says)
    if benchmark.device:
        parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default cpu)")
    parser.add_argument(
        "--json", nargs="?", const="", metavar="PATH", help=f"also keep the result; without a path {BESIDE_THE_RESULTS}"
    )
    benchmark.options(parser)
    asked = parser.parse_args(words)
    device = str(asked.device) if benchmark.device else None
    place = None if asked.json is None else _place(benchmark, device, asked.json)
    command = shlex.join(["python", "-m", "benchmarks", benchmark.name, *words])
    around = surroundings(command, device, benchmark.packages)
    result = benchmark.measure(asked)
    for line in benchmark.lines(result):
        print(line)
    if place is not None:
        write(place, around | result)


def _place(benchmark: Benchmark, device: str | None, given: str) -> Path:
    """Where the result goes. BadInput, before anything runs, if nothing can go there."""
    name = benchmark.name if device is None else f"{benchmark.name}-{device.partition(':')[0]}"
    path = Path(given) if given else RESULTS / f"{name}.json"
    if path.is_dir() or not path.parent.is_dir():
        raise BadInput(f"--json {path}: name a file in a folder that is there")
    return path


def write(path: Path, result: dict[str, Any]) -> None:
    """The whole result or nothing."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
