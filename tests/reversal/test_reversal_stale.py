"""Answers that other policies wrote: without friction the ordinary run; each gradient beside brute force."""

import itertools
import math
from dataclasses import replace

import pandas as pd
import pytest
import torch
from tiny_runs import CPU, checkpoint_at, tiny

from simulations.networks.actors import Setting
from simulations.networks.rollouts import Rollout
from simulations.networks.transformer import Architecture, Transformer
from simulations.reversal.config import ReversalConfig
from simulations.reversal.objectives import advantage_of
from simulations.reversal.side_by_side.seeds import ReversalSeeds, trained
from simulations.reversal.stale.behaviour import mixed_answers
from simulations.reversal.stale.contenders import BOUND, CONTENDERS, Contender, StaleSize
from simulations.reversal.stale.seeds import StaleSeeds, importance_weights

PG, DG = ReversalConfig("pg"), ReversalConfig("dg")
SIZE = StaleSize(3, 6, 2, (2,), 2, 3, Architecture(8, 2, 1, 8))
FAR = Setting(2, 0.3, 0.1)


def small(contender):
    """Few answers, and steps that take the policy far from uniform, and from its actors."""
    return replace(contender, method=replace(tiny(contender.method), learning_rate=3e-2))


def seeds(contender, setting, size=SIZE):
    program = StaleSeeds(small(contender), setting, size, CPU)
    program.step.network.double()
    return program


def parameters(program):
    return torch.cat([each.detach().flatten() for each in program.step.network.parameters()])


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.label)
def test_without_friction_it_is_the_protocol(contender):
    contender = small(contender)
    found = StaleSeeds(contender, Setting(), SIZE, CPU)
    expected = ReversalSeeds(SIZE.configs(contender), CPU)
    for _ in range(4):
        found.train_batch()
        expected.train_batch()
    assert torch.equal(parameters(found), parameters(expected))
    assert found.step.counts == expected.step.counts


@pytest.mark.parametrize("setting", [Setting(delay=2), Setting(random=0.3), Setting(corruption=0.3)], ids=str)
def test_negative_control_each_friction_is_noticed(setting):
    plain, rough = (seeds(Contender(PG), each) for each in (Setting(), setting))
    for program in (plain, rough):
        for _ in range(4):
            program.train_batch()
    assert not torch.allclose(parameters(plain), parameters(rough), atol=1e-4)


def weight(contender, advantage, learner, actor, ratio_of_answer):
    """A token's weight, written from the definitions, from numbers of that token alone."""
    method, ratio = contender.method, math.exp(learner - actor)
    if contender.correction == "tokens":
        return min(ratio, BOUND)
    if contender.correction == "answers":
        return min(ratio_of_answer, BOUND)
    nats = -(learner if contender.surprisal == "learner" else actor)
    if method.method == "dg":
        return 1 / (1 + math.exp(-advantage * nats))
    if method.method == "ppo":
        left = ratio > 1.2 if advantage > 0 else ratio < 0.8
        return 0.0 if left else ratio
    return 1.0


def kept(contender, advantage, nats):
    """Which tokens (B, T) a gate keeps of one seed's batch."""
    method, (B, T) = contender.method, nats.shape
    if method.gate is None:
        return torch.ones(B, T, dtype=torch.bool)
    score = advantage[:, None] * nats
    if method.price is not None:
        return score > 0
    score = score.sum(1, keepdim=True) if method.method == "row-gate" else score
    number = round(method.rate * score.numel())
    assert number == method.rate * score.numel()
    price = score.flatten().sort(descending=True)[0][number - 1]
    assert (score >= price).sum() == number, "no ties"
    return (score >= price).expand(B, T)


def mixture(old, share, M):
    """log μ of each token after those before it, by sums over whole beginnings."""
    rows = []
    for own in old.tolist():
        whole = [math.log((1 - share) * math.exp(sum(own[:t])) + share / M**t) for t in range(len(own) + 1)]
        rows.append([after - before for before, after in itertools.pairwise(whole)])
    return torch.tensor(rows, dtype=old.dtype)


def scored(policy, tokens, H):
    T = tokens.shape[1] - H
    return policy(tokens[:, :-1], T).log_softmax(-1).gather(-1, tokens[:, H:, None]).squeeze(-1)


def apart(contender, defined=None):
    """How far the gradient of an update is from its definition, or from another's, and how large that is."""
    one = {"ppo": {"epochs": 1}, "row-gate": {"rate": 0.1}}.get(contender.method.method, {})
    changes = {"answers": 10, "prompts": 2} | one
    contender = small(contender)
    contender = replace(contender, method=replace(contender.method, **changes))
    defined = contender if defined is None else defined
    program, H = StaleSeeds(contender, FAR, replace(SIZE, length=6), CPU), 6  # answers long enough to differ
    program.step.network.double()
    for _ in range(3):
        program.train_batch()
    seen, paid = {}, program._paid
    drawn = program.drawn
    program.drawn = lambda: seen.setdefault("drawn", drawn())
    program._paid = lambda point: seen.setdefault("paid", paid(point))
    old, new = program._actor(), program.step.network
    program.copies.kept.pop()  # it was asked for once more at the same update, and kept twice
    learners, actors = [[network.policy(place) for place in range(2)] for network in (new, old)]
    program.train_batch()
    tokens, gaps, sizes = seen["drawn"][0].tokens, [], []
    for place in range(2):
        rows = slice(place * 20, (place + 1) * 20)
        with torch.no_grad():
            behaviour = mixture(scored(actors[place], tokens[rows], H), 0.3, 2)
        log_prob = scored(learners[place], tokens[rows], H)
        point = seen["paid"][rows].double().view(-1, 10)
        advantage = ((point - point.mean(1, keepdim=True)) / H).flatten()
        loss = loss_of(defined, advantage, log_prob, behaviour)
        expected = torch.autograd.grad(loss, list(learners[place].parameters()))
        for mine, theirs in zip(new.parameters(), expected, strict=True):
            gaps.append(float((mine.grad[place] - theirs).abs().max()))
            sizes.append(float(theirs.abs().max()))
    return max(gaps), max(sizes)


def loss_of(contender, advantage, log_prob, behaviour):
    """The loss of one seed's batch, token by token."""
    (B, T), loss, learner = log_prob.shape, 0.0, log_prob.detach()
    keep = kept(contender, advantage, -(learner if contender.surprisal == "learner" else behaviour))
    for row, at in itertools.product(range(B), range(T)):
        u, p, m = float(advantage[row]), float(learner[row, at]), float(behaviour[row, at])
        whole = math.exp(float(learner[row].sum() - behaviour[row].sum()))
        if keep[row, at]:
            loss = loss - u * weight(contender, u, p, m, whole) * log_prob[row, at] / (B * T)
    return loss


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.label)
def test_each_gradient_is_that_of_its_definition(contender):
    """Rows one by one, by a plain network with a graph of its own, in float64; of PPO the first epoch."""
    gap, size = apart(contender)
    assert gap < 1e-12
    assert size > 1e-4


@pytest.mark.parametrize(
    ("place", "other"), [(0, 1), (1, 2), (3, 0), (4, 5), (7, 8)], ids=lambda place: CONTENDERS[place].label
)
def test_negative_control_a_wrong_weight_is_noticed(place, other):
    gap, size = apart(CONTENDERS[place], CONTENDERS[other])
    assert gap > 0.01 * size


def enumerated(correction, share=0.3):
    """The expected gradient over all groups of two answers of two tokens, and that of the learner's own reward."""
    policy, old = (Transformer(2, 3, Architecture(8, 2, 1, 8, head="default"), seed=seed).double() for seed in (0, 1))
    prompt = torch.tensor([0, 1])
    answers = torch.tensor(list(itertools.product(range(2), repeat=2)))
    tokens = torch.cat([prompt.expand(4, 2), answers], 1)

    def rollout(network):
        return Rollout(tokens, network(tokens[:, :-1], 2).log_softmax(-1))

    learner = rollout(policy)
    with torch.no_grad():
        behaviour = mixed_answers(rollout(old), share)
    mu = (-behaviour.surprisal.sum(1)).exp()
    assert float(mu.sum()) == pytest.approx(1, abs=1e-12)
    right = (answers == prompt.flip(0)).sum(1)
    total = 0.0
    fixed = Rollout(tokens, learner.log_policy.detach())
    weights = importance_weights(fixed, behaviour, correction) if correction != "none" else torch.ones(4, 2)
    assert float(weights.max()) < BOUND
    for one, other in itertools.product(range(4), repeat=2):
        advantage = advantage_of(right[[one, other]], "mean", 2, 2, 2, torch.float64)
        of_both = sum(
            u * (weights[i] * -learner.surprisal[i]).sum() for u, i in zip(advantage, (one, other), strict=True)
        )
        total = total + mu[one] * mu[other] * of_both / 2
    value = ((-learner.surprisal.sum(1)).exp() * right / 2).sum()
    both = [torch.autograd.grad(of, list(policy.parameters()), retain_graph=True) for of in (total, value)]
    return [torch.cat([each.flatten() for each in found]) for found in both]


def test_weights_of_whole_answers_leave_no_bias_but_the_groups_factor():
    found, true = enumerated("answers")
    torch.testing.assert_close(found, true / 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("correction", ["none", "tokens"])
def test_negative_control_no_weights_and_those_of_tokens_are_biased(correction):
    found, true = enumerated(correction)
    assert float((found - true / 2).norm()) > 0.02 * float(true.norm())


def test_weights_are_cut_at_the_bound():
    tokens = torch.zeros(1, 4, dtype=torch.int64)
    learner, actor = (Rollout(tokens, torch.tensor([[[p, 1 - p]] * 3]).log()) for p in (0.9, 0.1))
    assert importance_weights(learner, actor, "tokens").tolist() == [[pytest.approx(9)] * 3]
    assert importance_weights(learner, actor, "answers").tolist() == [[BOUND] * 3]


def test_the_behaviour_of_broken_answers_adds_up():
    policy = Transformer(3, 5, Architecture(8, 2, 1, 8, head="default"), seed=0).double()
    answers = torch.tensor(list(itertools.product(range(3), repeat=3)))
    tokens = torch.cat([torch.zeros(27, 3, dtype=torch.int64), answers], 1)
    with torch.no_grad():
        own = Rollout(tokens, policy(tokens[:, :-1], 3).log_softmax(-1))
    for share in (0.0, 0.3, 1.0):
        mixed = mixed_answers(own, share)
        whole = (-mixed.surprisal.sum(1)).exp()
        expected = (1 - share) * (-own.surprisal.sum(1)).exp() + share / 27
        torch.testing.assert_close(whole, expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(mixed.log_policy.exp().sum(-1), torch.ones(27, 3).double(), rtol=0, atol=1e-12)


def test_broken_answers_and_false_pay_come_at_their_rates():
    contender = Contender(replace(PG, prompts=500, answers=10))
    program = StaleSeeds(contender, Setting(random=0.3, corruption=0.1), replace(SIZE, length=6), CPU)
    rollout, _ = program.drawn()
    again = StaleSeeds(contender, Setting(), replace(SIZE, length=6), CPU).drawn()[0]
    changed = (rollout.answers != again.answers).any(1).float().mean()
    assert float(changed) == pytest.approx(0.3 * (1 - 2**-6), abs=4 * (0.21 / 10_000) ** 0.5)
    paid = program._paid(torch.arange(10_000) % 6)
    full = paid == 6
    assert float(full.float().mean()) == pytest.approx(0.1, abs=4 * (0.09 / 10_000) ** 0.5)
    assert torch.equal(paid[~full], (torch.arange(10_000) % 6)[~full])
    assert not torch.equal(full[:5_000], full[5_000:]), "each seed has a stream of its own"


def test_actors_write_with_parameters_of_the_delay():
    program, weights = seeds(Contender(PG), Setting(delay=2)), []
    for update in range(5):
        weights.append(program.step.network.stacked.head.weight.clone())
        acting = program.copies.acting
        program.copies.acting = lambda now, acting=acting: weights.append(acting(now)) or weights[-1]
        program.train_batch()
        program.copies.acting = acting
        assert torch.equal(weights.pop().stacked.head.weight, weights[max(0, update - 2)])
    assert not torch.equal(weights[0], weights[4])


@pytest.mark.parametrize("contender", [CONTENDERS[2], CONTENDERS[8]], ids=lambda contender: contender.label)
def test_a_killed_run_goes_on_to_the_same_bytes(contender, tmp_path, monkeypatch):
    contender, checkpoint = small(contender), checkpoint_at(tmp_path / "run.pt")
    whole = trained(StaleSeeds(contender, FAR, SIZE, CPU))
    train = StaleSeeds.train_batch

    def killed_at_five(self):
        if self.update == 5:
            raise KeyboardInterrupt
        train(self)

    with monkeypatch.context() as patch:
        patch.setattr(StaleSeeds, "train_batch", killed_at_five)
        with pytest.raises(KeyboardInterrupt):
            trained(StaleSeeds(contender, FAR, SIZE, CPU), checkpoint)
    assert checkpoint.load()["update"] == 3
    resumed = trained(StaleSeeds(contender, FAR, SIZE, CPU), checkpoint)
    for (mine, _), (theirs, _) in zip(resumed, whole, strict=True):
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
    state = checkpoint.load()
    assert StaleSeeds(contender, Setting(delay=2), SIZE, CPU)._identity() != state["run"]
