"""What every screened step must do: NaN, frozen parameters, two passes of one policy."""

import dataclasses
import math

import pytest
import torch
from steps import ONE_POLICY, STEPS, Answering, N, Screened, Sequence, Stacked
from waiting import Waits

from kondo_theory.gate import Gate
from kondo_theory.training import AnswerStep, ScreenedStep
from simulations.networks import stacked

GATES = (None, Gate(rate=0.25), Gate(price=0.0), Gate(price=-1e9), Gate(price=0.0, temperature=0.5))
TWO_PASSES = (Gate(rate=0.25), Gate(price=-1e9))
each_step = pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.__name__)


def copies(driver):
    return {name: parameter.detach().clone() for name, parameter in driver.parameters().items()}


def gradients(driver):
    return {name: None if p.grad is None else p.grad.clone() for name, p in driver.parameters().items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert (found[name] is None) == (value is None), name
        assert value is None or torch.equal(found[name], value), name


def refused(driver, advantage, message):
    """Assert that an update is refused and leaves parameters, gradients and optimizer as they were."""
    before, gradient = copies(driver), gradients(driver)
    state = str(driver.step.optimizer.state_dict())
    with pytest.raises(ValueError, match=message) as caught:
        driver.update(advantage)
    assert "\n" not in str(caught.value)
    assert_same(copies(driver), before)
    assert_same(gradients(driver), gradient)
    assert str(driver.step.optimizer.state_dict()) == state


CASES = [
    (kind, gate, bad)
    for kind in STEPS
    for gate in (*GATES, Gate(rate=0.25, temperature=0.5))
    for bad in (math.nan, math.inf, -math.inf)
    # The caller of a stacked step computes the delight, and an infinite one saturates.
    if kind is not Stacked or math.isnan(bad)
]


@pytest.mark.parametrize(("kind", "gate", "bad"), CASES, ids=str)
def test_an_advantage_that_is_no_number_is_never_kept_and_is_counted(kind, gate, bad):
    driver = kind(gate, check=False)
    for update in range(3):
        advantage = driver.screen()
        advantage[[3, N - 2]] = bad
        keep = driver.update(advantage)
        assert not keep[[3, N - 2]].any()
        assert keep.any()
        if gate == Gate(rate=0.25):
            assert int(keep.sum()) == N // 4
        if gate in (None, Gate(price=-1e9)):
            assert int(keep.sum()) == N - 2
        assert driver.step.counts.invalid_samples == 2 * (update + 1)
    assert f"invalid_samples={2 * 3}" in repr(driver.step.counts)
    assert all(parameter.isfinite().all() for parameter in driver.parameters().values())


@pytest.mark.parametrize("gate", [None, Gate(rate=0.25), Gate(price=-1e9)], ids=str)
def test_a_stacked_step_drops_infinite_coefficients_that_its_gate_kept(gate):
    driver = Stacked(gate)
    advantage = driver.screen()
    advantage[[3, N - 2]] = math.inf
    assert driver.update(advantage).sum() >= N // 4
    assert driver.step.counts.invalid_samples == 2
    assert all(parameter.isfinite().all() for parameter in driver.parameters().values())


@each_step
def test_negative_control_numbers_are_not_counted_as_invalid(kind):
    driver = kind(Gate(rate=0.25), check=False)
    driver.update(driver.screen())
    assert driver.step.counts.invalid_samples == 0


@pytest.mark.parametrize(
    ("kind", "waits"),
    # The rows of a mask must be known. A sequence step also looks whether the policy and the loss are numbers, and
    # where the last kept token is; it counts the kept tokens. A step on answers takes its masks to the host at once.
    [(Screened, ["nonzero"]), (Stacked, []), (Sequence, None), (Answering, [])],
)
def test_counting_waits_for_nothing(kind, waits):
    seen = []
    for bad in (0.0, math.nan):
        options = {"quick": False} if kind is Stacked else {}  # as on a GPU
        driver = kind(Gate(rate=0.25), check=False, **options)
        advantage = driver.screen()
        advantage[3] = bad
        with Waits() as spy:
            driver.update(advantage)
        seen.append(spy.seen)
    assert seen[0] == seen[1]
    assert waits is None or seen[0] == waits


@each_step
def test_a_policy_with_nothing_to_train_is_refused(kind):
    with pytest.raises(ValueError, match=r"no trainable parameter|no frozen parameter, got layers\.0\.weight"):
        kind(Gate(rate=0.25), frozen=("",))


@pytest.mark.parametrize("kind", ONE_POLICY)
@pytest.mark.parametrize("gate", [0.03, lambda score: score > 0], ids=["rate", "function"])
def test_a_rate_in_place_of_a_gate_is_refused_at_once(kind, gate):
    with pytest.raises(TypeError, match=r"gate must be a Gate, a StreamingGate or None, got (0\.03|<function)"):
        kind(gate)


@pytest.mark.parametrize("step", [ScreenedStep, AnswerStep])
def test_an_optimizer_of_another_policy_is_refused(step):
    policy, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    with pytest.raises(ValueError, match="the optimizer must have parameters of the policy that learn, got none"):
        step(policy, torch.optim.SGD(other.parameters(), lr=0.1), Gate(rate=0.1))
    step(policy, torch.optim.SGD([policy.bias, *other.parameters()], lr=0.1), Gate(rate=0.1))


@pytest.mark.parametrize("step", [ScreenedStep, AnswerStep])
def test_an_optimizer_that_needs_the_loss_several_times_is_refused(step):
    policy = torch.nn.Linear(2, 3)
    with pytest.raises(ValueError, match="the optimizer must step by gradients it is given, got LBFGS"):
        step(policy, torch.optim.LBFGS(policy.parameters()), Gate(rate=0.1))


@pytest.mark.parametrize("step", [ScreenedStep, AnswerStep])
def test_what_is_no_module_is_refused(step):
    policy = torch.nn.Linear(2, 3)
    with pytest.raises(TypeError, match="the policy must be a torch module, got function"):
        step(lambda each: policy(each), torch.optim.SGD(policy.parameters(), lr=0.1), Gate(rate=0.1))


def test_a_frozen_layer_that_would_be_trained_all_the_same_is_refused():
    with pytest.raises(ValueError, match=r"no frozen parameter, got layers\.1\.weight, layers\.1\.bias of policy 0"):
        Stacked(None, frozen=("layers.1",))
    network = Stacked(None).network.frozen_copy()
    with pytest.raises(ValueError, match="the network has no trainable parameter: it is a frozen copy"):
        stacked.StackedStep(network, torch.optim.SGD(network.parameters(), lr=0.1), None)


class WithUnused(torch.nn.Module):
    """What a policy has beside what it uses."""

    def __init__(self):
        super().__init__()
        self.spare = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("kind", ONE_POLICY)
def test_where_nothing_is_kept_frozen_and_unused_parameters_have_no_gradient_and_do_not_decay(kind):
    """The gradient of an empty keep is that of a masked full batch: a coefficient of zero everywhere."""
    results = []
    for gate in (Gate(price=1e9), Gate(price=-1e9)):
        driver = kind(
            gate, frozen=(kind.a_frozen_part,), optimizer=lambda ps: torch.optim.AdamW(ps, lr=0.1, weight_decay=0.5)
        )
        driver.policy.add_module("unused", WithUnused())
        driver.step.optimizer.add_param_group({"params": list(driver.policy.unused.parameters())})
        before = copies(driver)
        keep = driver.update(0 * driver.screen())
        assert keep.all() or not keep.any()
        gradient = gradients(driver)
        for name, parameter in driver.parameters().items():
            idle = kind.a_frozen_part in name or "unused" in name
            assert (gradient[name] is None) == idle, name
            assert torch.equal(parameter.detach(), before[name]) == idle, name
            assert idle or not gradient[name].any()
        results.append(copies(driver))
    assert_same(*results)


@pytest.mark.parametrize("gate", [Gate(price=1e9), Gate(price=-1e9), None], ids=str)
@pytest.mark.parametrize("kind", ONE_POLICY)
def test_a_policy_that_was_frozen_since_is_refused(kind, gate):
    driver = kind(gate, check=False)
    advantage = driver.screen()
    if gate is None and kind is Screened:
        driver.screening = type(driver.screening)(driver.screening.actions, driver.screening.surprisal)
    driver.policy.requires_grad_(False)
    refused(driver, advantage, "must depend on a trainable parameter")


@pytest.mark.parametrize("gate", [None, *TWO_PASSES], ids=str)
@pytest.mark.parametrize("small", [True, False], ids=["activations kept", "two passes"])
@each_step
def test_a_policy_that_changed_between_the_passes_is_refused(kind, gate, small, monkeypatch):
    if not small:
        monkeypatch.setattr(stacked, "KEPT_BYTES", 0)
    driver = kind(gate, **({} if kind.checks else {"tolerance": 1e-6}))
    driver.update(driver.screen())
    advantage = driver.screen()
    with torch.no_grad():
        for parameter in driver.parameters().values():
            parameter.mul_(1.1)
    refused(driver, advantage, "must be one policy|must be th(at|ose) of act")


@pytest.mark.parametrize("kind", [Screened, Stacked])
def test_a_full_batch_that_was_used_is_refused_after_an_optimizer_that_hides_its_changes(kind):
    """Fused optimizers change parameters without a trace in their version."""
    driver = kind(None, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.1, fused=True))
    advantage = driver.screen()
    driver.update(advantage)
    refused(driver, advantage, r"must be th(at|ose) of act")


def test_later_passes_over_a_rollout_are_off_policy_and_not_refused():
    driver = Sequence(Gate(rate=0.25))
    advantage = driver.screen()
    driver.update(advantage)
    assert driver.step.counts.largest_gap < 1e-12
    driver.update(advantage)
    assert driver.step.counts.largest_gap > 1e-3


@each_step
def test_the_gap_of_a_screening_from_elsewhere_is_counted_and_limited_on_demand(kind, monkeypatch):
    monkeypatch.setattr(stacked, "KEPT_BYTES", 0)
    driver = kind(Gate(rate=0.25))
    assert math.isnan(driver.step.counts.mean_gap)
    assert math.isnan(driver.step.counts.largest_gap)
    advantage = driver.screen()
    driver.elsewhere(0.3)
    driver.update(advantage)
    assert driver.step.counts.mean_gap == pytest.approx(0.3, rel=1e-9)
    assert driver.step.counts.largest_gap == pytest.approx(0.3, rel=1e-9)
    advantage = driver.screen()
    driver.elsewhere(0.0)  # the learner's own: its gap is rounding
    driver.update(advantage)
    assert driver.step.counts.mean_gap == pytest.approx(0.15, rel=1e-9)
    assert driver.step.counts.largest_gap == pytest.approx(0.3, rel=1e-9)
    for tolerance, allowed in ((0.2, False), (0.4, True)):
        driver = kind(Gate(rate=0.25), tolerance=tolerance)
        advantage = driver.screen()
        driver.elsewhere(0.3)
        if allowed:
            driver.update(advantage)
        else:
            refused(driver, advantage, r"within 0\.2 nats")
            assert math.isnan(driver.step.counts.largest_gap)
    with pytest.raises(ValueError, match="tolerance must be at least 0 nats, got -1"):
        kind(Gate(rate=0.25), tolerance=-1)


@pytest.mark.parametrize("kind", ONE_POLICY)
def test_log_probabilities_in_place_of_surprisals_are_refused_and_the_other_way_round(kind):
    driver = kind(Gate(rate=0.25))
    advantage = driver.screen()
    message = r"surprisal must be finite and at least 0, .*got -\S+; are these log-probabilities\?"
    if kind is Screened:
        driver.screening = type(driver.screening)(driver.screening.actions, -driver.screening.surprisal)
    elif kind is Sequence:
        driver.rollout = type(driver.rollout)(driver.rollout.tokens, -driver.rollout.log_policy)
    else:
        driver.answers = dataclasses.replace(driver.answers, log_prob=-driver.answers.log_prob)
        message = r"log_prob must be finite and at most 0 .*\(surprisals have the other sign\), got \d"
    refused(driver, advantage, message)
