"""The snippets of docs/training-loops.md run as they stand, and do what the page says."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from steps import SMALL, Screened
from test_pieces import distance, gradients

from kondo_theory.gate import Gate, kept_count
from kondo_theory.training import Answers, AnswerStep, group_advantage
from simulations.networks.transformer import Transformer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training-loops.md"
PARTS, SIZE, L, V = 8, 8, 9, 11


def snippet(heading, place):
    text = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[place]


def names():
    """What the snippets find: a model, eight parts of eight answers, and which tokens are right."""
    model = Transformer(V, L, SMALL, seed=0).double()
    with torch.no_grad():
        model.head.weight.normal_(std=0.5, generator=torch.Generator().manual_seed(0))
    optimizer, generator = torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator().manual_seed(1)
    tokens = torch.randint(V, (PARTS * SIZE, L), generator=generator)
    there = torch.arange(L) < torch.randint(5, L + 1, (PARTS * SIZE, 1), generator=generator)
    answered = there & (torch.arange(L) >= 3)
    reward = torch.rand(PARTS * SIZE, generator=generator, dtype=torch.float64)
    advantage, _ = group_advantage(reward, SIZE)
    whole = AnswerStep(model, optimizer, None).screen(Answers(tokens, there, answered))
    whole = replace(whole, made_at=None)
    values = (whole.tokens, whole.attention_mask, whole.answer_mask, whole.log_prob)
    parts = [Answers(*each) for each in zip(*(value.split(SIZE) for value in values), strict=True)]
    found = {"model": model, "optimizer": optimizer, "parts": parts, "advantage": advantage, "whole": whole}
    return found | {"correct": tokens % 2 == 0}


def test_the_loop_on_answers_keeps_a_quarter_and_never_what_has_no_advantage():
    space = names()
    reward = torch.arange(PARTS * SIZE) % 3 * 1.0
    reward[:SIZE] = 1.0
    schedule = torch.optim.lr_scheduler.LinearLR(space["optimizer"])
    space |= {"batches": [None, None], "sample": lambda model, prompts: space["whole"], "scheduler": schedule}
    exec(snippet("Answers of a language model", 0), space | {"reward_of": lambda answers: reward}, space)
    counts, kept = space["step"].counts, space["selection"].keep.any(1)
    assert (counts.updates, counts.backward_rows) == (2, 2 * kept_count(0.25, PARTS * SIZE))
    assert (counts.groups, counts.groups_without_spread) == (2 * PARTS, 2)
    assert not kept[:SIZE].any()


def test_the_loop_in_half_precision_has_the_gradient_of_the_loop_without():
    """bfloat16 in place of float16, whose products some CPUs do not have; the scale does not matter."""
    space = names() | {"device": "cpu"}
    space["model"].float()
    advantage = space["advantage"].float()
    whole = replace(space["whole"], log_prob=space["whole"].log_prob.float())
    space["step"] = AnswerStep(space["model"], space["optimizer"], Gate(rate=0.25), rule="abs-advantage")
    space |= {"answers": whole, "advantage": advantage}
    code = snippet("Answers of a language model", 1)
    assert "float16" in code
    before = [each.detach().clone() for each in space["model"].parameters()]
    exec(code.replace("float16", "bfloat16"), space)
    assert space["step"].counts.updates == 1
    moved = torch.cat([(each - old).flatten() for each, old in zip(space["model"].parameters(), before, strict=True)])
    plain = names()
    plain["model"].float()
    step = AnswerStep(plain["model"], plain["optimizer"], Gate(rate=0.25), rule="abs-advantage")
    selection = step.select(whole, advantage)
    step.backward(whole, advantage, selection)
    torch.nn.utils.clip_grad_norm_(plain["model"].parameters(), 1.0)
    slopes = torch.cat([each.grad.flatten() for each in plain["model"].parameters()])
    assert torch.linalg.vector_norm(moved + 0.1 * slopes) < 0.05 * torch.linalg.vector_norm(moved)


def test_several_updates_on_a_batch_need_one_screening():
    space = names()
    space["answers"] = replace(space["whole"], log_prob=None)
    exec(snippet("Answers of a language model", 2), space | {"AnswerStep": AnswerStep, "Gate": Gate}, space)
    assert space["step"].counts.updates == 4
    assert space["answers"].log_prob is not None


def test_the_weights_of_several_epochs_have_the_gradient_of_the_clipped_surrogate():
    driver = Screened(Gate(rate=0.5))
    advantage = driver.screen()
    policy, observations, drawn = driver.policy, driver.observations, driver.screening
    space = {"step": driver.step, "policy": policy, "observations": observations, "advantage": advantage}
    space |= {"actions": drawn.actions, "surprisal": drawn.surprisal}
    last = []

    def update(observations, screening, advantage, *, weight):
        """What the step is asked for in the last epoch: its gradient, and that of the surrogate at its policy."""
        selection = driver.step.select(screening, advantage, weight=weight)
        log_policy = policy(observations).log_softmax(-1)
        ratio = (log_policy.gather(1, drawn.actions[:, None])[:, 0] + drawn.surprisal).exp()
        surrogate = torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
        loss = -(surrogate * selection.keep).sum() / len(advantage)
        expected = torch.autograd.grad(loss, list(policy.parameters()))
        policy.zero_grad()
        driver.step.backward(observations, screening, advantage, selection, weight=weight)
        last.append((expected, [each.grad.clone() for each in policy.parameters()], float((weight == 0).sum())))
        with torch.no_grad():
            for each in policy.parameters():
                each -= 3.0 * each.grad

    space["step"] = SimpleNamespace(update=update)
    exec(snippet("Several epochs, a critic, several heads", 0), space)
    assert len(last) == 4
    assert last[-1][2] > 0, "some are clipped"
    for expected, found, _ in last:
        for one, other in zip(expected, found, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_what_is_said_of_group_baselines():
    reward = torch.rand(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain, _ = group_advantage(reward, 4)
    alone, _ = group_advantage(reward, 4, baseline="leave-one-out")
    divided, _ = group_advantage(reward, 4, scale="group")
    torch.testing.assert_close(alone, plain * 4 / 3)
    assert torch.equal(divided.argsort(1), plain.argsort(1))
    assert torch.equal(divided > 0, plain > 0)
    won = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(
        group_advantage(won, 4, scale="group")[0][:2], torch.tensor([3**0.5, -(3**-0.5)]).double()
    )


def test_what_is_said_of_flops_follows_from_two_and_four_a_parameter():
    table = PAGE.read_text(encoding="utf-8").partition("## What it saves, on paper\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    training, share, whole = ([cell.strip() for cell in line.split("|")[2:6]] for line in rows)
    costs = [6.0, 0.25 * 6, 0.25 * 6 + 2, 0.125 * 6]
    assert [float(each.removesuffix("P")) for each in training] == costs
    assert [float(each.removesuffix(" %")) for each in share] == [100.0, 25.0, 58.0, 12.5]
    assert [float(each.removesuffix("P")) for each in whole] == [cost + 6 for cost in costs]


def test_one_selection_for_parts_of_a_batch_is_the_update_of_the_whole():
    space, alone = names(), names()
    exec(snippet("A price for small batches", 0), space)
    step = AnswerStep(alone["model"], alone["optimizer"], Gate(rate=0.03))
    selection = step.update(alone["whole"], alone["advantage"])
    assert torch.equal(space["selection"].keep, selection.keep)
    assert int(selection.n_kept) == kept_count(0.03, PARTS * SIZE) == 2
    found, expected = ({n: p.grad for n, p in each["model"].named_parameters()} for each in (space, alone))
    assert distance(found, expected) < 1e-10
    assert sum(float(p.grad.abs().sum()) for p in alone["model"].parameters()) > 0
    assert space["step"].counts.updates == 1


def test_negative_control_a_rate_for_each_part_keeps_one_of_each():
    space = names()
    step = AnswerStep(space["model"], space["optimizer"], Gate(rate=0.03))
    kept = [
        int(step.select(part, values).n_kept)
        for part, values in zip(space["parts"], space["advantage"].split(SIZE), strict=True)
    ]
    assert kept == [1] * PARTS


def test_parts_of_observations_are_the_whole_by_their_share():
    driver = Screened(Gate(rate=0.1))
    advantage = driver.screen()
    selection = driver.select(advantage)
    for units in (slice(0, 8), slice(8, 30), slice(30, 40)):
        part = replace(selection, keep=selection.keep[units])
        driver.part(units).backward(advantage[units], part, scale=(units.stop - units.start) / len(advantage))
    whole = Screened(Gate(rate=0.1))
    whole.update(whole.screen())
    assert distance(gradients(driver), gradients(whole)) < 1e-10


def test_the_loop_with_a_price_from_a_window_runs_and_its_checkpoint_loads(tmp_path):
    space = names()
    exec(snippet("A price for small batches", 1), space)
    torch.save(space["checkpoint"], tmp_path / "checkpoint.pt")
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["gate"]
    space["gate"].load_state_dict(state)
    assert int(state["written"]) == PARTS * SIZE
    assert space["step"].counts.kept <= 5


@pytest.mark.parametrize("level", ["row", "token"])
def test_the_loop_that_logs_runs_and_every_name_is_on_the_page(level):
    space = names()
    space["step"] = AnswerStep(space["model"], space["optimizer"], Gate(rate=0.1), level=level)
    exec(snippet("What to log", 0), space)
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in space["logged"] if f"`{name}`" not in text] == []
    assert space["logged"]["groups"] == PARTS
    assert space["step"].counts.updates == 1
