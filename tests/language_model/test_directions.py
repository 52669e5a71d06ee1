"""Derivatives along directions in parameters, of prompts that share their answers' rows, against autograd."""

import pytest
import torch
from tiny_models import CPU, model, tiny, tokenizer

from kondo_theory.advantage import group_advantage
from simulations.errors import ReportedError
from simulations.language_model.frozen.directions import (
    SharedPrompts,
    along,
    gradient,
    log_probabilities,
    moved,
    require_sampled,
    scaled_step,
)
from simulations.language_model.tasks import problems
from simulations.language_model.training import LanguageModelRun

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


@pytest.fixture(scope="module")
def run():
    run = LanguageModelRun(tiny(prompts=3), CPU, model(), tokenizer())
    run.ends[10:30] = True
    return run


@pytest.fixture(scope="module")
def drawn(run):
    config = run.config
    asked = list(problems(config.task, run.task, config.prompts, 5))
    drawn, reward = run.draw(asked, config.answers)
    advantage, _ = group_advantage(reward, config.answers)
    lengths = {int(each.sum()) for each in drawn.answers.answered}
    assert {1, 2} < lengths, "answers of several lengths"
    assert not drawn.answers.attended[:, 0].all(), "prompts too"
    return drawn, advantage


@pytest.fixture(scope="module")
def shared(run, drawn):
    return SharedPrompts.of(drawn[0], run.config.answers, torch.tensor([True, False, True]))


def test_the_log_probabilities_are_those_of_sampling(run, drawn, shared):
    answers, kept = drawn[0].answers, torch.tensor([True] * 4 + [False] * 4 + [True] * 4)
    assert shared.places.tolist() == (answers.answered & kept.unsqueeze(1)).flatten().nonzero().squeeze(1).tolist()
    with torch.no_grad():
        found = log_probabilities(run.learner, shared)
    torch.testing.assert_close(found, answers.log_prob.flatten()[shared.places], rtol=0, atol=1e-6)
    require_sampled(found, drawn[0], shared.places, 1e-9)
    with pytest.raises(ReportedError, match=r"the last blocks give log-probabilities 0\.1 nats from"):
        require_sampled(found + 0.1, drawn[0], shared.places, 1e-3)


def test_the_gradient_is_that_of_a_step(run, drawn):
    (drawn, advantage), step = drawn, run.step
    everything = SharedPrompts.of(drawn, run.config.answers, torch.ones(3, dtype=torch.bool))
    weight = advantage.unsqueeze(1).expand(drawn.answers.tokens.shape).flatten()[everything.places]
    found, _ = gradient(run.learner, everything, weight / drawn.answers.answered.sum())
    run.learner.take(drawn.hidden)
    step.optimizer.zero_grad()
    step.backward(drawn.answers, advantage, step.select(drawn.answers, advantage))
    for mine, parameter in zip(found, run.learner.parameters.values(), strict=True):
        assert (mine + parameter.grad).norm() < 1e-6 * parameter.grad.norm(), "ascent, and descent"


def test_derivatives_are_those_of_autograd_and_parameters_stay(run, shared):
    parameters = list(run.learner.parameters.values())
    before = [each.detach().clone() for each in parameters]
    generator = torch.Generator().manual_seed(1)
    direction = [torch.randn(each.shape, dtype=each.dtype, generator=generator) for each in parameters]
    log_prob = log_probabilities(run.learner, shared)
    grads = [torch.autograd.grad(each, parameters, retain_graph=True) for each in log_prob]
    exact = torch.stack([sum((a * b).sum() for a, b in zip(each, direction, strict=True)) for each in grads])
    log_prob = log_prob.detach()
    with torch.no_grad():
        step = scaled_step(run.learner, direction, shared, log_prob)
        forward, backward = along(run.learner, direction, [shared] * 2, [log_prob] * 2, step)
    assert (step * exact).square().mean().sqrt() == pytest.approx(0.01, rel=0.05)
    size = exact.square().mean().sqrt()
    assert (forward - exact).abs().max() < 0.1 * size
    assert ((forward + backward) / 2 - exact).abs().max() < 1e-3 * size, "the first order is gone"
    assert all(torch.equal(each, value) for each, value in zip(parameters, before, strict=True))


def test_parameters_are_put_back_after_an_error(run):
    parameter = next(iter(run.learner.parameters.values()))
    before = parameter.detach().clone()
    ones = [torch.ones_like(each) for each in run.learner.parameters.values()]

    def fail():
        with moved(run.learner, ones, 0.5):
            assert torch.equal(parameter, before + 0.5)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(parameter, before)


def test_nothing_to_read_is_no_error(run, drawn):
    nothing = SharedPrompts.of(drawn[0], run.config.answers, torch.zeros(3, dtype=torch.bool))
    found, log_prob = gradient(run.learner, nothing, torch.zeros(0))
    assert not any(each.any() for each in found)
    assert scaled_step(run.learner, found, nothing, log_prob) == 0
    assert [len(each) for each in along(run.learner, found, [nothing], [log_prob], 0.0)] == [0]
