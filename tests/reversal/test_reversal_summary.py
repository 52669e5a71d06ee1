"""What is summed up of learning curves of token reversal."""

import pandas as pd
import pytest

from simulations.reversal import summary as reversal_summary


def curves(errors, label="PG"):
    """Learning curves of one method: token errors of each seed at updates 0, 50, …"""
    rows = [
        {
            "label": label, "vocab_size": 2, "length": 10, "reward": "fraction", "learning_rate": 3e-4, "seed": seed,
            "update": 50 * number, "forward_rows": 5_000 * number, "token_error": error, "sequence_error": error,
            "greedy_token_error": 0.0, "greedy_sequence_error": 0.0,
        }
        for seed, column in enumerate(errors)
        for number, error in enumerate(column)
    ]  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_final_errors_and_crossings_by_hand():
    table = curves([[0.5, 0.2, 0.009, 0.03], [0.5, 0.4, 0.3, 0.2]])
    assert reversal_summary.final(table, "token_error") == pytest.approx([0.239 / 3, 0.3])
    assert reversal_summary.spent_to_error(table, 0.01, "forward_rows").tolist() == [10_000, float("inf")]
    assert reversal_summary.spent_to_error(table, 0.2, "update").tolist() == [100, float("inf")], "below, not at"
    assert reversal_summary.seeds_of(table) == [0, 1]
    shown = reversal_summary.summary_table(pd.concat([table, curves([[0.5, 0.001]], "DG")]))
    assert [list(column.cells) for column in (shown.columns[0], shown.columns[-2], shown.columns[-1])] == [
        ["PG", "DG"], ["1 of 2", "1 of 1"], ["never", "5,000"],
    ]  # fmt: skip
