"""What a step logs: each number against its definition, one transfer a step, and the early sign of a stall."""

import math

import pytest
import torch
from answer_batches import B, L, advantages, masked_gradients, own_gradients, ragged, small_model
from steps import Answering, Screened, sgd
from waiting import Waits

from kondo_theory.gate import Gate
from kondo_theory.token_trap import drift
from kondo_theory.training import (
    Answers,
    AnswerStep,
    Screening,
    Statistics,
    StreamingGate,
    TrapSign,
    answer_statistics,
)
from kondo_theory.training.answers import select_answers
from kondo_theory.training.answers.rules import LEVELS

GROUPS = 3


def screened(gate, level="row", **options):
    model = small_model()
    step = AnswerStep(model, sgd(model.parameters()), gate, level=level, micro_tokens=40, **options)
    return step, step.screen(ragged())


def cut_lengths(mask, attended):
    """Positions that a pass up to the last wanted token reads, row by row."""
    return [
        0 if not row.any() else int(row.nonzero()[-1]) - int(own.nonzero()[0])
        for row, own in zip(mask, attended, strict=True)
    ]


@pytest.mark.parametrize("gate", [Gate(rate=0.4), Gate(price=0.0), StreamingGate(0.4), None], ids=str)
@pytest.mark.parametrize("level", LEVELS)
def test_statistics_of_answers_are_what_they_are_defined_to_be(level, gate):
    step, answers = screened(gate, level, rule="abs-advantage-entropy")
    answers, U = step.screen(ragged()), advantages(zero=(2, 6, 7, 8))
    correct = torch.rand(B, L, generator=torch.Generator().manual_seed(4)) < 0.5
    selection = step.select(answers, U, groups=GROUPS)
    found = step.statistics(answers, U, selection, groups=GROUPS, correct=correct).read()
    keep, there, ell = selection.keep, answers.answered, -answers.log_prob
    assert found["rate"] == pytest.approx(float(selection.n_kept) / float(selection.n_valid))
    assert found["eligible"] == pytest.approx(float(selection.n_eligible) / float(selection.n_valid))
    assert found["rows"] == pytest.approx(int(keep.any(1).sum()) / (B - 1)), "row 3 is no answer"
    assert found["tokens"] == pytest.approx(int(keep.sum()) / int(there.sum()))
    read = [sum(cut_lengths(mask, answers.attended)) for mask in (keep, there)]
    assert found["positions"] == pytest.approx(read[0] / read[1])
    assert found["surprisal"] == pytest.approx(float(ell[there].mean()))
    assert found["entropy"] == pytest.approx(float(answers.entropy[there].mean()))
    assert (found["groups"], found["groups_without_spread"], found["invalid"]) == (4, 1, 0)
    delight = (U[:, None] * ell)[there] if level == "token" else (U * (ell * there).sum(1))[answers.present]
    assert found["delight_50"] == float(delight.sort().values[round(0.5 * (len(delight) - 1))])
    assert found["delight_10"] < found["delight_50"] < found["delight_90"]
    assert ("price" in found) == (gate is not None)
    right, A = correct[there].double().mean(), U[:, None].expand(B, L)
    pull = A * (correct.double() - right)
    for name, mask in (("drift", keep), ("full_drift", there)):
        assert found[name] == pytest.approx(float(pull[mask].sum() / there.sum()))
    assert found["right"] == pytest.approx(float(right))
    if keep.any():
        assert found["kept_right"] == pytest.approx(float(correct[keep].double().mean()))
        assert found["kept_surprisal"] == pytest.approx(float(ell[keep].mean()))


def test_the_positions_are_those_that_the_counts_find():
    step, answers = screened(Gate(rate=0.4), "token")
    shares = []
    for gate in (Gate(rate=0.4), None):
        step.gate = gate
        before = step.counts.backward_positions
        selection = step.update(answers, advantages(zero=()))
        shares.append(step.counts.backward_positions - before)
        if gate is not None:
            found = step.statistics(answers, advantages(zero=()), selection).read()["positions"]
    assert found == pytest.approx(shares[0] / shares[1])


def test_statistics_of_samples():
    driver = Screened(Gate(rate=0.25), check=False)
    advantage = driver.screen()
    advantage[3] = math.nan
    selection = driver.select(advantage)
    correct = driver.screening.actions == 0
    found = driver.step.statistics(driver.screening, advantage, selection, groups=8, correct=correct).read()
    policy = driver.screening.log_policy
    assert (found["rate"], found["rows"], found["invalid"], found["groups"]) == (0.25, 0.25, 1, 5)
    assert found["entropy"] == pytest.approx(float(-(policy.exp() * policy).sum(1).mean()))
    assert found["surprisal"] == pytest.approx(float(driver.screening.surprisal.mean()))
    assert found["kept_right"] == pytest.approx(float(correct[selection.keep].double().mean()))
    assert not {"tokens", "positions"} & set(found)
    assert all(map(math.isfinite, found.values())), "what is no number is left out"
    bare = Screening(driver.screening.actions, driver.screening.surprisal)
    assert {"entropy", "right", "groups"}.isdisjoint(driver.step.statistics(bare, advantage, selection))


def test_where_nothing_is_kept_shares_are_zero_and_means_of_nothing_no_number():
    step, answers = screened(Gate(price=1e9))
    selection = step.select(answers, advantages())
    found = step.statistics(answers, advantages(), selection, correct=answers.answered).read()
    assert [found[name] for name in ("rate", "rows", "tokens", "positions", "drift")] == [0] * 5
    assert math.isnan(found["kept_right"])
    assert math.isnan(found["kept_surprisal"])


@pytest.mark.parametrize("level", LEVELS)
def test_statistics_wait_for_nothing_and_are_read_at_once(level, monkeypatch):
    step, answers = screened(Gate(rate=0.4), level, check=False)
    selection = step.select(answers, advantages(), groups=GROUPS)
    transfers, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda each: transfers.append(each.shape) or cpu(each))
    with Waits() as spy:
        found = step.statistics(answers, advantages(), selection, groups=GROUPS, correct=answers.answered)
        assert spy.seen == transfers == []
        found.read()
    assert spy.seen == []
    assert transfers == [(len(found),)], "the one a step"
    with Waits() as spy:
        float(found["rate"])
    assert spy.seen == ["_local_scalar_dense"], "negative control"
    on_meta = torch.ones(B, L, dtype=torch.bool, device="meta")
    numbers = torch.zeros(2, B, L, device="meta")
    batch = Answers(on_meta.long(), on_meta, on_meta, *numbers)
    gate = StreamingGate(0.2)
    selection = select_answers(batch, numbers[0, :, 0], gate, level=level, groups=GROUPS, check=False)
    options = {"groups": GROUPS, "correct": on_meta, "by_token": level == "token"}
    found = answer_statistics(batch, numbers[0, :, 0], selection, **options)
    assert {each.device.type for each in found.values()} == {"meta"}


@pytest.mark.parametrize(
    ("correct", "error", "message"),
    [
        (torch.ones(B), TypeError, r"correct must be a boolean tensor, True where right, got torch\.float32"),
        (torch.ones(3, dtype=torch.bool), ValueError, r"correct must have a value for each row, \(12,\), .*\(3,\)"),
        ([True], TypeError, "correct must be a boolean tensor, True where right, got list"),
    ],
)
def test_a_wrong_mask_of_what_is_right_is_refused(correct, error, message):
    step, answers = screened(Gate(rate=0.4))
    with pytest.raises(error, match=message):
        step.statistics(answers, advantages(), step.select(answers, advantages()), correct=correct)


@pytest.mark.parametrize("level", LEVELS)
def test_the_alignment_of_answers_is_the_cosine_with_the_full_gradient_and_changes_nothing(level):
    step, answers = screened(Gate(rate=0.3), level)
    U, model = advantages(), step.policy
    for each in model.parameters():
        each.grad = torch.full_like(each, 0.5)
    selection = step.select(answers, U, groups=GROUPS)
    counts = repr(step.counts)
    found = float(step.alignment(answers, U, selection))
    flat = [
        torch.cat([each.flatten() for each in masked_gradients(model, answers, U, keep, 1.0)])
        for keep in (selection.keep, answers.answered)
    ]
    assert found == pytest.approx(float(torch.cosine_similarity(*flat, 0)), rel=1e-9)
    assert abs(found) < 0.999
    assert repr(step.counts) == counts
    assert all(bool((each == 0.5).all()) for each in own_gradients(model))


def test_the_alignment_of_samples():
    driver = Screened(Gate(rate=0.25))
    advantage = driver.screen()
    selection = driver.select(advantage)
    found = driver.step.alignment(driver.observations, driver.screening, advantage, selection)
    gradients = []
    for keep in (selection.keep, torch.ones_like(selection.keep)):
        loss = driver.masked_loss(advantage, keep)
        gradients.append(
            torch.cat([each.flatten() for each in torch.autograd.grad(loss, driver.policy.parameters())])
        )
    assert float(found) == pytest.approx(float(torch.cosine_similarity(*gradients, 0)), rel=1e-9)
    assert driver.step.counts.backward_samples == 0
    assert all(each.grad is None for each in driver.policy.parameters())
    nothing = Screened(Gate(price=1e9))
    advantage = nothing.screen()
    selection = nothing.select(advantage)
    assert nothing.step.alignment(nothing.observations, nothing.screening, advantage, selection).isnan()
    full = Screened(None)
    advantage = full.screen()
    assert full.step.alignment(full.observations, full.screening, advantage, full.select(advantage)) == 1


def rows_of_the_mean_field(p, n_rows, generator, *, n_tokens=10):
    """Answers of independent tokens, M = 2, with their exact mean as the baseline."""
    correct = torch.rand(n_rows, n_tokens, generator=generator, dtype=torch.float64) < p
    there = torch.ones(n_rows, n_tokens + 1, dtype=torch.bool)
    answered = there & (torch.arange(n_tokens + 1) > 0)
    correct = torch.nn.functional.pad(correct, (1, 0))
    log_prob = torch.where(correct, math.log(p), math.log1p(-p)).double()
    return Answers(correct.long(), there, answered, log_prob), correct[:, 1:].double().mean(1) - p, correct


@pytest.mark.parametrize("p", [0.53, 0.6, 0.8])
def test_the_drift_is_that_of_the_theory(p):
    """M = 2, T = 10, the top 3 % of the tokens: it stalls at 0.560."""
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(60):
        answers, advantage, correct = rows_of_the_mean_field(p, 1000, generator)
        selection = select_answers(answers, advantage, Gate(rate=0.03), level="token", rng=generator)
        statistics = answer_statistics(answers, advantage, selection, correct=correct).read()
        found.append([statistics["drift"], statistics["full_drift"]])
    found = torch.tensor(found)
    error = found.std(0) / 60**0.5
    expected = torch.tensor([drift(p, 10, 2, 0.03), drift(p, 10, 2, 1.0)])
    assert ((found.mean(0) - expected).abs() < 4 * error + 1e-5).all()
    assert (expected[0] > 4 * error[0]) == (p == 0.53), "between the rests at 0.560 and beyond 0.8 it falls"
    sign = TrapSign(updates=50)
    on = [sign.add({"drift": float(kept), "full_drift": float(full)}) for kept, full in found]
    assert on[:49] == [False] * 49
    assert on[-1] == (p != 0.53)


def test_the_sign_needs_what_it_is_of():
    with pytest.raises(ValueError, match="statistics must have drift and full_drift: give correct; got rate"):
        TrapSign().add(Statistics(rate=torch.ones(())).read())
    for updates in (1, 2.0, True):
        with pytest.raises(ValueError, match=f"updates must be a whole number of at least 2, got {updates}"):
            TrapSign(updates)
    sign = TrapSign(2)
    assert [sign.add({"drift": 0.0, "full_drift": 0.0}) for _ in range(3)] == [False] * 3, "nothing left to learn"
    assert [sign.add({"drift": 0.0, "full_drift": each}) for each in (1.0, 1.1, 1.2)] == [False, True, True]


def test_answers_that_the_step_screens_itself_have_statistics_too():
    driver = Answering(Gate(rate=0.3))
    driver.screen()
    answers = Answers(driver.answers.tokens, driver.answers.attention_mask, driver.answers.answer_mask)
    advantage = torch.linspace(-1, 1, len(answers.tokens), dtype=torch.float64)
    selection = driver.step.select(answers, advantage)
    assert "surprisal" in driver.step.statistics(answers, advantage, selection)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_statistics_of_16_bits_are_those_of_the_same_numbers(dtype):
    """In float16 the surprisals of 100,000 tokens sum to infinity."""
    draws = torch.rand(100, 1000, generator=torch.Generator().manual_seed(0))
    there = torch.ones_like(draws, dtype=torch.bool)
    U, found = torch.linspace(-1, 1, 100).to(dtype), []
    for wider in (dtype, torch.float64):
        log_prob, entropy = (-2 * draws).to(dtype).to(wider), (3 * draws).to(dtype).to(wider)
        answers = Answers(torch.zeros_like(there, dtype=torch.int64), there, there, log_prob, entropy)
        selection = select_answers(answers, U.to(wider), Gate(rate=0.5))
        found.append(answer_statistics(answers, U.to(wider), selection, correct=draws < 0.5).read())
    assert found[0] == pytest.approx(found[1], rel=1e-4, abs=1e-6)
