"""Try random command lines: ``python tests/long/fuzz_command_lines.py [COUNT] [SEED]``, by default 100,000 and 0.

Prints progress, every finding with the command line that made it, and the count; exit 1 if there was a finding.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_lines import light_work, problem, random_command_line, workplace


def main(count: int = 100_000, seed: int = 0) -> int:
    """Try ``count`` command lines and return how many did what none may do."""
    rng, findings, tried, started = random.Random(seed), Counter(), Counter(), time.monotonic()
    with tempfile.TemporaryDirectory() as name, workplace(Path(name)), light_work():
        for number in range(1, count + 1):
            arguments = random_command_line(rng)
            tried[arguments[0]] += 1
            found = problem(arguments, Path(name))
            if found:
                findings[found] += 1
                if findings[found] <= 3:
                    print(f"{arguments!r}: {found}", flush=True)
            if number % 1_000 == 0 or number == count:
                rate = number / (time.monotonic() - started)
                print(f"{number:,} of {count:,}, {sum(findings.values())} findings, {rate:.0f} a second", flush=True)
    print(", ".join(f"{command or 'none'} {n:,}" for command, n in tried.most_common()))
    return sum(findings.values())


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:3])) else 0)
