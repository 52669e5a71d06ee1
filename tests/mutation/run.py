"""``make mutate``: how many faults planted in the theory do the tests find?

mutmut changes one operator, constant or argument at a time and runs the tests that reach it. The gate and its parts,
the moments, the screening rules, the token trap and the gamble are mutated in full, and a seeded sample of the
derivations with its 95 % interval, so that the run ends. Results are kept in ``mutants/``: run again to resume. Only
what a change of the code touched is tested anew; ``--again`` tries the survivors once more, after tests have been
added.

Exit 0 if each part reaches its share of killed mutants, 1 if not, 2 if mutmut could not run.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
MUTANTS = ROOT / "mutants"
KILLED, SURVIVED, TIMEOUT, UNTESTED = "killed", "survived", "killed by time", "reached by no test"
_STATUS = {1: KILLED, 3: KILLED, 0: SURVIVED, 5: UNTESTED, 33: UNTESTED, 36: TIMEOUT, 24: TIMEOUT, -24: TIMEOUT,
           152: TIMEOUT, 255: TIMEOUT}  # fmt: skip
_CHUNK = 1000  # names a command line: mutmut starts anew with each, which takes minutes


@dataclass(frozen=True)
class Part:
    """A part of the code: which mutants, how many of them, and the share that must be killed."""

    name: str
    patterns: tuple[str, ...]
    required: float
    sample: int | None = None


_MODULES = (
    "gate.law",
    "gate.order",
    "gate.prices",
    "gate.selection",
    "advantage",
    "moments",
    "screening",
    "token_trap.drifts",
    "gambling.single_arm",
)
PARTS = (
    Part(
        "modules",
        tuple(f"kondo_theory.{module}.*" for module in _MODULES),
        0.95,
    ),
    Part("derivations", ("kondo_theory.derivations.*",), 0.90, sample=600),
)


def exit_codes() -> dict[str, int | None]:
    """Return the outcome of every mutant by its name; None where it was not tried."""
    found: dict[str, int | None] = {}
    for path in sorted(MUTANTS.glob("kondo_theory/**/*.meta")):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def chosen(part: Part, names: Sequence[str], seed: int) -> list[str]:
    """Return a part's mutants, or its seeded sample: the same for the same code."""
    inside = sorted(name for name in names if any(fnmatch(name, pattern) for pattern in part.patterns))
    if part.sample is None or part.sample >= len(inside):
        return inside
    return sorted(random.Random(seed).sample(inside, part.sample))


def mutmut(*arguments: str) -> None:
    """Run mutmut, and stop with its words if it cannot."""
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if run.returncode != 0:
        print((run.stdout + run.stderr)[-4000:], file=sys.stderr)
        sys.exit(2)


def changed_lines(name: str) -> tuple[str, str]:
    """Return the mutated statement of a mutant before and after, white space folded."""
    from mutmut.__main__ import get_diff_for_mutant  # what ``mutmut show`` prints, without a process a mutant

    text = get_diff_for_mutant(name)
    lines = [line for line in text.splitlines() if not line.startswith(("---", "+++"))]
    return tuple(" ".join(" ".join(line[1:].split()) for line in lines if line[:1] == sign) for sign in "-+")  # type: ignore[return-value]


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    z = 1.959964
    centre, spread = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return (centre - spread) / (n + z * z), (centre + spread) / (n + z * z)


def run(names: Sequence[str], workers: int) -> None:
    """Try these mutants, a chunk at a time."""
    for start in range(0, len(names), _CHUNK):
        print(f"trying {start + 1} to {min(start + _CHUNK, len(names))} of {len(names)}", file=sys.stderr, flush=True)
        mutmut("run", "--max-children", str(workers), *names[start : start + _CHUNK])


def report(part: Part, names: Sequence[str], listed: bool) -> bool:
    """Print a part's counts and survivors; return whether the required share was killed."""
    codes = exit_codes()
    excused = {(e["function"], e["before"], e["after"]) for e in _equivalents()}
    counts: Counter[str] = Counter()
    for name in names:
        status = _STATUS.get(codes[name], f"exit code {codes[name]}") if codes[name] is not None else "not tried"
        if status in (SURVIVED, UNTESTED):
            before, after = changed_lines(name)
            function = name.rpartition("__mutmut_")[0].replace(".x_", ".").replace(".xǁ", ".").replace("ǁ", ".")
            if (function, before, after) in excused:
                status = "equivalent"
            elif listed:
                print(f"{status}: {name}\n  - {before}\n  + {after}")
        counts[status] += 1
    tried = sum(counts.values()) - counts["equivalent"]
    killed = counts[KILLED] + counts[TIMEOUT]
    low, high = wilson(killed, tried) if tried else (0.0, 0.0)
    kinds = ", ".join(f"{n:,} {status}" for status, n in counts.most_common())
    print(f"{part.name}: {len(names):,} mutants, {kinds}")
    interval = f" [{low:.1%}, {high:.1%}]" if part.sample else ""
    print(f"  {killed / max(tried, 1):.1%}{interval} of {tried:,} killed; required {part.required:.0%}")
    return killed >= part.required * tried and counts["not tried"] == 0


def _equivalents() -> list[dict[str, str]]:
    return tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])


def main() -> int:
    """Try what was not tried yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the sample of derivations")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--part", choices=[part.name for part in PARTS], help="only this part")
    parser.add_argument("--again", action="store_true", help="try survivors once more")
    parser.add_argument("--report", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    parts = [part for part in PARTS if arguments.part in (None, part.name)]
    if not arguments.report:
        # Any one mutant makes mutmut generate all, and drop the outcomes that a change of the code made void.
        mutmut("run", "--max-children", str(arguments.workers), "kondo_theory.gate.prices.x_kept_count__mutmut_1")
        for part in parts:
            codes = exit_codes()
            retry = {None, 0, 5, 33} if arguments.again else {None}
            run([n for n in chosen(part, list(codes), arguments.seed) if codes[n] in retry], arguments.workers)
    fine = [report(part, chosen(part, list(exit_codes()), arguments.seed), listed=True) for part in parts]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
