"""A made-up trainer for the searches of token reversal's largest sizes."""

import math

from simulations.reversal import scaling as reversal_scaling
from simulations.reversal.search import Attempt, Attempts


def longest(config, spent, budget):
    """A fake trainer: what a task takes grows with its size; a forward row is a backward row but for row gates."""
    reach = {"PG": 2, "DG": 5, "zero-price": 4, "row gate(3 %)": 4, "token gate(17 %)": 0.8}.get(config.label, 0.3)
    size = config.length * config.vocab_size / (2 if config.vocab_size == 2 else 10)
    share = 0.03 if config.method == "row-gate" else 1.0
    forward = math.ceil(10 ** (size / reach) / (1.0 if spent == "forward_rows" else share))
    limit = budget if spent == "forward_rows" else math.ceil(budget / share)
    spent_rows = min(forward, limit)
    return Attempt(forward <= limit, spent_rows, math.ceil(share * spent_rows))


EVERY = tuple(m for m in reversal_scaling.SCALES["paper"].broadest if m.method not in ("ppo", "pmpo"))
SCALE = reversal_scaling.Scale((10, 10**4, 10**5), (10**4,), seeds=2, most=64, longest=EVERY, broadest=EVERY)


def table_of(trainer, scale, path=None):
    """Run every search of a scale with a fake trainer, one file each below a directory."""
    return [
        row
        for index, search in enumerate(reversal_scaling.searches(scale))
        for row in search.run(scale, Attempts(trainer, None if path is None else path / f"{index}.json"))
    ]
