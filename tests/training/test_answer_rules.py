"""Which rules a step takes at a level and with a gate, and that what it refuses it could not have done."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from answer_batches import small_model
from steps import sgd

from kondo_theory.advantage import group_advantage
from kondo_theory.gate import Gate
from kondo_theory.screening import RULES, ScreeningRule
from kondo_theory.training import Answers, AnswerStep, StreamingGate
from kondo_theory.training.answers import select_answers
from kondo_theory.training.answers.rules import LEVELS, needs_entropy, needs_log_prob, require_rule
from simulations.networks.sequence_step import SequenceStep
from simulations.networks.stacked_answers.steps import StackedSequenceStep

ONE = Gate(rate=1.0)
DECIDES = {"row": "sample answer prompt", "token": "sample token", "group": "sample prompt"}


def answers_of(n_rows, *, length=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(n_rows, length, dtype=torch.bool)
    answered = mask.clone()
    answered[:, 0] = False
    log_prob, entropy = torch.rand(2, n_rows, length, generator=generator, dtype=torch.float64) * 3
    tokens = torch.randint(1, 9, (n_rows, length), generator=generator)
    return Answers(tokens, mask, answered, -log_prob, entropy)


def takers(rule, level, gate):
    """Every step that takes a rule: a function each that gives it this one."""
    model = small_model()
    calls = [
        lambda: AnswerStep(model, sgd(model.parameters()), gate, rule=rule, level=level),
        lambda: select_answers(answers_of(8), torch.linspace(-1, 1, 8), gate, rule=rule, level=level, groups=4),
        lambda: require_rule(rule, level, gate),
    ]
    if isinstance(rule, str) and RULES[rule].granularity == "sample" and level != "group":
        own = {"granularity": level, "rule": rule}
        calls += [
            lambda: SequenceStep(model, sgd(model.parameters()), gate, **own),
            lambda: StackedSequenceStep(model, None, gate, **own, generators=[], gate_generators=[], group_size=4),
        ]
    return calls


# Without a gate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rule", ["group-spread", "positive-surprisal", "entropy-band", "no-spurious", abs])
def test_a_rule_that_can_drop_is_refused_without_a_gate_by_every_step(rule, level):
    for call in takers(rule, level, None):
        with pytest.raises(
            ValueError, match=r"a rule that can drop belongs to a gate, .* got rule .*: Gate\(rate=1.0\) drops"
        ) as found:
            call()
        assert "\n" not in str(found.value)
        assert (repr(rule) if isinstance(rule, str) else "abs") in str(found.value)


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_rule_drops_a_gate_at_rate_one_drops_and_nothing_else(level):
    answers, advantage = answers_of(8), torch.linspace(-1, 1, 8, dtype=torch.float64)
    every = select_answers(answers, advantage, None, level=level, groups=4).keep
    assert torch.equal(every, answers.answered)
    for rule in ("delight", RULES["delight"], "abs-advantage", "uniform"):
        assert torch.equal(select_answers(answers, advantage, None, rule=rule, level=level, groups=4).keep, every)
        assert torch.equal(select_answers(answers, advantage, ONE, rule=rule, level=level, groups=4).keep, every)
    positive = select_answers(answers, advantage, ONE, rule="positive-surprisal", level=level, groups=4).keep
    assert torch.equal(positive, answers.answered & (advantage > 0)[:, None])


# At a price -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_no_score_exceeds_what_a_rule_calls_its_highest(name):
    rng = np.random.default_rng(1)
    advantage, surprisal, entropy = (
        rng.normal(size=(20, 8)),
        rng.exponential(size=(20, 8)) * 4,
        rng.random((20, 8)) * 3,
    )
    largest = RULES[name](advantage, surprisal, entropy).max()
    assert largest <= RULES[name].highest
    assert largest > 0 or RULES[name].highest == 0, "a price of zero would be refused for no reason"


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.highest == 0.0])
@pytest.mark.parametrize("price", [0.0, 0.5])
def test_a_price_at_which_a_rule_keeps_nothing_is_refused_by_every_step(name, price):
    for level in LEVELS:
        if RULES[name].granularity in DECIDES[level].split():
            for rule in (name, RULES[name], partial(RULES[name])):
                for call in takers(rule, level, Gate(price=price)) if isinstance(rule, str) else ():
                    with pytest.raises(
                        ValueError, match=rf"price must be below 0, .* '{name}' .* got {price:g}: Gate"
                    ):
                        call()
                with pytest.raises(ValueError, match=f"price must be below 0, which no score by rule '{name}'"):
                    require_rule(rule, level, Gate(price=price))
    numbers = np.random.default_rng(0).random((3, 5, 8)) + 0.1
    assert not Gate(price=price)(RULES[name](*numbers)).any(), "it would have kept nothing"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_whether_it_can_drop(name):
    rng = np.random.default_rng(1)
    advantage, surprisal, entropy = (
        rng.normal(size=(20, 8)),
        rng.exponential(size=(20, 8)) * 4,
        rng.random((20, 8)) * 3,
    )
    advantage[0] = 0.0
    beside = {"sampler_surprisal": np.zeros((20, 8))} if name == "off-policy-mask" else {}
    assert np.isneginf(RULES[name](advantage, surprisal, entropy, **beside)).any() == RULES[name].drops


def test_a_price_that_keeps_something_is_taken():
    for gate in (Gate(price=-1.0), Gate(price=0.0, temperature=1.0), ONE, StreamingGate(rate=0.1)):
        require_rule("uniform", "row", gate)
    for rule in ("delight", "advantage", "surprisal", abs):
        require_rule(rule, "row", Gate(price=0.0))


# At a level -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_taken_at_the_levels_of_what_it_decides_on(name, level):
    granularity = RULES[name].granularity
    if level == "group" and name == "entropy-band":
        message = (
            "rule must have scores above 0 at level 'group', .*, got 'entropy-band', .* every group would score 0"
        )
        for call in (*takers(name, level, ONE), lambda: require_rule(partial(RULES[name], low=0.1), level, ONE)):
            with pytest.raises(ValueError, match=message):
                call()
        return
    if granularity in DECIDES[level].split():
        require_rule(name, level, ONE)
        return
    message = f"rule must decide on .* at level '{level}', got '{name}', which decides on {granularity}s"
    for call in takers(name, level, ONE):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=message):
        require_rule(partial(RULES[name]), level, ONE)


def test_at_the_level_of_groups_a_rule_on_prompts_ranks_them_by_its_own_scores():
    """Sums of positive scores would tie all three groups, and choose at random."""
    hardest = ScreeningRule(
        lambda U, surprisal, H: -abs(U).sum(-1, keepdim=True) + 0 * U, ("advantage",), "prompt", True
    )
    advantage = torch.tensor([0.1, -0.1, 0.5, -0.5, 0.3, -0.3], dtype=torch.float64)
    for seed in range(8):
        selection = select_answers(
            answers_of(6), advantage, Gate(rate=1 / 3), rule=hardest, level="group", groups=2,
            rng=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        assert selection.keep.any(1).tolist() == [True, True, False, False, False, False]


def test_at_the_level_of_groups_the_sum_says_what_a_rule_drops_or_the_rule_is_refused():
    """Of two groups one is dropped whole: positive surprisals say so in their sum, a band of entropies cannot."""
    band = partial(RULES["entropy-band"], low=0.0, high=0.4)
    advantage, entropy = torch.tensor([[1.0, 1.0, -1.0, -1.0], [0.1, 0.1, 2.0, 2.0]], dtype=torch.float64)
    assert band(advantage, entropy, entropy).tolist() == [0, 0, -np.inf, -np.inf]
    for seed in range(8):
        how = {"level": "group", "groups": 2, "rng": torch.Generator().manual_seed(seed)}
        kept = select_answers(answers_of(4), advantage, Gate(rate=0.5), rule="positive-surprisal", **how).keep
        assert kept.any(1).tolist() == [True, True, False, False]
    with pytest.raises(ValueError, match="scores above 0 at level 'group'"):
        select_answers(answers_of(4), advantage, Gate(rate=0.5), rule=band, **how)


# What a function returns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["row", "token"])
@pytest.mark.parametrize(
    ("found", "error", "message"),
    [
        (None, TypeError, "rule must return scores, an array of real numbers, got None"),
        ("high", TypeError, "rule must return scores, an array of real numbers, got 'high'"),
        (np.zeros(3), TypeError, "what a rule returns must be of the other argument's library, got ndarray"),
        (torch.zeros(8, dtype=torch.int64), TypeError, "what a rule returns must have a real floating dtype"),
        (torch.zeros(7), ValueError, r"stretch to one, got advantage \(\d+,\), what a rule returns \(7,\)"),
        (torch.zeros(2, 1), ValueError, r"rule must return scores of shape \(\d+,\), got \(2, \d+\)"),
    ],
)
def test_what_a_function_returns_is_refused_in_one_line(found, error, message, level):
    with pytest.raises(error, match=message) as caught:
        select_answers(answers_of(8), torch.linspace(-1, 1, 8), ONE, rule=lambda *of: found, level=level)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("found", [0.0, 1, torch.zeros(1)])
def test_one_score_for_all_is_taken(found):
    for level in ("row", "token"):
        keep = select_answers(answers_of(8), torch.linspace(-1, 1, 8), ONE, rule=lambda *of: found, level=level).keep
        assert torch.equal(keep, answers_of(8).answered)


# With parameters ------------------------------------------------------------------------------------------------


def test_a_registered_rule_with_parameters_is_known_for_what_it_is():
    rule = partial(RULES["no-spurious"], least_probability=0.3, entropy=2.0)
    assert needs_entropy(rule)
    assert not needs_log_prob(partial(partial(RULES["group-spread"], tolerance=0.1)))
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), ONE, rule=rule, level="token")
    plain = answers_of(8)
    bare = Answers(plain.tokens, plain.attention_mask, plain.answer_mask)
    screened = step.screen(bare)
    assert screened.entropy is not None
    kept = step.select(bare, torch.ones(8)).keep
    spurious = (screened.log_prob.exp() < 0.3) & (screened.entropy < 2.0)
    assert torch.equal(kept, plain.answered & ~spurious)
    assert 0 < int(kept.sum()) < int(plain.answered.sum())


def test_what_answers_do_not_hold_can_be_given_with_the_rule():
    answers, advantage = answers_of(4), torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    now = torch.where(answers.answered, -answers.log_prob, 0.0).sum(1) / 3
    rule = partial(RULES["off-policy-mask"], sampler_surprisal=now - torch.tensor([2.0, 2.0, 0.1, 0.1]))
    found = select_answers(answers, advantage, ONE, rule=rule, row_surprisal="mean", groups=2)
    assert found.keep.any(1).tolist() == [True, False, True, True]


@pytest.mark.parametrize("rule", [3, None, ["delight"]])
def test_what_is_neither_a_name_nor_a_function_is_named(rule):
    for call in takers(rule, "row", ONE):
        with pytest.raises(
            TypeError, match=f"rule must be a name or a function of scores, got {re.escape(repr(rule))}"
        ):
            call()


# Beside rows of weight zero -------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3])
def test_max_variance_ranks_those_alone_that_have_a_weight(k):
    """Rows of weight zero would have taken the places of the extremes, and fewer than k would be kept."""
    rewards = torch.tensor([[0.0, 0.1, 0.2, 0.3, 0.9, 1.0], [1.0, 0.7, 0.0, 0.3, 0.6, 0.5]], dtype=torch.float64)
    advantage, _ = group_advantage(rewards.flatten(), 6)
    weight = torch.ones(2, 6, dtype=torch.float64)
    weight[0, [0, 5]] = weight[1, 0] = 0.0
    weight[1, 2] = float("nan")
    found = select_answers(
        answers_of(12), advantage, Gate(price=0.5 - k), rule="max-variance", groups=6, weight=weight.flatten(),
        check=False,
    )  # fmt: skip
    kept = found.keep.any(1).view(2, 6)
    assert kept.sum(1).tolist() == [k, k]
    assert int(found.n_invalid) == 1
    assert kept[0, [1, 4]].all(), "the extremes of those that are left"
    assert not (kept & ~(weight > 0)).any()
