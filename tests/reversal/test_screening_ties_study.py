"""Gates that keep ties on token reversal: what is kept, the random choice is the policy gradient, a table."""

from dataclasses import replace

import pytest
import torch
from tiny_runs import CPU, TINY, tiny

from simulations.results.tables import load
from simulations.reversal.config import ReversalConfig
from simulations.reversal.moments import writing
from simulations.reversal.side_by_side.seeds import ReversalSeeds
from simulations.reversal.ties import study
from simulations.reversal.ties.seeds import TiedSeeds, kept_with_ties

GATE = ReversalConfig("token-gate", rate=0.1, rule="uniform")


def test_what_is_within_a_millionth_of_the_kth_score_is_kept():
    score = torch.tensor([[0.5, 0.5 - 5e-7, 0.5 - 2e-6, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4, 0.5]], dtype=torch.float64)
    keep = kept_with_ties(score, 0.4)  # two of five
    assert keep.tolist() == [[True, True, False, True, False], [False, False, False, True, True]]
    assert kept_with_ties(torch.zeros(7), 0.1).all()


def trained(runs):
    for _ in range(4):
        runs.train_batch()
    runs.evaluate()
    return runs


def test_by_the_random_choice_it_is_the_policy_gradient():
    seeds = [tiny(GATE, seed=seed) for seed in (0, 1)]
    tied = trained(TiedSeeds(seeds, CPU))
    full = trained(ReversalSeeds([tiny(ReversalConfig("pg"), seed=seed) for seed in (0, 1)], CPU))
    exact = trained(ReversalSeeds(seeds, CPU))
    parameters, of_pg, of_k = ([*runs.step.network.parameters()] for runs in (tied, full, exact))
    for one, other in zip(parameters, of_pg, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert not all(torch.allclose(one, other, atol=1e-5) for one, other in zip(parameters, of_k, strict=True))
    for row, pg in zip(tied.rows, full.rows, strict=True):
        assert row[-1]["backward_tokens"] == pg[-1]["backward_tokens"] == row[-1]["forward_tokens"]
        assert row[-1]["token_error"] == pytest.approx(pg[-1]["token_error"], abs=0.05)


def test_answers_are_counted_by_their_points_and_tokens_by_whether_they_move():
    runs = TiedSeeds([tiny(replace(GATE, rule="abs-advantage"))], CPU)
    for _ in range(3):
        runs.train_batch()
    runs.evaluate()
    row = runs.rows[0][-1]
    counts = [row[f"points_{n}"] for n in range(TINY["length"] + 1)]
    n_rows = 3 * TINY["prompts"] * TINY["answers"]
    assert sum(counts) == n_rows
    right = sum(n * count for n, count in enumerate(counts))
    assert right / (n_rows * TINY["length"]) == pytest.approx(row["train_reward"])
    assert row["backward_tokens"] % TINY["length"] == 0, "an answer is kept whole"
    k = 4  # a tenth of 36 tokens, that is of the second answer
    assert 3 * k < row["moving_tokens"] <= row["backward_tokens"] <= row["forward_tokens"]
    runs.train_batch()
    runs.evaluate()
    assert sum(runs.rows[0][-1][f"points_{n}"] for n in range(TINY["length"] + 1)) == n_rows / 3


def test_only_token_gates_at_a_rate_have_ties_to_keep():
    for config in (
        ReversalConfig("pg"),
        ReversalConfig("row-gate", rate=0.1),
        ReversalConfig("token-gate", price=0.0),
    ):
        with pytest.raises(ValueError, match="method must be token-gate at a rate"):
            TiedSeeds([tiny(config)], CPU)


def test_the_study_writes_a_table_rule_by_rule(tmp_path, monkeypatch):
    size = study.TiesSize(2, 2, 1, {name: TINY[name] for name in ("prompts", "eval_prompts", "network")})
    monkeypatch.setattr(study, "SIZES", {"smoke": size})
    changed = {**writing.MEASURED, "screening-ties": (study.jobs, study.measure, study.SIZES)}
    monkeypatch.setattr(writing, "MEASURED", changed)
    said = []
    writing.write_table("screening-ties", "smoke", tmp_path / "t.parquet", progress=said.append)
    frame = load(tmp_path / "t.parquet", kind="reversal-screening-ties").frame
    assert len(said) == len(study.RULES)
    assert len(frame) == len(study.RULES) * 2 * 3
    assert {*frame["label"]} == {study.label(rule) for rule in study.RULES}
    assert list(frame.filter(like="points_")) == [f"points_{n}" for n in range(11)]
