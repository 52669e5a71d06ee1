"""What the tables of a language model say of seconds: spread over a run's updates by what was done."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulations.errors import ResultError
from simulations.language_model.runs import tidy
from simulations.language_model.studies import STUDIES
from simulations.language_model.tables import with_run_seconds
from simulations.results.table_sizes import sizes_of
from simulations.results.tables import Table

SECONDS = {"sampling": 30.0, "gate": 1.0, "backward": 20.0, "optimizer": 1.0, "evaluation": 99.0}


def table(sidecar):
    (config, *_) = STUDIES["learning"].configs("paper", [0])
    curve = pd.DataFrame(
        {
            "update": [0, 25, 50, 100],
            "answer_tokens": [np.nan, 4.0, 8.0, 9.0],
            "backward_positions": [0, 100, 100, 400],
        }
    )
    return Table(tidy([config], [curve]), "language-model-learning", {}, sidecar, Path("t.parquet"))


def test_seconds_follow_the_tokens_and_the_positions():
    found = with_run_seconds(table({"seconds": [SECONDS]}))["seconds"].tolist()
    sampled = np.array([0, 25 * 4, 25 * 4 + 25 * 8, 25 * 4 + 25 * 8 + 50 * 9]) / 750
    expected = 30 * sampled + 20 * np.array([0, 0.25, 0.25, 1]) + 2 * np.array([0, 0.25, 0.5, 1])
    assert found == pytest.approx(expected.tolist())
    assert found[-1] == pytest.approx(52), "all but evaluation"


def test_a_run_that_sends_nothing_backward_has_spent_nothing_there():
    still = table({"seconds": [SECONDS]})
    still.frame["backward_positions"] = 0
    assert with_run_seconds(still)["seconds"].iloc[-1] == pytest.approx(32)


@pytest.mark.parametrize("sidecar", [{}, {"seconds": []}, {"seconds": [SECONDS, SECONDS]}])
def test_a_table_without_its_seconds_is_refused(sidecar):
    with pytest.raises(ResultError, match=r"t\.parquet needs a sidecar with seconds of each of its 1 runs"):
        with_run_seconds(table(sidecar))
    assert sizes_of(table(sidecar))["seeds"] == 1
