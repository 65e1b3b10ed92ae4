"""``make bench``: everything, in some forty minutes. ``make bench ARGS=--quick``: less of it, in under three."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.rounds import Result, play
from benchmarks.scenarios import COMPARED, SCENARIOS
from benchmarks.sizes import QUICK, Sizes
from benchmarks.stage import ROOT, stage


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, whose ratios say less; nothing that grows")
    rounds = f"how often each contender plays ({Sizes.rounds}, or {QUICK.rounds} if --quick)"
    parser.add_argument("--rounds", type=int, help=rounds)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--users", type=int, help=f"with how many users growing-users ends ({Sizes.growing_users[1]})")
    parser.add_argument("--json", type=Path, default=ROOT / "dist" / "bench.json", help="the file (%(default)s)")
    options = parser.parse_args()
    sizes = QUICK if options.quick else Sizes()
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    if options.users:
        sizes = replace(sizes, growing_users=(sizes.growing_users[0], options.users))
    names = options.only or (COMPARED if options.quick else SCENARIOS)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    results: list[Result] = []
    with stage(say) as playing:
        for name in names:
            with playing.scenario():
                results.append(play(SCENARIOS[name](playing, sizes), sizes.rounds, say))
            report.write(results, options.json, sizes.rounds)  # what is measured is kept, whatever comes after
    print(report.table(results))
    say(f"Done; every sample is in {options.json}")


if __name__ == "__main__":
    main()
