"""Made-up tables of a language model: runs that end where they are told to, steps that cost what they are told."""

from functools import cache

import numpy as np
import pandas as pd

from simulations.language_model.cost import PARTS, RATES
from simulations.language_model.runs import tidy
from simulations.language_model.studies import STUDIES
from simulations.results.tables import Table

START = 0.2
END = {
    "PG": 0.5, "zero-price rows": 0.5, "row gate(25 %, abs-advantage)": 0.5, "row gate(12.5 %, abs-advantage)": 0.49,
    "token gate(3 %)": 0.02, "row gate(12.5 %)": 0.42, "row gate(12.5 %, uniform)": 0.35,
    "row gate(12.5 %, delight, surprisal per token)": 0.42,
}  # fmt: skip
"""Final rewards in a world where every criterion of learning is met; of all other methods it is 0.45."""
SHARE = {"zero-price rows": 0.55}
"""Of PG's answers, those that go backward."""


def runs(path, study, seeds, end=END, share=SHARE, noise=0.01):
    """Return the table of a study, every method ending where it should, each run a little apart."""
    frame, runs = _untrained(study, seeds)
    labels = [frame["label"].iloc[place * len(UPDATES)] for place in range(runs)]
    last = np.array([end.get(label, 0.45) for label in labels]) + noise * np.random.default_rng(0).normal(size=runs)
    reward = START + np.outer(last - START, UPDATES / 100).ravel()
    rows = np.outer([share.get(label, 1.0) for label in labels], 32 * UPDATES).ravel()
    frame = frame.assign(reward=reward, greedy_reward=reward, backward_rows=rows, backward_positions=70 * rows)
    sidecar = {"seconds": [{"sampling": 100.0, "backward": 200.0, "evaluation": 9.0}] * runs}
    return Table(frame, f"language-model-{study}", {"preset": "paper"}, sidecar, path)


UPDATES = np.arange(0, 101, 25)


@cache
def _untrained(study, seeds):
    configs = STUDIES[study].configs("paper", range(seeds))
    curve = pd.DataFrame({"update": UPDATES, "forward_rows": 32 * UPDATES, "answer_tokens": 4.0})
    return tidy(configs, [curve] * len(configs)), len(configs)


def steps(path, rounds=5, backward=20.0, few=1.0, memory=1.0, flops=1.0):
    """Return a table of timed steps; an eighth of the rows takes ``few`` times its share, and so on."""
    rng, rows = np.random.default_rng(1), []
    for rate in RATES:
        kept = max(1, round(32 * rate))
        part = kept / 32 * (few if kept == 4 else 1)
        times = np.array([7.0, 6.0, 0.001, backward * part, 0.6]) * (1 + 0.01 * rng.normal(size=(rounds, 1)))
        rows.append(
            {"reuse": False, "rate": rate, "trainable": "all", "answers": 32, "rows": kept}
            | {"backward_flops": int(1e12 * kept / 32 * (flops if kept == 4 else 1))}
            | {"peak_bytes": int(4e9 * kept / 32 * (memory if kept == 4 else 1)), "micro_peak_bytes": int(1e9 * part)}
            | {"seconds": times.tolist()}
        )
    frame = pd.DataFrame(rows)
    sidecar = {"seconds": list(frame.pop("seconds")), "parts": list(PARTS)}
    return Table(frame, "language-model-cost", {}, sidecar, path)


def frozen(path, surprisal=1.5, tokens=1.2, reward=1.0):
    """Return what rows by delight, by |advantage| and at random keep at the pretrained policy."""
    rng = np.random.default_rng(2)
    drifts = {"PG": 1.0, "row gate(12.5 %)": 0.4}
    drifts |= {"row gate(12.5 %, abs-advantage)": 0.8, "row gate(12.5 %, uniform)": 0.5}
    by_delight = {"surprisal": 3 * surprisal, "tokens": 20 * tokens, "reward": reward}
    others = {"surprisal": 3.0, "tokens": 20.0, "reward": 0.5}
    rows = [
        {"task": task, "block": block, "gate": gate, "kept_rows": 4.0}
        | _kept(by_delight if gate == "row gate(12.5 %)" else others, rng)
        | {"drift": drift, "adam_drift": drift, "squared_length": 1.0}
        for task in ("reversal-3", "spelling")
        for block in range(5)
        for gate, drift in drifts.items()
    ]
    return Table(pd.DataFrame(rows), "language-model-frozen", {}, {}, path)


def _kept(means, rng):
    """Return what a gate keeps in a block: nats, tokens and reward of four answers."""
    tokens, surprisal, reward = (
        means[name] * (1 + 0.05 * rng.normal()) for name in ("tokens", "surprisal", "reward")
    )
    return {"kept_tokens": tokens, "kept_surprisal": surprisal * tokens, "kept_reward": 4 * reward}


def aligned(path, end=END, blocks=5, **foreseen):
    """Return what is measured at a pretrained policy whose alignments foresee ``end``, but for named gates.

    ``foreseen`` are alignments by a gate's label with underscores.
    """
    rng, rows = np.random.default_rng(3), []
    for task in ("reversal-3", "spelling"):
        for block in range(blocks):
            for gate, reward in end.items():
                alignment = foreseen.get(gate.split("(")[0].replace(" ", "_"), (reward - START) / (end["PG"] - START))
                drift = 1.0 if gate == "PG" else alignment + 0.02 * rng.normal()
                rows.append(
                    {"task": task, "block": block, "gate": gate, "drift": drift, "adam_drift": drift}
                    | {"squared_length": 1.0}
                )
    return Table(pd.DataFrame(rows), "language-model-frozen", {}, {}, path)
