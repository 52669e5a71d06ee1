"""What the rows of the claim on the largest sizes say of tables, altered ones included."""

import math
from dataclasses import replace

import pandas as pd
from reversal_worlds import context
from scaling_searches import SCALE, longest, table_of

from kondo_theory.claims import CLAIMS
from simulations.results.merging import MeasuredTables
from simulations.results.sources import Source
from simulations.results.table_sizes import sizes_of_searches
from simulations.results.tables import load, save
from simulations.verification.checks import attributed
from simulations.verification.checks.reversal.scaling import scaling, scaling_rows
from simulations.verification.verify import judge


def test_the_scaling_claim_is_judged_by_its_ratios(tmp_path, monkeypatch):
    table = pd.DataFrame(table_of(longest, SCALE))
    rows = scaling_rows(table, "test")
    claim = CLAIMS["reversal-scaling"]

    def verdict_on(table):
        rows = attributed(scaling_rows(table, "test"), Source("test"), sizes_of_searches(table))
        return judge(claim, None, [], rows)

    assert verdict_on(table)[0] == "holds in regime"
    gate = table["label"] == "row gate(3 %)"
    worse = table.assign(largest=table["largest"].where(~gate | (table["spent"] == "forward_rows"), 8))
    assert verdict_on(worse)[0] == "fails"
    asked = "the rule asks for"
    small = table[table["budget"] < 10**5]
    assert verdict_on(small) == ("not run", f"10,000 forward rows; {asked} 100,000")
    assert verdict_on(small[small["seed"] == 0]) == (
        "not run",
        f"10,000 forward rows and 1 seed; {asked} 100,000 and 2",
    )
    part = table[table["label"] == "PG"]
    path = save(part, tmp_path / "part.parquet", kind="reversal-scaling", config={"preset": "quick"}, sidecar={})
    found = scaling(replace(context("smoke"), tables=MeasuredTables([load(path)])))
    assert judge(claim, None, [], found)[0] in ("holds in regime", "fails"), "a part of a user's own is completed"
    path = save(table, tmp_path / "scaling.parquet", kind="reversal-scaling", config={"preset": "quick"}, sidecar={})
    found = scaling(replace(context("smoke"), tables=MeasuredTables([load(path)])))
    assert [(row.quantity, row.value) for row in found] == [(row.quantity, row.value) for row in rows]


def test_sizes_at_the_largest_that_was_tried_are_lower_bounds():
    """Solved up to the cap: the ratio has no upper end above it, and no lower end below it."""
    rows = [
        {
            "label": label,
            "seed": seed,
            "axis": "length",
            "spent": "forward_rows",
            "budget": 10,
            "largest": size,
            "most": 8,
        }
        for label, sizes in (("DG", (8, 8)), ("PG", (4, 8)), ("row gate(3 %)", (4, 4)))
        for seed, size in enumerate(sizes)
    ]
    found = {row.quantity: row for row in scaling_rows(pd.DataFrame(rows), "test")}
    capped = found["longest H within 10 forward rows, DG / PG"]
    assert (capped.value, capped.low, capped.high) == (1.5, 0.0, math.inf)
    below = found["longest H within 10 forward rows, row gate(3 %) / PG"]
    assert (below.low, below.high) == (0.0, 1.0)
