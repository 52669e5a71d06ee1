"""Every criterion of the claims of quality and of scaling on token reversal can be missed, each by its own change."""

import numpy as np
import pandas as pd
import pytest

from kondo_theory.claims import CLAIMS
from simulations.results.sources import Source
from simulations.results.table_sizes import sizes_of_searches
from simulations.reversal.tables import Curves
from simulations.verification.checks import attributed
from simulations.verification.checks.reversal.quality import quality_rows
from simulations.verification.checks.reversal.scaling import scaling_rows
from simulations.verification.verify import judge

UPDATES = np.arange(0, 1_001, 50)
PUBLISHED = {
    "PG": 0.6, "PPO": 0.3, "PMPO": 0.1, "DG": 1e-4, "token gate(3 %)": 1e-4, "zero-price": 0.0, "row gate(3 %)": 0.0,
}  # fmt: skip
"""Final sequence errors as published, and none of the two methods of which nothing was."""

LARGEST = {
    ("vocab_size", "forward_rows", 100_000): {"zero-price": 9, "token gate(17 %)": 3},
    ("length", "forward_rows", 100_000): {"DG": 9, "PG": 3},
    ("length", "backward_rows", 10_000): {"row gate(3 %)": 9, "PG": 3},
}
"""The largest sizes solved where every criterion of scaling is met, by axis, what is spent, and budget."""


def curve(label, seed, sequence_error, reached=500):
    """A seed's errors: 1 % of the tokens are wrong no more from update ``reached`` on."""
    errors = {"sequence_error": sequence_error, "greedy_sequence_error": 0.0, "greedy_token_error": 0.0}
    token_error = np.where(reached <= UPDATES, 0.005, 0.5)
    return pd.DataFrame({"label": label, "seed": seed, "update": UPDATES, "token_error": token_error, **errors})


def judged_quality(label=None, **change):
    """The reason for the verdict on curves as published, those of one method changed."""
    runs = [
        curve(name, seed, **{"sequence_error": error} | (change if name == label else {}))
        for name, error in PUBLISHED.items()
        for seed in range(5)
    ]
    rows = quality_rows(Curves.of(pd.concat(runs), Source("test")))
    return judge(CLAIMS["reversal-quality"], None, [], rows)[1]


def test_as_published_every_criterion_of_quality_is_met():
    assert "by the criteria alone: holds in regime, all 9 measured criteria are met" in judged_quality()


@pytest.mark.control("reversal-quality")
@pytest.mark.parametrize(
    ("label", "change", "missed"),
    [
        *((label, {"sequence_error": 0.04}, "final sequence error") for label in ("PG", "PPO", "PMPO")),
        *((label, {"sequence_error": 0.9}, "final sequence error") for label in ("PPO", "PMPO")),
        *((label, {"sequence_error": 2e-3}, "final sequence error") for label in ("DG", "token gate(3 %)")),
        *(
            (label, {"reached": 2_000}, "share of seeds that reach 1 % token error within 1,000 updates")
            for label in ("PG", "DG", "zero-price", "row gate(3 %)")
        ),
    ],
)
def test_negative_control_each_criterion_of_quality_can_be_missed(label, change, missed):
    reason = judged_quality(label, **change)
    assert f"{missed}, {label} " in reason.partition("by the criteria alone: fails, missed: ")[2], reason
    assert reason.endswith("(8 of 9 hold)"), "the others are met"


def judged_scaling(**change):
    """The verdict on a search, the largest sizes of one method changed by axis, spent, label and largest."""
    rows = [
        {"axis": axis, "spent": spent, "budget": budget, "label": label, "seed": seed, "largest": largest, "most": 64}
        for (axis, spent, budget), methods in LARGEST.items()
        for label, largest in methods.items()
        for seed in range(2)
    ]
    table = pd.DataFrame(rows)
    if change:
        at = (table[["axis", "spent", "label"]] == pd.Series(change)[["axis", "spent", "label"]]).all(axis=1)
        assert at.sum() == 2
        table.loc[at, "largest"] = change["largest"]
    found = attributed(scaling_rows(table, "test"), Source("test"), sizes_of_searches(table))
    return judge(CLAIMS["reversal-scaling"], None, [], found)


def test_a_search_as_predicted_meets_every_criterion_of_scaling():
    assert judged_scaling()[0] == "holds in regime"


@pytest.mark.control("reversal-scaling")
@pytest.mark.parametrize(
    ("axis", "spent", "label", "largest", "missed"),
    [
        ("vocab_size", "forward_rows", "token gate(17 %)", 1, "largest M within 100,000 forward rows, token gate"),
        ("vocab_size", "forward_rows", "token gate(17 %)", 5, "largest M within 100,000 forward rows, token gate"),
        ("vocab_size", "forward_rows", "zero-price", 4, "zero-price / token gate"),
        ("length", "forward_rows", "DG", 2, "DG / PG"),
        ("length", "backward_rows", "row gate(3 %)", 4, "row gate(3 %) / PG"),
    ],
)
def test_negative_control_each_criterion_of_scaling_can_be_missed(axis, spent, label, largest, missed):
    found, reason = judged_scaling(axis=axis, spent=spent, label=label, largest=largest)
    assert found == "fails"
    assert missed in reason.partition("missed: ")[2], reason
    assert reason.endswith("(3 of 4 hold)"), "the others are met"
