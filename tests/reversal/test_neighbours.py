"""The comparison of published rules: what is kept of groups, which runs it has, and errors at equal rows."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from test_reversal_plan import plan
from tiny_runs import TINY

from kondo_theory.screening import RULES
from simulations.networks.rollouts import Rollout
from simulations.networks.sequence_scores import RULES_OF, scores
from simulations.results.tables import COMMITTED, load
from simulations.reversal.config import ReversalConfig
from simulations.reversal.experiment import run_reversal
from simulations.reversal.studies import NEIGHBOURS, STUDIES
from simulations.reversal.summary import compared, error_at
from simulations.reversal.tables import SHARED

P, A, T = 3, 4, 2


def rollout_of(n_rows):
    tokens = torch.randint(2, (n_rows, 2 * T), generator=torch.Generator().manual_seed(1))
    return Rollout(tokens, torch.full((n_rows, T, 2), 0.5, dtype=torch.float64).log())


def kept_pairs(advantage):
    """The answers of each group with the two best scores of a batch."""
    score = scores(rollout_of(advantage.numel()), advantage, "row", "max-variance", A)
    assert score.shape == advantage.shape
    best = score.topk(2 * P, dim=-1).indices
    return [{tuple(sorted((row[row // A == group] % A).tolist())) for group in range(P)} for row in best]


def test_the_top_two_of_each_prompt_have_the_largest_variance():
    """Against all pairs; groups are the answers next to each other, of one batch and of batches side by side."""
    advantage = torch.randn(2, P * A, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for found, row in zip(kept_pairs(advantage), advantage.numpy(), strict=True):
        for group in row.reshape(P, A):
            best = max(combinations(range(A), 2), key=lambda pair: np.var(group[list(pair)]))
            assert best in found
    alone = scores(rollout_of(P * A), advantage[1], "row", "max-variance", A)
    both = scores(rollout_of(2 * P * A), advantage, "row", "max-variance", A)
    assert torch.equal(alone, both[1])
    shifted = scores(rollout_of(P * A), advantage[1], "row", "max-variance", 2)
    assert not torch.equal(alone, shifted), "the size of the groups matters"


def test_groups_without_spread_are_never_kept():
    advantage = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.5, -0.5, 0.0, 0.0, 0.0, 0.0, 0.1, -0.1])
    score = scores(rollout_of(P * A), advantage, "row", "group-spread", A)
    assert score.isinf().tolist() == [True] * 4 + [False] * 8


def test_rules_on_groups_need_their_size():
    with pytest.raises(ValueError, match="rule 'max-variance' ranks the answers of a group: it needs a group size"):
        scores(rollout_of(P * A), torch.zeros(P * A), "row", "max-variance")


def test_every_rule_on_answers_and_tokens_can_be_trained():
    assert set(RULES) - {rule for known in RULES_OF.values() for rule in known} == {"off-policy-mask", "idle-visits"}
    for of, known in RULES_OF.items():
        assert {RULES[rule].granularity for rule in known} <= {
            "sample",
            "token" if of == "token" else "answer",
            "prompt",
        }


def test_no_run_is_trained_twice():
    """Study screening's committed table and this study share nothing, and together have every rule of theirs."""
    there = load(COMMITTED / "reversal-screening-quick.parquet", kind="reversal-screening").frame
    labels = {config.label for config in STUDIES["neighbours"].methods}
    study, shared = SHARED["neighbours"]
    assert study == "screening"
    assert set(shared) == set(there["label"])
    assert not labels & set(shared)
    for of, known in RULES_OF.items():
        method = f"{of}-gate"
        trained = {*NEIGHBOURS[method], *there.loc[there["method"] == method, "rule"]}
        assert set(known) - trained == set(), (
            f"train it too: NEIGHBOURS[{method!r}] in simulations/reversal/studies.py"
        )


def test_the_table_says_what_is_decided_on_and_can_be_extended(tmp_path):
    chosen = plan(tmp_path, study="neighbours", only=["row gate(20 %, group-spread)"])
    config = replace(ReversalConfig("row-gate", rate=0.25, rule="group-spread"), **TINY | {"updates": 2})
    both = (config, replace(config, seed=1))
    first = load(run_reversal(replace(chosen, configs=both[:1]), quiet=True), kind="reversal-neighbours").frame
    whole = load(run_reversal(replace(chosen, configs=both), quiet=True), kind="reversal-neighbours").frame
    assert {"seed", "update", "rule", "level", "rate", "error", "backward_rows"} <= set(first)
    assert set(whole["level"]) == {"prompt"}
    assert whole["error"].equals(whole["token_error"])
    assert list(whole) == list(first)
    pd.testing.assert_frame_equal(whole[whole["seed"] == 0], first)


def curve(method="row-gate", rule="delight", errors=(0.5, 0.3, 0.1)):
    config = {"label": rule, "method": method, "rate": 0.2, "rule": rule, "vocab_size": 2, "length": 10}
    config |= {"reward": "fraction", "learning_rate": 3e-4, "seed": 0}
    measured = {"update": [0, 50, 100], "backward_rows": [0, 1_000, 2_000], "token_error": errors}
    return pd.DataFrame({**config, **measured})


def test_errors_at_equal_rows():
    frame = compared(pd.concat([curve(), curve(rule="advantage", errors=(0.5, 0.1, 0.0))], ignore_index=True))
    assert error_at(frame, 1_500)["error"].tolist() == pytest.approx([0.2, 0.05])
    assert error_at(frame, 2_000)["error"].tolist() == pytest.approx([0.1, 0.0])
    assert error_at(frame, 2_001)["error"].isna().all()
    assert error_at(frame, 0)[["rule", "level"]].to_numpy().tolist() == [
        ["delight", "answer"],
        ["advantage", "answer"],
    ]
    pd.testing.assert_frame_equal(compared(frame), frame)
