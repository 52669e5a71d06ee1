"""Predictions from the pretrained policy, and how they are compared with runs: rules on made-up blocks and curves."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulations.language_model.frozen.estimates import row_residuals
from simulations.language_model.predictions import (
    Estimate,
    frozen_blocks,
    gate_estimates,
    observed_outcome,
    predicted_orders,
    predicted_outcomes,
    score,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "language-model.md"
TRUTH = {"PG": (1.0, 1.0), "quarter": (0.4, 0.25), "junk": (0.01, 0.04), "bad": (-0.2, 0.25), "gradient": (1.0, 1.0)}
"""Of each gate the mean drift and squared length; the alignments are 1, 0.8, 0.05 and −0.4."""


def blocks(rng, n_blocks=8, noise=0.1, task="t"):
    """Blocks of one task; what they have in common scatters twice as much as what each gate has for itself."""
    common = rng.normal(0, 2 * noise, n_blocks)
    rows = []
    for gate, (drift, square) in TRUTH.items():
        mine = drift * (1 + common) + rng.normal(0, noise * math.sqrt(square), n_blocks)
        length = square * np.exp(rng.normal(0, noise, n_blocks))
        rows += [
            {"task": task, "gate": gate, "block": block, "drift": mine[block], "adam_drift": 2 * mine[block],
             "squared_length": length[block]}
            for block in range(n_blocks)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def test_standard_errors_are_those_of_many_repetitions():
    rng = np.random.default_rng(0)
    found = [gate_estimates(blocks(rng)).set_index("gate") for _ in range(80)]
    for name, expected in (("drift", -0.2), ("alignment", -0.4), ("adam_drift", -0.2), ("length", 0.5)):
        values, errors = (np.array([each.loc["bad", column] for each in found]) for column in (name, f"{name}_error"))
        true = values.std()
        assert abs(values.mean() - expected) < 4 * true / math.sqrt(80), name
        assert math.sqrt((errors**2).mean()) == pytest.approx(true, rel=0.3), name
        coverage = (abs(values - expected) < 2 * errors).mean()
        assert 0.8 < coverage < 0.99, name  # Student's t with 7 degrees of freedom: 0.91
    assert all(each.loc["PG", "alignment"] == 1 and each.loc["PG", "alignment_error"] == 0 for each in found)
    unpaired = math.hypot(*(np.std([each.loc["bad", "drift"] for each in found]) for _ in range(2)))
    assert unpaired > true, "a control: gates share the blocks"


def test_outcomes_are_decided_by_the_alignment_and_its_error():
    frame = blocks(np.random.default_rng(1), noise=0.02)
    outcomes = {each.gate: each.predicted for each in predicted_outcomes(frame)}
    assert outcomes == {"PG": "learns", "quarter": "learns", "junk": "stalls", "bad": "falls"}
    noisy = {each.gate: each.predicted for each in predicted_outcomes(blocks(np.random.default_rng(1), noise=0.9))}
    assert noisy["junk"] == "undecided"
    one = {each.gate: each.predicted for each in predicted_outcomes(frame[frame["block"] == 0])}
    assert set(one.values()) == {"undecided"}, "one block has no standard error"
    nothing = frame.assign(drift=0.0, squared_length=0.0)
    assert {each.predicted for each in predicted_outcomes(nothing)} == {"undecided"}
    assert Estimate(0.3, 0.1).is_above(0.09)
    assert not Estimate(0.3, 0.1).is_above(0.11)


def test_orders_name_the_faster_and_leave_out_what_is_near():
    frame = blocks(np.random.default_rng(1), noise=0.02)
    orders = {(each.faster, each.slower) for each in predicted_orders(frame)}
    assert orders == {("PG", "quarter"), ("PG", "junk"), ("PG", "bad"), ("quarter", "junk"), ("quarter", "bad"),
                      ("junk", "bad")}  # fmt: skip
    twin = frame[frame["gate"] == "quarter"].assign(gate="twin")
    twin["drift"] *= 1.05
    more = {frozenset((each.faster, each.slower)) for each in predicted_orders(pd.concat([frame, twin]))}
    assert frozenset(("quarter", "twin")) not in more


@pytest.mark.parametrize(
    ("initial", "final", "outcome"),
    [
        (0.2, 0.26, "learns"),
        (0.2, 0.24, "stalls"),
        (0.2, 0.16, "stalls"),
        (0.2, 0.14, "falls"),
        (0.04, 0.01, "falls"),
    ],
)
def test_what_runs_did(initial, final, outcome):
    assert observed_outcome(initial, final) == outcome


def curves(finals, seeds=2):
    return pd.DataFrame(
        {"task": "t", "label": gate, "seed": seed, "update": update, "reward": reward}
        for gate, final in finals.items()
        for seed in range(seeds)
        for update, reward in ((0, 0.2), (50, (0.2 + final) / 2 + 0.01 * seed), (100, final + 0.01 * seed))
    )


def test_predictions_hold_or_fail():
    frame = blocks(np.random.default_rng(1), noise=0.02)
    true = score(frame, curves({"PG": 0.6, "quarter": 0.5, "junk": 0.21, "bad": 0.05}))
    assert (len(true.outcomes), true.true_outcomes, len(true.orders), true.true_orders) == (3, 3, 6, 6)
    assert true.holds
    assert not true.reversed
    half = score(frame, curves({"PG": 0.6, "quarter": 0.7, "junk": 0.21}))
    assert (half.true_outcomes, half.true_orders, len(half.orders)) == (2, 2, 3)
    assert not half.holds, "two orders of three"
    fell = score(frame, curves({"PG": 0.6, "bad": 0.4}))
    assert (fell.reversed, fell.true_orders, fell.holds) == (1, 1, False)
    early = curves({"PG": 0.6, "quarter": 0.6})
    early.loc[(early["label"] == "PG") & (early["update"] == 50), "reward"] = 0.59
    assert score(frame, early).true_orders == 1, "who is there earlier counts"
    assert score(frame, early.assign(task="another")).outcomes == ()


def test_the_residual_of_a_gates_rows_is_what_the_advantage_does_not_explain():
    """s = 3 A + e with E[G e²] = 0.5 c² E[G A²] for one gate, and 2 for the other."""
    moments = {"PG": (1.0, 3.0, 10.0), "near": (0.5, 1.5, 4.5 + 2.25), "far": (0.5, 2.0, 9 + 12 - 4.5)}
    rows = [
        {"task": "t", "gate": gate, "block": block, "row_aa": aa, "row_as": cross, "row_ss": ss}
        for gate, (aa, cross, ss) in moments.items()
        for block in range(3)
    ]
    token = [{"task": "t", "gate": "token", "block": block} for block in range(3)]
    found = row_residuals(pd.DataFrame([*rows, *token])).set_index("gate")
    assert found["residual"].to_dict() == pytest.approx({"PG": 1 / 9, "near": 0.5, "far": 2.0})
    assert found["residual_error"].max() < 1e-9


def test_of_every_task_the_larger_table_counts(tmp_path):
    from simulations.results.tables import save

    rng = np.random.default_rng(0)
    small = pd.concat([blocks(rng, 2, task="a"), blocks(rng, 2, task="b")], ignore_index=True)
    for name, frame in (("quick", small), ("paper", blocks(rng, 5, task="a"))):
        save(
            frame,
            tmp_path / f"language-model-frozen-{name}.parquet",
            kind="language-model-frozen",
            config={},
            sidecar={},
        )
    found = frozen_blocks(tmp_path)
    assert found.groupby("task")["block"].nunique().to_dict() == {"a": 5, "b": 2}
    assert frozen_blocks(tmp_path / "nowhere").empty
    assert predicted_outcomes(frozen_blocks(tmp_path / "nowhere")) == []


def test_no_torch_is_needed():
    code = "import sys, simulations.language_model.predictions; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_says_what_was_measured_and_predicted():
    found = frozen_blocks()
    outcomes = {(each.task, each.gate): each.predicted for each in predicted_outcomes(found)}
    table = {(each["task"], each["gate"]): each for each in gate_estimates(found).to_dict("records")}
    section = PAGE.read_text(encoding="utf-8").partition("## Predicted before training")[2].partition("\n## ")[0]
    shown = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(shown) == len({gate for _, gate in outcomes})
    for line in shown:
        gate, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        by_column = [cell.split(", ") * (1 if ", " in cell else 2) for cell in cells]
        for task, (_, _, drift, alignment, predicted) in zip(
            ("reversal-3", "spelling"), zip(*by_column, strict=True), strict=True
        ):
            row = table[task, gate]
            for name, text in (("drift", drift), ("alignment", alignment)):
                error = round(100 * row[f"{name}_error"])  # in units of the last digit
                shown_error = f"({error})" if error else ""
                assert text == f"{row[name]:.2f}{shown_error}".replace("-", "−"), (gate, task, name)
            assert predicted == outcomes[task, gate]
