"""The gate whose price is of a window of scores: its rate, what enters the window, its state, what it refuses."""

import math

import pytest
import torch
from drifting_policy import B, ratio, train
from steps import Answering, N, Screened
from waiting import Waits

from kondo_theory.gate import Gate, kept_count, quantile_price
from kondo_theory.training import Answers, StreamingGate, select_samples, streaming
from kondo_theory.training.answers import select_answers
from kondo_theory.training.answers.rules import LEVELS

DRIFTING = [(0.01, 256, 1000, 25.0), (0.03, 256, 600, 10.0), (0.1, 1024, 400, 5.0)]


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("rate", "window", "steps", "learning_rate"), DRIFTING)
def test_while_a_policy_learns_the_rate_is_within_a_tenth_of_the_wished_one(rate, window, steps, learning_rate):
    """Two standard errors included; micro-batches of eight, the first fifth of the steps is left out."""
    kept, reward = train(StreamingGate(rate, window), steps, learning_rate)
    found, error = ratio(kept[steps // 5 :], rate)
    assert abs(found - 1) + 2 * error < 0.1
    assert reward[0] < 0.15
    assert reward[-1] > 0.7, "it drifts"
    owed = (B * rate - kept).cumsum(0)
    assert owed.max() < (4 + 2 * B * rate) * -math.log(rate) + 2 * B * rate, "as the class promises"


def test_negative_control_a_price_that_is_fixed_at_the_start_keeps_another_share():
    rate, first = 0.03, StreamingGate(0.03, 800)
    train(first, 100, 0.0)
    gate = Gate(price=float(quantile_price(first.state_dict()["scores"].flatten(), rate)))
    assert abs(ratio(train(gate, 100, 0.0)[0], rate)[0] - 1) < 0.2, "while nothing is learnt"
    found, error = ratio(train(gate, 600, 10.0)[0][120:], rate)
    assert abs(found - 1) - 4 * error > 0.1


def test_negative_control_a_window_alone_falls_behind_a_policy_that_learns(monkeypatch):
    monkeypatch.setattr(streaming, "_PATIENCE", 1e12)
    found, error = ratio(train(StreamingGate(0.03, 256), 600, 10.0)[0][120:], 0.03)
    assert found + 4 * error < 0.5
    assert kept_count(0.03, B) / B == 0.125, "and a rate for each batch rounds up"


@pytest.mark.parametrize("temperature", [0.0, 0.5])
@pytest.mark.parametrize("ties", [False, True])
def test_on_scores_that_do_not_drift_the_rate_is_the_wished_one_from_the_first_batch_on(ties, temperature):
    """With ties two thirds of the scores are 0, others 1 or −1: no price keeps 10 %."""
    score = numbers(60, 200, 8)
    if ties:
        score = score.round().clamp(-1, 1) * (numbers(60, 200, 8, seed=3) > 0)
    gate = StreamingGate(0.1, 64, temperature)
    kept = torch.stack([select_samples(each, gate, generator(1000 + step)).keep for step, each in enumerate(score)])
    for part in (kept[:1], kept):
        error = math.sqrt(0.1 * 0.9 / part.numel())
        assert abs(float(part.double().mean()) - 0.1) < 4 * error
    if temperature == 0:
        assert float(score[20:][kept[20:]].mean()) > (0.9 if ties else 1.5), "and they are the largest"


@pytest.mark.parametrize("n", [8, 50])
def test_with_an_empty_window_the_pool_is_the_batch(n):
    score, rate = numbers(1000, n), 0.03
    keep = select_samples(score, StreamingGate(rate, 16), generator()).keep
    top = score.argsort(-1, descending=True)
    share = keep.gather(-1, top).double().mean(0)[:3]
    expected = [min(1.0, max(0.0, rate * n - place)) for place in range(3)]
    torch.testing.assert_close(share, torch.tensor(expected, dtype=share.dtype), rtol=0, atol=4 * 0.5 / 1000**0.5)


def test_a_large_batch_outweighs_the_window_and_its_rate_does_not_swing():
    gate, counts = StreamingGate(0.1, 64), []
    for step in range(40):
        counts.append(int(select_samples(numbers(2000, seed=step), gate, generator()).n_kept))
    assert max(abs(count - 200) for count in counts[3:]) < 25


def test_padding_and_no_numbers_never_enter_the_window_and_scores_that_are_never_kept_do():
    gate = StreamingGate(0.25, 8)
    score = torch.tensor([1.0, math.nan, 2.0, 3.0, -math.inf, 0.0, 5.0])
    coefficient = torch.tensor([1.0, 1.0, 1.0, math.inf, 0.0, 0.0, 1.0])
    mask = torch.tensor([True, True, True, True, True, True, False])
    selection = select_samples(score, gate, coefficient=coefficient, mask=mask, check=False)
    assert gate.state_dict()["scores"].tolist()[:4] == [1.0, 2.0, -math.inf, 0.0]
    assert (int(gate.state_dict()["written"]), int(selection.n_valid), int(selection.n_invalid)) == (4, 6, 2)
    for step in range(50):
        keep = select_samples(score, gate, generator(step), coefficient=coefficient, mask=mask, check=False).keep
        assert not keep[[1, 3, 4, 6]].any()


def test_the_window_is_the_last_valid_scores():
    gate, expected = StreamingGate(0.5, 5), []
    for step, size in enumerate((3, 1, 7, 2, 12, 4)):
        score, mask = numbers(size, seed=step), numbers(size, seed=step + 50) > -0.5
        select_samples(score, gate, generator(), mask=mask)
        expected = (expected + score[mask].tolist())[-5:]
        window = gate.state_dict()["scores"]
        assert sorted(window[~window.isnan()].tolist()) == sorted(expected)


def test_batches_side_by_side_have_a_window_each():
    together, alone = StreamingGate(0.2, 16), [StreamingGate(0.2, 16) for _ in range(3)]
    for step in range(30):
        score, draw, mask = numbers(3, 8, seed=step), numbers(3, 8, seed=-step - 1).sigmoid(), numbers(3, 8) > -0.7
        found = select_samples(score, together, draw, mask=mask)
        for place, gate in enumerate(alone):
            own = select_samples(score[place], gate, draw[place], mask=mask[place])
            assert torch.equal(found.keep[place], own.keep)
            assert torch.equal(found.price[place], own.price)
    with pytest.raises(ValueError, match=r"batches side by side must stay as they are, \(3,\) .*, got \(\)"):
        select_samples(numbers(8), together)


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_from_a_checkpoint_a_run_goes_on_bit_for_bit(temperature, tmp_path):
    def run(gate, steps, draw):
        return [select_samples(numbers(8, seed=step), gate, draw) for step in steps]

    whole, draw = StreamingGate(0.1, 32, temperature), generator()
    run(whole, range(30), draw)
    torch.save({"gate": whole.state_dict(), "draw": draw.get_state()}, tmp_path / "state.pt")
    expected = run(whole, range(30, 60), draw)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed, draw = StreamingGate(0.1, 32, temperature), torch.Generator()
    resumed.load_state_dict(state["gate"])
    draw.set_state(state["draw"])
    for found, wanted in zip(run(resumed, range(30, 60), draw), expected, strict=True):
        assert torch.equal(found.keep, wanted.keep)
        assert torch.equal(found.price, wanted.price)
    fresh, draw = StreamingGate(0.1, 32, temperature), torch.Generator()
    draw.set_state(state["draw"])
    prices = [each.price for each in run(fresh, range(30, 60), draw)]
    assert not all(torch.equal(each.price, price) for each, price in zip(expected, prices, strict=True)), "control"
    fresh.load_state_dict(StreamingGate(0.2, 32).state_dict())
    assert fresh.state_dict()["scores"] is None, "a state may be of a gate that has seen nothing"


def test_the_window_follows_the_dtype_of_the_scores():
    gate = StreamingGate(0.25, 8)
    for dtype, kept in (
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.float32, torch.float64),
    ):
        select_samples(numbers(8).to(dtype), gate)
        assert gate.state_dict()["scores"].dtype == kept


GOOD = {"window": 4, "scores": torch.tensor([1.0, 2.0, math.nan, math.nan]), "written": torch.tensor(2)}
GOOD["debt"] = torch.tensor(0.5)
WRONG = [
    ({"window": 4}, r"must have debt, scores, window, written, got \['window'\]"),
    ("nothing", r"must have debt, scores, window, written, got str"),
    (GOOD | {"window": 5}, "must be of a window of 4 scores, got one of 5"),
    (GOOD | {"scores": None}, "must be tensors, got NoneType, Tensor, Tensor"),
    (GOOD | {"written": torch.tensor(2.0)}, "int64 written and a floating debt, got .*float32"),
    (GOOD | {"scores": torch.ones(3)}, r"must be \(..., 4\), \(...\) and \(...\), got \(3,\), \(\), \(\)"),
    (GOOD | {"written": torch.tensor(3)}, "must be as many numbers as were written, up to the window"),
    (GOOD | {"debt": torch.tensor(math.nan)}, "debt of the state must be finite, got nan"),
]


@pytest.mark.parametrize(("state", "message"), WRONG)
def test_a_wrong_state_is_refused_in_one_line_and_changes_nothing(state, message):
    gate = StreamingGate(0.1, 4)
    gate.load_state_dict(GOOD)
    with pytest.raises(ValueError, match=message) as caught:
        gate.load_state_dict(state)
    assert "\n" not in str(caught.value)
    assert torch.equal(gate.state_dict()["written"], GOOD["written"])


def test_wrong_settings_are_refused():
    for window in (0, 2.5, True):
        with pytest.raises(ValueError, match=f"window must be a whole number of at least 1, got {window}"):
            StreamingGate(0.1, window)
    with pytest.raises(ValueError, match=r"rate must be in \(0, 1\], got 0"):
        StreamingGate(0.0)
    assert repr(StreamingGate(0.1)) == "StreamingGate(rate=0.1, window=1024)"
    assert repr(StreamingGate(0.1, 8, 0.5)) == "StreamingGate(rate=0.1, window=8, temperature=0.5)"


@pytest.mark.parametrize("temperature", [0.0, 0.5])
@pytest.mark.parametrize("level", LEVELS)
def test_selection_of_answers_reads_no_value_at_any_level(level, temperature):
    """On the meta device there are none to read."""
    values = torch.zeros(2, 6, 5, device="meta")
    masks = torch.ones(6, 5, dtype=torch.bool, device="meta")
    answers = Answers(masks.long(), masks, masks, values[0])
    gate = StreamingGate(0.1, 16, temperature)
    for _ in range(2):
        found = select_answers(answers, values[1, :, 0], gate, level=level, groups=2, check=False)
    assert found.keep.shape == (6, 5)
    assert found.price.shape == ()
    with Waits() as spy:
        select_samples(numbers(3, 8), StreamingGate(0.1, 16, temperature), check=False)
    assert spy.seen == []


@pytest.mark.parametrize("kind", [Screened, Answering], ids=lambda kind: kind.__name__)
def test_steps_take_it_as_their_gate(kind):
    """An exact third of a large batch, for the pool is the batch; the price is of the batch and stays."""
    driver = kind(StreamingGate(0.3, 400))
    advantage = driver.screen()
    advantage[:8] = 0.0
    keep = driver.update(advantage)
    assert int(keep.sum()) in (12, 13)
    selection = driver.select(advantage)
    before = float(selection.price)
    for _ in range(3):
        driver.update(driver.screen())
    assert float(selection.price) == before
    assert int(driver.step.gate.state_dict()["written"]) == 5 * N
    assert f"gate=StreamedPrice(price={before:.4g}, opening=" in repr(selection)


def test_the_kept_are_nearly_those_of_an_exact_top():
    """Exponential scores: the top ρ of all has mean 1 + log(1/ρ), a random choice 1."""
    rate, gate, total, count = 0.03, StreamingGate(0.03, 512), 0.0, 0
    for step in range(160):
        score = torch.empty(40, 8).exponential_(generator=generator(step + 9))
        keep = select_samples(score, gate, generator(step + 999), check=False).keep
        if step >= 80:
            total, count = total + float(score[keep].sum()), count + int(keep.sum())
    ideal = 1 - math.log(rate)
    assert 0.95 < total / count / ideal < 1
    assert 1 / ideal < 0.3, "negative control"


def test_the_window_moves_to_the_device_of_the_scores():
    gate = StreamingGate(0.25, 8)
    select_samples(numbers(8), gate)
    select_samples(numbers(8).to("meta"), gate, check=False)
    assert gate.state_dict()["scores"].device.type == "meta"
