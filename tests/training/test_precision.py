"""Half formats, autocast and rounding in the screened steps: what is made of logits is not rounded again."""

import math

import pytest
import torch
from steps import ONE_POLICY, SMALL, Answering, Screened, Sequence, Stacked
from test_steps import TWO_PASSES, each_step

from kondo_theory.gate import Gate
from kondo_theory.training import Answers, AnswerStep, ScreenedStep
from kondo_theory.training.policies import draw, log_probabilities
from simulations.networks.rollouts import sample
from simulations.networks.transformer import Transformer
from simulations.randomness.seed_streams import draw_actions


@pytest.mark.parametrize("gate", TWO_PASSES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("kind", ONE_POLICY)
def test_rounding_is_not_refused(kind, dtype, autocast, gate):
    """Matrix products of another batch size round otherwise; so does a sampler that decodes from a cache."""
    driver = kind(gate, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        for _ in range(10):
            driver.update(driver.screen())
    assert driver.step.counts.largest_gap < 0.1
    assert all(parameter.isfinite().all() for parameter in driver.parameters().values())


class Forbidding(torch.nn.Module):
    """Drops out, and forbids the last action or token by a logit that is very low."""

    def __init__(self, low):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(1, 64), torch.nn.Dropout(0.5), torch.nn.Linear(64, 6))
        self.low = low

    def forward(self, rows):
        logits = self.body(rows if rows.is_floating_point() else rows.unsqueeze(-1).float())
        return logits.masked_fill(torch.arange(6) == 5, self.low)


@pytest.mark.parametrize("low", [-math.inf, torch.finfo(torch.float32).min, -1e9, -1e4])
def test_what_forbids_an_action_does_not_hide_another_policy(low):
    policy, tokens = Forbidding(low), torch.arange(40).remainder(5).view(8, 5)
    sgd = torch.optim.SGD(policy.parameters(), lr=0.1)
    step, observations = ScreenedStep(policy, sgd, Gate(rate=0.5)), torch.randn(20, 1)
    with pytest.raises(ValueError, match=r"within 0\.00\d+ nats"):
        step.update(observations, step.act(observations), torch.ones(20))
    there = torch.ones_like(tokens, dtype=torch.bool)
    answers = Answers(tokens, there, there & (torch.arange(5) > 0))
    with pytest.raises(ValueError, match=r"within 0\.00\d+ nats"):
        AnswerStep(policy, sgd, Gate(rate=0.5)).update(answers, torch.ones(8))
    policy.eval()
    step.update(observations, step.act(observations), torch.ones(20))
    tokens[0, 2] = 5  # an answer that holds what is forbidden
    if low > -math.inf:
        AnswerStep(policy, sgd, Gate(price=-math.inf), rule="surprisal").update(answers, torch.ones(8))


class CachedCast(torch.nn.Linear):
    """Casts its weight once and keeps the cast, as autocast did in old versions of torch, graph or not."""

    cache = None

    def forward(self, x):
        if type(self).cache is None:
            type(self).cache = self.weight * 1
        return torch.nn.functional.linear(x, type(self).cache)


@pytest.mark.parametrize("kind", ONE_POLICY)
def test_a_cast_without_a_graph_does_not_serve_the_backward_pass(kind, monkeypatch):
    monkeypatch.setattr(torch, "clear_autocast_cache", lambda: setattr(CachedCast, "cache", None))
    CachedCast.cache = None
    driver = kind(Gate(rate=0.25))
    parent, name = (driver.policy.layers, "1") if kind is Screened else (driver.policy, "head")
    plain = getattr(parent, name)
    layer = CachedCast(plain.in_features, plain.out_features, bias=False, dtype=torch.float64)
    setattr(parent, name, layer)
    for _ in range(2):
        driver.update(driver.screen())
        assert layer.weight.grad is not None
        assert layer.weight.grad.any()


@pytest.mark.parametrize("kind", ONE_POLICY)
def test_under_autocast_every_weight_has_the_gradient_of_bfloat16(kind):
    found = []
    for enabled in (True, False):
        driver = kind(Gate(rate=0.25), dtype=torch.float32)
        advantage = driver.screen()  # the same batch twice: draws differ under autocast
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled), torch.no_grad():
            driver.policy(driver.observations if kind is Screened else torch.zeros(2, 5, dtype=torch.int64))
            with torch.enable_grad():
                driver.update(advantage)
        found.append(torch.cat([parameter.grad.flatten() for parameter in driver.parameters().values()]))
    assert found[1].norm() > 0
    assert (found[0] - found[1]).norm() < 0.1 * found[1].norm()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@each_step
def test_a_policy_in_half_precision_is_read_and_drawn_from_in_single(kind, dtype, monkeypatch):
    """Its logits are what they are; what is made of them is not rounded again."""
    seen, multinomial, exponential = [], torch.multinomial, torch.Tensor.exponential_
    monkeypatch.setattr(torch, "multinomial", lambda p, *a, **k: (seen.append(p.dtype), multinomial(p, *a, **k))[1])
    monkeypatch.setattr(
        torch.Tensor, "exponential_", lambda x, *a, **k: (seen.append(x.dtype), exponential(x, *a, **k))[1]
    )
    driver = kind(Gate(rate=0.25), dtype=dtype)
    driver.screen()
    if kind is Answering:
        assert driver.answers.log_prob.dtype == torch.float32
        return
    log_policy = (driver.rollout if kind is Sequence else driver.screening).log_policy
    assert log_policy.dtype == torch.float32
    assert set(seen) == ({torch.float32} if kind is not Stacked else set())
    assert (log_policy.exp().sum(-1) - 1).abs().max() < 1e-5


class Uniform(Transformer):
    """Every logit is 40, so that a draw in bfloat16 has a resolution of a quarter."""

    def forward(self, *args):
        return 40 + 0 * super().forward(*args)


def low_token_z_score(draw, n_actions, rows):
    """How far the mean of uniform draws lies from the middle, in standard errors."""
    actions = draw(torch.Generator().manual_seed(0)).double()
    return float(actions.mean() - (n_actions - 1) / 2) / math.sqrt((n_actions**2 - 1) / 12 / rows)


def test_draws_in_bfloat16_do_not_favour_low_actions():
    """Uniform draws: the mean within 4 standard errors of the middle; drawn in bfloat16 it is farther."""
    rows = 10_000_000
    logits = torch.zeros(rows, 2, dtype=torch.bfloat16)
    assert abs(low_token_z_score(lambda g: draw(log_probabilities(logits), g), 2, rows)) < 4
    assert low_token_z_score(lambda g: torch.multinomial(logits.softmax(-1), 1, generator=g), 2, rows) < -4
    policy, prompt, rows = Uniform(64, 2, SMALL, seed=0).bfloat16(), torch.zeros(1, 1, dtype=torch.int64), 20_000
    assert (
        abs(low_token_z_score(lambda g: sample(policy, prompt, 1, n_answers=rows, generator=g).answers, 64, rows)) < 4
    )

    def rounded(generator):
        noise = torch.empty(rows, 64, dtype=torch.bfloat16).exponential_(generator=generator).log_()
        return (40 - noise).argmax(-1)

    assert low_token_z_score(rounded, 64, rows) < -4


def test_log_probabilities_of_a_bfloat16_policy_at_32000_actions_are_exact():
    logits = torch.randn(50, 32_000, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = logits.double().log_softmax(-1)
    assert (log_probabilities(logits) - exact).abs().max() < 1e-5
    assert (logits.log_softmax(-1) - exact).abs().max() > 0.02, "negative control: torch's own in bfloat16"
    assert log_probabilities(exact).dtype == torch.float64


def test_more_actions_than_multinomial_takes_can_be_drawn():
    """Two actions among 2^24 + 2 share the probability, a quarter and three quarters."""
    log_policy = torch.full((1, 2**24 + 2), -math.inf)
    log_policy[0, 5], log_policy[0, -1] = math.log(0.25), math.log(0.75)
    generator = torch.Generator().manual_seed(0)
    assert {int(draw(log_policy, generator)) for _ in range(4)} == {5, 2**24 + 1}
    with pytest.raises(RuntimeError, match=r"2\^24"):
        torch.multinomial(log_policy.exp(), 1)


def test_an_action_of_probability_zero_is_not_drawn_where_rounding_leaves_a_gap():
    policy = torch.tensor([[0.4, 0.3, 0.2999, 0.0, 0.0]])
    assert draw_actions(policy, torch.tensor([0.99999])).tolist() == [2]
    assert draw_actions(policy, torch.tensor([0.5])).tolist() == [1]
    assert draw_actions(torch.tensor([[0.0, 1.0]]), torch.tensor([0.0])).tolist() == [1]
