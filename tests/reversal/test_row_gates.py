"""Gates on whole answers at one policy: gradients answer by answer, and drifts and costs without bias."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_runs import TINY, tiny

from kondo_theory.token_trap.row_balance import row_balance
from simulations.networks.rollouts import sample
from simulations.networks.transformer import Transformer
from simulations.results.tables import load
from simulations.reversal.config import ReversalConfig
from simulations.reversal.moments import answers, gates, noise, rows, tokens, writing

GATE = tiny(ReversalConfig("row-gate", rate=0.25, vocab_size=3), answers=4, prompts=3)
REPEATS = 20


@pytest.fixture(scope="module")
def policy():
    policy = Transformer(3, 5, TINY["network"], seed=0)
    torch.nn.init.normal_(policy.head.weight, generator=torch.Generator().manual_seed(0))
    return policy


@pytest.fixture(scope="module")
def blocks(policy):
    return answers.draw_blocks(policy, GATE, 3, 2, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def drawn(policy, blocks):
    return answers.read_answers(policy, blocks)


def test_the_score_of_each_answer_is_its_own_gradient(policy):
    rollout = sample(policy, torch.randint(3, (3, 3)), 3, n_answers=2)
    found = answers.answer_scores(policy, rollout)
    for row, expected in enumerate(found):
        log_policy = policy(rollout.tokens[row : row + 1, :-1], 3).log_softmax(-1)
        total = log_policy.gather(-1, rollout.answers[row : row + 1, :, None]).sum()
        own = torch.cat([each.flatten() for each in torch.autograd.grad(total, list(policy.parameters()))])
        torch.testing.assert_close(expected, own, rtol=1e-4, atol=1e-5)


def test_weights_are_of_each_tokens_score(policy):
    rollout = sample(policy, torch.randint(3, (2, 3)), 3, n_answers=2)
    each = [answers.answer_scores(policy, rollout, torch.eye(3)[t].expand(4, -1)) for t in range(3)]
    torch.testing.assert_close(sum(each), answers.answer_scores(policy, rollout), rtol=1e-4, atol=1e-5)


def test_products_are_those_with_the_blocks_mean_gradients(drawn):
    assert drawn.products.shape == (3, 2, 12, 3)
    between = drawn.products.mean(axis=(1, 2))
    np.testing.assert_allclose(between, between.T, rtol=1e-4, atol=1e-7)
    assert (np.linalg.eigvalsh(between) > -1e-9).all(), "a Gram matrix"
    assert (drawn.square >= 0).all()
    assert np.array_equal(drawn.square == 0, drawn.advantage == 0)
    assert (drawn.products**2 <= drawn.square[..., None] * np.diag(between) * (1 + 1e-4)).all()


def test_the_balance_is_that_of_the_kept_and_every_gate_keeps_its_share(drawn):
    found = pd.DataFrame(gates.gate_rows(drawn, (0.25, 1.0), 0)).set_index(["gate", "rate"])
    assert len(found) == 2 * len(gates.GATES)
    everything = row_balance(
        drawn.right.reshape(72, 3), drawn.right_probability.reshape(72, 3), drawn.advantage.ravel()
    )
    for gate in set(gates.GATES) - {"positive-surprisal", gates.BEST}:  # the former never keeps a failure
        assert found.loc[(gate, 1.0), "balance"] == pytest.approx(everything.drift)
        assert found.loc[(gate, 1.0), "second"] == pytest.approx(drawn.square.mean())
    kept = np.sort(drawn.square.reshape(6, 12), axis=1)[:, -3:]
    assert found.loc[("length of g", 0.25), "second"] == pytest.approx(kept.sum() / 72)


def test_gates_on_tokens_keep_what_training_keeps_and_all_of_it_is_the_answers(policy, blocks, drawn):
    found = pd.DataFrame(tokens.token_rows(policy, blocks, (0.2, 1.0), 0, 2)).set_index(["gate", "rate"])
    rows = pd.DataFrame(gates.gate_rows(drawn, (1.0,), 0)).set_index("gate")
    for rule in tokens.TOKEN_GATES:
        whole = found.loc[(tokens.named(rule), 1.0)]
        for name in ("balance", "second", "cost", "drift", "length2"):
            assert whole[name] == pytest.approx(rows.loc["uniform", name], rel=1e-3), "every token of every answer"
    own = []
    for rollout, advantage in (each for block in blocks.batches for each in block):
        score = advantage[:, None] * rollout.surprisal
        kept = torch.zeros(score.numel()).index_fill(0, score.flatten().topk(7).indices, 1).view_as(score)  # a fifth
        own.append(answers.answer_scores(policy, rollout, kept * advantage[:, None]).square().sum() / len(score))
    assert found.loc[("delight, tokens", 0.2), "second"] == pytest.approx(float(torch.stack(own).mean()), rel=1e-3)


def test_a_batch_without_an_advantage_moves_no_token(policy, blocks):
    still = tuple(tuple((rollout, 0 * advantage) for rollout, advantage in block) for block in blocks.batches)
    found = pd.DataFrame(tokens.token_rows(policy, replace(blocks, batches=still), (0.2,), 0, 1))
    assert (found["second"] == 0).all()
    assert np.isinf(found["cost"]).all()


def world(seed, n=4, batches=3, B=40, size=120):
    """Answers whose gradients are drawn, (size,) each: advantage times a normal score that leans on one direction."""
    rng = np.random.default_rng(seed)
    right = (rng.random((n, batches, B, 5)) < 0.5).astype(float)
    advantage = right.mean(axis=3) - 0.5
    score = rng.normal(size=(n, batches, B, size))
    score[..., 0] += 2 * advantage
    gradient = advantage[..., None] * score
    means = gradient.mean(axis=(1, 2))
    shape = advantage.shape
    parts = (rng.random(shape), rng.random(shape), (gradient**2).sum(axis=-1), gradient @ means.T)
    return answers.Answers(right, np.full_like(right, 0.5), advantage, *parts)


def test_drift_and_length_are_unbiased_and_the_best_gate_is_the_cheapest():
    found = [pd.DataFrame(gates.gate_rows(world(seed), (0.25,), 0)).set_index("gate") for seed in range(REPEATS)]
    exact = (2 / 20) ** 2  # (2E A²)², A the mean of five coins less a half
    lengths = np.array([each["length2"].iloc[0] for each in found])
    assert abs(lengths.mean() - exact) < 4 * lengths.std() / np.sqrt(REPEATS)
    biased = np.array([world(seed).products.mean(axis=(1, 2)).mean() for seed in range(REPEATS)])
    assert biased.mean() - exact > 4 * biased.std() / np.sqrt(REPEATS), "negative control: pairs with themselves"
    uniform = np.array([each.loc["uniform", "drift"] for each in found])
    assert abs(uniform.mean() - 0.25 * exact) < 4 * uniform.std() / np.sqrt(REPEATS)
    assert 0.6 < np.mean([each.loc["uniform", "drift_error"] for each in found]) / uniform.std() < 1.6
    cost = {gate: np.median([each.loc[gate, "cost"] for each in found]) for gate in gates.GATES}
    assert cost["best"] < cost["abs-advantage"] < cost["uniform"]


def test_a_gate_without_a_signal_has_an_infinite_cost(drawn):
    against = replace(drawn, products=-drawn.products)
    found = pd.DataFrame(gates.gate_rows(against, (1.0,), 0)).set_index("gate")
    assert np.isinf(found.loc["uniform", "cost"]) or found.loc["uniform", "drift"] > 0
    with pytest.raises(ValueError, match="at least 3 blocks, got 2"):
        next(gates.gate_rows(replace(drawn, advantage=drawn.advantage[:2]), (1.0,), 0))


def test_both_studies_write_a_table_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "PATHS", (rows.Path(GATE, (1, 2)),))
    monkeypatch.setattr(noise, "STALLS", (replace(noise.STALLS[2], levels=(0.9,)),))
    tiny_noise = noise.NoiseSize(1, 3, 1, 1, 4, 1, {"prompts": 2, "answers": 2})
    changed = {**writing.MEASURED, "stall-noise": (noise.jobs, noise.measure, {"smoke": tiny_noise})}
    monkeypatch.setattr(writing, "MEASURED", changed)
    for study, columns in (("row-gates", "cost slope reward"), ("stall-noise", "drift noise reward")):
        out, said = tmp_path / f"{study}.parquet", []
        monkeypatch.setattr(noise, "SIZES", {"smoke": tiny_noise})
        writing.write_table(study, "smoke", out, progress=said.append)
        table = load(out, kind=f"reversal-{study}")
        assert {*columns.split(), "update", "seed"} <= set(table.frame)
        assert len(said) == 1
        before = out.read_bytes()
        writing.write_table(study, "smoke", out, progress=said.append)
        assert (out.read_bytes(), len(said)) == (before, 1), "the very same call has nothing to do"
    with pytest.raises(ValueError, match="study must be one of stall-noise, row-gates, screening-ties, got 'joy'"):
        writing.write_table("joy", "smoke", tmp_path / "t.parquet")
