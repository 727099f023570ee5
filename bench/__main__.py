"""`python -m bench`: run the benchmarks and print a table; bench/README.md says what the rows mean.

    python -m bench                  speed, memory and the built-in engine
    python -m bench speed            time, beside yardsticks timed in the same run
    python -m bench memory           memory of the process tree
    python -m bench start            from a command's start to its answer, a server's to its first
    python -m bench lite             time and memory of the built-in engine, on photographs
    python -m bench engine           open models, beside llama.cpp's own server
    python -m bench peers            beside a bare handler, LiteLLM's proxy and llama.cpp's server
    python -m bench backends         before a server that answers at a fixed rate, beside that server itself
    python -m bench page             the page at /, in Chromium
    python -m bench hostile          what hostile callers cost the others; minutes
    python -m bench uploads          the Files API; minutes and gigabytes, less with --scale 0.01
    python -m bench cluster          three gateways, one killed each second while files are uploaded
    python -m bench quality ...      how well a model answers (-h for its flags)

Figures never fail anything: the exit code is 0 unless something did not work at all (1).
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from bench import (
    backends,
    cluster,
    engine,
    hostile,
    lite,
    memory,
    page,
    peers,
    quality,
    speed,
    start,
    uploads,
)
from bench.servers import Broken
from bench.table import Row, as_json, table

BENCHMARKS: Mapping[str, Callable[[], Iterable[Row]]] = {
    "speed": speed.run,
    "memory": memory.run,
    "lite": lite.run,
}
BY_NAME: Mapping[str, Callable[[], Iterable[Row]]] = {
    "backends": backends.run,
    "engine": engine.run,
    "page": page.run,
    "peers": peers.run,
    "start": start.run,
    "hostile": hostile.run,
}
"""Run only when named."""
SCALED: Mapping[str, Callable[[float], Iterable[Row]]] = {"uploads": uploads.run, "cluster": cluster.run}
"""Run only when named, in the size that `--scale` asks for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["quality"]:
        return quality.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "name", nargs="?", choices=[*BENCHMARKS, *BY_NAME, *SCALED, "quality"], help="only this one"
    )
    parser.add_argument("--scale", type=float, default=1.0, metavar="S", help="of uploads' sizes [1]")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of tables")
    options = parser.parse_args(given)
    names = [options.name] if options.name else list(BENCHMARKS)
    if not options.name:
        print(
            "speed, memory, lite; by name only: start, peers, engine, backends, page, hostile, uploads, "
            "cluster, quality (python -m bench quality -h)",
            file=sys.stderr,
        )
    found: list[Row] = []
    whole = True
    for name in names:
        plain = {**BENCHMARKS, **BY_NAME}
        rows, broken = _run(partial(SCALED[name], options.scale) if name in SCALED else plain[name])
        found += rows
        if not options.json:
            print(f"{name}, {machine()}\n{table(rows)}\n", flush=True)
        if broken:
            whole = False
            print(f"{name} ended early: {broken}", file=sys.stderr)
    if options.json:
        print(as_json(found))
    return 0 if whole else 1


def _run(benchmark: Callable[[], Iterable[Row]]) -> tuple[list[Row], str]:
    """The rows, and why there are not more of them."""
    rows: list[Row] = []
    try:
        rows.extend(benchmark())
    except (Broken, OSError) as error:
        return rows, str(error)
    except KeyboardInterrupt:
        return rows, "it was interrupted"
    return rows, ""


def machine() -> str:
    """What it ran on, and how busy that was with other work."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}, load {load:.1f}"


if __name__ == "__main__":
    sys.exit(main())
