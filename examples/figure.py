"""Redraw a figure for a paper: another width, and a panel of one's own beside it.

python examples/figure.py [DIRECTORY]
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from kondo_theory import learning_time
from paper_figs import draw


def main(directory: Path) -> None:
    """Draw one of the package's figures, and one of a closed form."""
    directory.mkdir(parents=True, exist_ok=True)
    figure = draw("learning-time", width="column")  # 3.3 inches; "page" is 6.9
    figure.savefig(directory / "learning-time.pdf")

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    # The closed forms broadcast over arrays: a figure of your own is a few lines.
    n_arms = np.unique(np.geomspace(2, 1_000, 40).astype(int))
    own, ax = plt.subplots(figsize=(3.3, 2.4), layout="constrained")
    for method in ("pg", "zero-price"):
        ax.loglog(n_arms, learning_time(method, n_arms, 0.9, baseline=0.5), label=method)
    ax.set(xlabel="arms K", ylabel="time to p = 0.9, batches", title="Learning time from the uniform policy")
    ax.legend()
    own.savefig(directory / "own.pdf")
    print(*sorted(directory.glob("*.pdf")), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "figures/example"))
