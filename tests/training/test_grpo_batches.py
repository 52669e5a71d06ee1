"""What is left of TRL's micro-batches, without TRL: every kept row once, with its loss among all the others."""

import sys

import pytest
import torch

from kondo_theory.training import grpo
from kondo_theory.training.grpo.batches import LOSSES, kept_alone, without_spread

B, C = 4, 6
DIVISORS = {
    "all tokens": lambda batch, tokens: batch["num_items_in_batch"],
    "rows": lambda batch, tokens: len(tokens),
    "own tokens": lambda batch, tokens: tokens.sum().clamp(min=1),
}
"""As TRL 1.16 has them in ``_compute_loss``."""

DIVIDED_BY = dict.fromkeys(LOSSES, "rows") | dict.fromkeys(("dapo", "cispo", "vespo"), "all tokens")
DIVIDED_BY["bnpo"] = "own tokens"


def loss(batch, loss_type):
    """The normalised sum of token · advantage over what a micro-batch holds."""
    tokens = batch["completion_mask"] * batch["tool_mask"]
    total = (batch["completion_ids"] * batch["advantages"].unsqueeze(1) * tokens).sum()
    return total / DIVISORS[DIVIDED_BY[loss_type]](batch, tokens)


def micro_batches(n, *, keep=0.3, seed=0):
    """``n`` of them, of four rows; in the last row of each nothing is an answer."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.rand(n, B, C, generator=generator, dtype=torch.float64)
    mask = (torch.arange(C) < torch.randint(1, C, (n, B, 1), generator=generator)).long()
    mask[:, -1] = 0
    kept = (torch.rand(n, B, generator=generator) < keep) & mask.any(-1)
    advantages = torch.randn(n, B, generator=generator, dtype=torch.float64)
    tool_mask = torch.randint(2, (n, B, C), generator=generator)
    return [
        {
            "completion_ids": ids[place],
            "completion_mask": mask[place],
            "tool_mask": tool_mask[place],
            "advantages": advantages[place],
            "name": [f"{place}.{row}" for row in range(B)],
            "num_items_in_batch": (mask * tool_mask).sum(),
            "kondo_keep": kept[place],
        }
        for place in range(n)
    ]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("loss_type", LOSSES)
def test_the_loss_is_that_of_all_rows_with_the_dropped_advantages_at_zero(loss_type, n, seed):
    batches = micro_batches(n, keep=0.7, seed=seed)
    found = kept_alone(batches, loss_type, cut=True)
    masked = [each | {"advantages": each["advantages"] * each["kondo_keep"]} for each in batches]
    expected = sum(loss(each, loss_type) for each in masked)
    assert sum(each["kondo_scale"] * loss(each, loss_type) for each in found if each) == pytest.approx(expected)


@pytest.mark.parametrize("loss_type", [name for name in LOSSES if DIVIDED_BY[name] != "all tokens"])
def test_negative_control_without_the_scale_it_is_another(loss_type):
    batches = micro_batches(1, keep=0.5, seed=1)
    (found,) = kept_alone(batches, loss_type, cut=True)
    assert 0 < len(found["advantages"]) < B
    assert loss(found, loss_type) != pytest.approx(found["kondo_scale"] * loss(found, loss_type))


@pytest.mark.parametrize("keep", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("loss_type", ["dapo", "bnpo"])
def test_every_kept_row_is_there_once_and_no_other(loss_type, keep):
    batches = micro_batches(5, keep=keep)
    found = kept_alone(batches, loss_type, cut=True)
    expected = [name for each in batches for name, kept in zip(each["name"], each["kondo_keep"], strict=True) if kept]
    assert sorted(name for each in found if each for name in each["name"]) == expected
    assert len(found) == 5
    sizes = [len(each["advantages"]) for each in found if each]
    assert max(sizes) <= B
    if loss_type == "dapo":
        assert len(sizes) == -(-len(expected) // B)
        assert max(sizes) - min(sizes) <= 1
    assert found[len(sizes) :] == [{}] * (5 - len(sizes))


def test_padding_behind_all_completions_is_cut_where_it_may_be():
    batches = micro_batches(3)
    longest = max(int(each["completion_mask"][each["kondo_keep"]].sum(1).max()) for each in batches)
    found = [each for each in kept_alone(batches, "dapo", cut=True) if each]
    assert max(each["completion_ids"].shape[1] for each in found) == longest < C
    for each in found:
        assert each["completion_ids"].shape == each["completion_mask"].shape == each["tool_mask"].shape
    assert kept_alone(batches, "dapo", cut=False)[0]["completion_ids"].shape[1] == C


@pytest.mark.parametrize("loss_type", ["dapo", "bnpo"])
def test_where_nothing_is_kept_one_row_stays_without_its_advantage(loss_type):
    first, *rest = kept_alone(micro_batches(3, keep=0.0), loss_type, cut=True)
    assert first["advantages"].tolist() == [0.0]
    assert first["completion_mask"].any()
    assert rest == [{}, {}]


def alike(rewards, weights=None, *, summed=False):
    return without_spread(rewards, 2, torch.ones(rewards.shape[1]) if weights is None else weights, summed=summed)


def test_groups_without_spread_are_those_of_one_reward():
    rewards = torch.tensor([[0.1, 1.0], [0.1, 1.0], [0.2, 1.0], [0.1, 1.0], [0.3, torch.nan], [0.3, torch.nan]])
    for summed in (False, True):
        assert alike(rewards, summed=summed).tolist() == [True, True, False, False, True, True]
    pairs = [0.1 + 0.2, 0.3], [0.3, 0.3 + 1e-9], [-1e-20, -3e-20], [torch.inf, torch.inf]
    rounded = torch.tensor(pairs, dtype=torch.float64).reshape(-1, 1)
    for dtype, expected in ((torch.float64, [True, False, False, True]), (torch.float32, [True, True, False, True])):
        assert alike(rounded.to(dtype))[::2].tolist() == expected


def test_groups_of_one_sum_have_no_spread_where_rewards_are_summed():
    rewards = torch.tensor([[0.1, 0.7], [0.3, 0.5], [0.1, 0.7], [0.2, 0.7], [0.4, torch.nan], [torch.nan, torch.nan]])
    assert alike(rewards, summed=True)[::2].tolist() == [True, False, True], "the last has one reward alone"
    assert alike(rewards)[::2].tolist() == [False, False, True], "negative control"


@pytest.mark.parametrize("summed", [True, False])
def test_functions_of_weight_zero_make_no_spread(summed):
    rewards, weights = torch.tensor([[0.1, 0.7], [0.1, 0.5]]), torch.tensor([1.0, 0.0])
    assert alike(rewards, weights, summed=summed).all()
    assert not alike(rewards, 1 - weights, summed=summed).any(), "negative control"


def test_without_trl_one_line_says_what_to_install(monkeypatch):
    monkeypatch.delitem(vars(grpo), "GatedGRPOTrainer", raising=False)
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(ImportError, match=r"^GatedGRPOTrainer needs TRL: pip install 'kondo-theory\[trl\]'$"):
        grpo.GatedGRPOTrainer  # noqa: B018
    with pytest.raises(AttributeError, match="GatedGRPOTrianer"):
        grpo.GatedGRPOTrianer  # noqa: B018
