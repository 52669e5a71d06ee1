"""Recorded work is replayed to the same numbers, reads no value, and changes what it changes in place."""

from dataclasses import replace

import pytest
import torch
from mnist_images import few_images
from waiting import Waits

from kondo_theory.gate import order
from simulations.mnist.captured import CapturedProgram
from simulations.mnist.config import MnistConfig
from simulations.mnist.training import SeedProgram, train
from simulations.networks.captured import WARM_UP, Captured, bucket

DEVICES = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
SMALL = {"hidden": (12, 10), "batch_size": 40, "dtype": "float64", "eval_every": 10, "updates": 25}
METHODS = [
    *(MnistConfig(method, **SMALL) for method in ("pg", "dg", "cross-entropy", "zero-price")),
    MnistConfig("dg-k", rate=0.1, **SMALL),
    MnistConfig("screen", rule="abs-advantage", rate=0.1, **SMALL),
    MnistConfig("gate", price=0.05, temperature=0.3, **SMALL),
]
AT_A_PRICE = ("zero-price", "gate")


@pytest.fixture(scope="module")
def data():
    return few_images()


def programs(config, data, device, kinds=(SeedProgram, CapturedProgram)):
    return [kind([replace(config, seed=seed) for seed in (0, 3)], data, device) for kind in kinds]


def state(program):
    counts = program.step.counts
    numbers = [*program.step.network.parameters(), counts.flops, counts.backward_samples, program._rewards]
    return [each.double() for each in (*numbers, program._diverged, torch.tensor(counts.invalid_samples))]


def differ(programs):
    return max(float((a.cpu() - b.cpu()).abs().max()) for a, b in zip(*map(state, programs), strict=True))


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_recorded_updates_are_the_updates(data, config, device):
    both = programs(config, data, device)
    for _ in range(25):
        for program in both:
            program.update()
        assert differ(both) < 1e-10
    _, captured = both
    assert captured._first.recorded
    assert captured.step.counts.state()[:2] == both[0].step.counts.state()[:2]
    assert all(width in captured.widths for width, rest in captured._rest.items() if rest.recorded)
    assert bool(captured.widths) == (config.method in AT_A_PRICE)
    if config.method in AT_A_PRICE:
        assert any(rest.recorded for rest in captured._rest.values())


class Rebinding(CapturedProgram):
    """Counts rewards in a tensor that is made anew at each update."""

    def _gate_and_update(self, *given):
        self._rewards = self._rewards * 1
        super()._gate_and_update(*given)


def test_negative_control_what_is_not_changed_in_place_is_lost(data):
    config = MnistConfig("pg", **SMALL)
    both = programs(config, data, DEVICES[0], (SeedProgram, Rebinding))
    for _ in range(10):
        for program in both:
            program.update()
    assert differ(both) > 0.5


@pytest.mark.parametrize("config", METHODS, ids=lambda config: config.label)
def test_a_replay_reads_no_value_but_the_width_at_a_price(data, config):
    captured = programs(config, data, DEVICES[0])[1]
    for _ in range(WARM_UP + 1):
        captured.update()
    for rest in captured._rest.values():  # at most one width so far: record it
        rest(), rest()
    draws = captured.streams.next()
    with Waits() as waits:
        captured.update(draws)
    assert waits.seen == (["_local_scalar_dense"] if config.method in AT_A_PRICE else [])


@pytest.mark.parametrize("method", ["dg-k", "zero-price"])
def test_training_goes_on_from_a_state(data, method):
    config = MnistConfig(method, rate=0.1 if method == "dg-k" else None, **SMALL)
    whole, first = (programs(config, data, DEVICES[0])[1] for _ in range(2))
    for _ in range(20):
        whole.update()
    for _ in range(9):
        first.update()
    again = programs(config, data, DEVICES[0])[1]
    for _ in range(5):  # recorded by the time it is restored
        again.update()
    again.restore(first.state())
    again._rewards.copy_(first._rewards)
    for _ in range(11):
        again.update()
    assert differ((whole, again)) < 1e-10


def test_curves_are_the_same(data):
    configs = [MnistConfig("dg-k", rate=0.1, **SMALL, seed=seed) for seed in (0, 1)]
    plain, captured = (train(configs, data, DEVICES[0], program_of=kind) for kind in (None, CapturedProgram))
    for one, other in zip(plain.curves, captured.curves, strict=True):
        assert one.equals(other)


def test_a_policy_that_is_no_number_is_found_at_its_update(data):
    for program in programs(MnistConfig("pg", **SMALL), data, DEVICES[0]):
        for update in range(8):
            if update == 6:
                program.step.network.weights[0][1].fill_(torch.nan)
            program.update()
        assert program._diverged.tolist() == [0, 7]


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_work_is_done_once_a_call_and_python_at_the_first_calls_alone(device):
    total, done = torch.zeros(3, device=device), []

    def work(numbers):
        done.append(1)
        total.add_(numbers)
        return (total * 2,)

    captured = Captured(work, device)
    for call in range(1, 9):
        (twice,) = captured(torch.full((3,), float(call), device=device))
        assert float(twice[0]) == call * (call + 1)
        assert captured.recorded == (call > WARM_UP)
    assert len(done) == WARM_UP + 1
    with pytest.raises(ValueError, match=r"inputs must be as recorded, \(3,\) torch.float32, got \(2,\)"):
        captured(torch.ones(2, device=device))


def test_a_large_batch_is_not_selected_by_numpy_in_a_recording(data, monkeypatch):
    monkeypatch.setattr(order, "LARGE", 10)
    both = programs(MnistConfig("dg-k", rate=0.1, **SMALL), data, DEVICES[0])
    for _ in range(WARM_UP + 4):
        for program in both:
            program.update()
    assert differ(both) < 1e-10


def test_widths_are_few_and_never_too_small():
    for most in (1, 7, 100, 1_000):
        widths = {bucket(width, most) for width in range(most + 1)}
        assert len(widths) <= most.bit_length() + 1
        assert all(width <= bucket(width, most) <= max(2 * width, 1) for width in range(1, most + 1))
    assert [bucket(width, 100) for width in (0, 1, 3, 13, 14, 50, 51, 100)] == [1, 1, 4, 13, 25, 50, 100, 100]
    with pytest.raises(ValueError, match="width must be between 0 and 7, got 8"):
        bucket(8, 7)
