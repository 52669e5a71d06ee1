"""At which reward do answers stop learning? A grid of stall points, computed in parallel, kept, and loaded again.

    python examples/sweep.py [DIRECTORY]

Run it again: what is there is not computed twice.
"""

import sys
from pathlib import Path

from kondo_theory import advise, stall_point
from simulations.results import load
from simulations.sweeps import Sweep, run_sweep


def stall(*, vocab_size: int, n_tokens: int, rate: float) -> dict[str, float]:
    """Return the reward at which the top ``rate`` of the tokens by delight stop learning; NaN if they do not."""
    found = stall_point(rate, vocab_size, n_tokens)
    return {"stalls_at": float("nan") if found is None else found}


def main(directory: Path) -> None:
    """Sweep, load, print."""
    grid = {"vocab_size": (2, 10, 100, 1_000), "n_tokens": (4, 10, 32), "rate": (0.03, 0.1, 0.5)}
    run_sweep(Sweep("stall", stall, (grid,), kind="analytical"), directory, progress=True)

    frame = load(directory).frame  # one row a cell, in the order of the grid
    print(frame.pivot(index=["vocab_size", "n_tokens"], columns="rate", values="stalls_at").round(3))
    print()
    print(advise(vocab_size=100, n_tokens=32, rate=0.03))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/stall"))
