"""What a policy may return, and policies whose two forward passes are not one: refused, or right."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from steps import SIZES, N, Screened, Sequence
from test_steps import copies, gradients, refused
from torch import nn
from torch.distributions import Bernoulli, Categorical, Normal

from kondo_theory.gate import Gate
from kondo_theory.training import ScreenedStep, Screening
from simulations.networks.mlp import PolicyMLP
from simulations.networks.transformer import Transformer

K = SIZES[-1]


class Wrapped(nn.Module):
    """A perceptron whose logits go through a function."""

    def __init__(self, wrap):
        super().__init__()
        self.inner, self.wrap = PolicyMLP(SIZES, seed=0).double(), wrap

    def forward(self, observations):
        return self.wrap(self.inner(observations))


@dataclass
class Output:
    logits: torch.Tensor
    loss: None = None


class Pair(NamedTuple):
    logits: torch.Tensor
    value: None = None


def one_update(wrap, gate):
    driver = Screened(gate, policy=Wrapped(wrap))
    keep = driver.update(driver.screen())
    return keep, gradients(driver)


@pytest.mark.parametrize("gate", [None, Gate(rate=0.25)], ids=str)
@pytest.mark.parametrize(
    "wrap", [Output, Pair, lambda z: Categorical(logits=z), lambda z: Categorical(z.softmax(-1))]
)
def test_logits_may_come_in_an_object(wrap, gate):
    keep, found = one_update(wrap, gate)
    expected_keep, expected = one_update(lambda logits: logits, gate)
    assert torch.equal(keep, expected_keep)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-12)


REFUSED = [
    (lambda z: (z, z[:, 0]), TypeError, r"return logits, .*got a tuple of 2: wrap the policy .* such as output\[0\]"),
    (lambda z: [z], TypeError, "got a list of 1: wrap"),
    (lambda z: {"logits": z, "value": 0}, TypeError, "got a dict: wrap .* entries, logits, value"),
    (lambda z: None, TypeError, "must return logits, as a tensor or in an attribute .logits, got NoneType"),
    (lambda z: z.detach().numpy(), TypeError, "got ndarray"),
    (lambda z: Output(None), TypeError, "got Output"),
    (lambda z: Bernoulli(logits=z), TypeError, "logits or a Categorical, got the distribution Bernoulli"),
    (lambda z: Normal(z, 1.0), TypeError, "got the distribution Normal"),
    (lambda z: z.argmax(-1, keepdim=True), TypeError, r"real floating dtype, got torch\.int64"),
    (lambda z: z.to(torch.complex128), TypeError, r"real floating dtype, got torch\.complex128"),
    (lambda z: z[:, 0], ValueError, r"must have the shape \(40, K\), a row each, got \(40,\)"),
    (lambda z: z.sum(), ValueError, r"got \(\)"),
    (lambda z: z[:, None], ValueError, r"got \(40, 1, 4\)"),
    (lambda z: z[:, :0], ValueError, r"got \(40, 0\)"),
    (lambda z: z[:1], ValueError, r"got \(1, 4\)"),
    (lambda z: z[1:], ValueError, r"got \(39, 4\)"),
    (lambda z: z.T, ValueError, r"got \(4, 40\)"),
    (lambda z: z * math.nan, ValueError, "its log-probabilities of observation 0 are nan"),
    (lambda z: torch.full_like(z, -math.inf), ValueError, "its log-probabilities of observation 0 are nan"),
]


@pytest.mark.parametrize(("wrap", "error", "message"), REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("gate", [None, Gate(rate=0.25)], ids=str)
def test_what_is_no_table_of_logits_is_refused_by_name(wrap, error, message, gate):
    with pytest.raises(error, match=message) as caught:
        Screened(gate, policy=Wrapped(wrap)).screen()
    assert "\n" not in str(caught.value)


class Odd(Transformer):
    """A transformer whose logits go through a function."""

    def forward(self, *args):
        return self.wrap(super().forward(*args))


@pytest.mark.parametrize(
    ("wrap", "error", "message"),
    [
        (lambda z: (z,), TypeError, "got a tuple of 1"),
        (lambda z: z[..., 0], ValueError, r"must have the shape \(10, 1, K\), a row each, got \(10, 1\)"),
        (lambda z: z.long(), TypeError, "real floating dtype"),
    ],
)
def test_a_sequence_policy_is_refused_in_the_same_words(wrap, error, message):
    policy = Odd(5, 6, seed=0)
    policy.wrap = wrap
    with pytest.raises(error, match=message):
        Sequence(None, policy=policy).screen()


def test_a_policy_that_drops_the_axis_of_a_single_row_is_refused_before_it_does_harm():
    driver = Screened(Gate(rate=1 / N), policy=Wrapped(lambda z: z.squeeze(0)))
    refused(driver, driver.screen(), r"must have the shape \(1, K\), a row each, got \(4,\)")


class Dropout(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.1)


class BatchStatistics(nn.Module):
    def forward(self, x):
        return nn.functional.batch_norm(x, None, None, training=True)


class RunningNormaliser(nn.Module):
    """Counts what it sees, in every forward pass."""

    def __init__(self):
        super().__init__()
        self.count, self.mean = 0, 0.0

    def forward(self, x):
        self.count += len(x)
        self.mean = self.mean + (x.detach().mean(0) - self.mean) * len(x) / self.count
        return x - self.mean


FAULTS = (Dropout, BatchStatistics, RunningNormaliser)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("gate", [Gate(rate=0.25), Gate(price=0.0)], ids=str)
def test_two_forward_passes_that_are_not_one_policy_are_refused(fault, gate):
    causes = (
        "Likely causes: dropout; batch normalisation .*; a normaliser .*; parameters .*; a table .*indexed as rows"
    )
    driver = Screened(gate, policy=Wrapped(fault()))
    refused(driver, driver.screen(), causes)
    assert driver.step.counts.updates == 0
    for tolerant in ({"check": False}, {"tolerance": 100.0}):
        driver = Screened(gate, policy=Wrapped(fault()), **tolerant)
        driver.update(driver.screen())
        assert driver.step.counts.largest_gap > 1e-3
    full = Screened(None, policy=Wrapped(fault()))
    full.update(full.screen())  # one pass, whatever it is
    assert math.isnan(full.step.counts.largest_gap)


@pytest.mark.parametrize("granularity", ["token", "row"])
def test_a_transformer_with_dropout_is_refused(granularity):
    policy = Odd(5, 6, seed=0)
    policy.wrap = Dropout()
    driver = Sequence(Gate(rate=0.25), policy=policy, granularity=granularity)
    driver.screen()
    advantage = torch.linspace(-1, 1, N, dtype=torch.float64)
    selection = driver.step.select(driver.rollout, advantage)
    before = copies(driver)
    with pytest.raises(ValueError, match=r"must be one policy, within .* Likely causes: dropout"):
        driver.step.update(driver.rollout, advantage[:, None].expand_as(selection.keep), selection)
    assert all(torch.equal(before[name], parameter) for name, parameter in copies(driver).items())


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(SIZES[-1], track_running_stats=False), nn.BatchNorm1d(SIZES[-1])])
def test_batch_normalisation_is_refused_unless_it_has_statistics_of_its_own(layer):
    layer = layer.double()
    with pytest.raises(ValueError, match="layer 'wrap' is BatchNorm1d in training mode"):
        Screened(Gate(rate=0.25), policy=Wrapped(layer))
    layer.eval()
    if layer.running_mean is None:
        with pytest.raises(ValueError, match="layer 'wrap' is BatchNorm1d without running statistics"):
            Screened(Gate(rate=0.25), policy=Wrapped(layer))
        layer.train(False).track_running_stats = True
        layer.running_mean, layer.running_var = torch.zeros(K).double(), torch.ones(K).double()
    driver = Screened(Gate(rate=0.25), policy=Wrapped(layer))
    driver.update(driver.screen())


class Table(nn.Module):
    """Observations beside a table that all rows share."""

    def __init__(self):
        super().__init__()
        self.inner = PolicyMLP(SIZES, seed=0).double()

    def forward(self, both):
        observations, table = both
        return self.inner(observations) + table.sum(0)


@pytest.mark.parametrize("gate", [None, Gate(rate=0.25)], ids=str)
@pytest.mark.parametrize("rows", [1, N - 1, N + 1, 1000])
def test_a_shared_table_among_the_observations_is_refused(rows, gate):
    driver = Screened(gate, policy=Table())
    for together in (tuple, lambda pair: {"x": pair[0], "y": {"z": pair[1]}}):
        observations = together((driver.observations, torch.randn(rows, K, dtype=torch.float64)))
        with pytest.raises(ValueError, match=rf"must be the batch of 40, got {rows} rows in observations\[.*table"):
            driver.step.act(observations)
    with pytest.raises(ValueError, match=r"got no axis at all in observations\[1\]"):
        driver.step.act((driver.observations, torch.tensor(1.0)))


def test_a_shared_table_as_long_as_the_batch_is_refused_by_its_values():
    driver = Screened(Gate(rate=0.25), policy=Table())
    table = torch.randn(N, K, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    driver.observations = (driver.observations, table)
    refused(driver, driver.screen(), "Likely causes: .*a table that all rows share, indexed as rows")


@pytest.mark.parametrize("bad", [(), {}, ((),), {"x": ()}], ids=str)
def test_observations_without_a_tensor_are_refused(bad):
    with pytest.raises(TypeError, match="observations must hold at least one tensor, got an empty"):
        Screened(None).step.act(bad)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"actions": torch.full((N,), K)}, ValueError, "actions must be from 0 to 3, got 4"),
        ({"actions": torch.full((N,), -1)}, ValueError, "actions must be from 0 to 3, got -1"),
        ({"actions": torch.zeros(N)}, TypeError, r"actions must have dtype int64, got torch\.float32"),
        ({"actions": torch.zeros(N, 1, dtype=torch.int64)}, ValueError, r"actions must be a vector .* got \(40, 1\)"),
        ({"surprisal": torch.ones(N, K)}, ValueError, r"surprisal must be a vector .* got \(40, 4\)"),
        ({"surprisal": torch.full((N,), -0.1)}, ValueError, "got -0.1; are these log-probabilities"),
        ({"surprisal": torch.full((N,), math.nan)}, ValueError, "surprisal must be finite .* got nan"),
        ({"surprisal": torch.full((N,), math.inf)}, ValueError, "surprisal must be finite .* got inf"),
        ({"surprisal": torch.ones(N, dtype=torch.int64)}, TypeError, "surprisal must have a real floating dtype"),
    ],
)
@pytest.mark.parametrize("gate", [None, Gate(rate=0.25)], ids=str)
def test_a_screening_from_elsewhere_of_wrong_shapes_or_signs_is_refused(change, error, message, gate):
    driver = Screened(gate)
    fine = {"actions": torch.zeros(N, dtype=torch.int64), "surprisal": torch.ones(N, dtype=torch.float64)}
    driver.screening = Screening(**fine)
    driver.update(torch.ones(N, dtype=torch.float64))
    driver.screening = Screening(**fine | change)
    before = copies(driver)
    for score in (None, torch.linspace(0, 1, N, dtype=torch.float64)):
        with pytest.raises(error, match=message):
            driver.step.update(driver.observations, driver.screening, torch.ones(N, dtype=torch.float64), score=score)
    assert all(torch.equal(before[name], parameter) for name, parameter in copies(driver).items())


def test_a_score_of_nan_is_refused_with_check_and_never_kept_without():
    score = torch.linspace(0, 1, N, dtype=torch.float64)
    score[[7, N - 1]] = math.nan
    for check in (True, False):
        driver = Screened(Gate(rate=0.25), check=check)
        advantage = driver.screen()
        arguments = driver.observations, driver.screening, advantage
        if check:
            with pytest.raises(ValueError, match="score must be a number, got nan"):
                driver.step.update(*arguments, score=score)
            with pytest.raises(TypeError, match=r"score must have a real floating dtype, got torch\.int64"):
                driver.step.update(*arguments, score=torch.zeros(N, dtype=torch.int64))
        else:
            keep = driver.step.update(*arguments, score=score)
            assert keep.nonzero().flatten().tolist() == list(range(N - 11, N - 1))
            assert driver.step.counts.invalid_samples == 2


def test_a_bandit_whose_logits_are_a_view_of_its_parameter():
    """No observation matters: the policy of a bandit, a class token, a learned position."""

    class Bandit(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.tensor([0.0, 1.0, -1.0]))

        def forward(self, observations):
            return self.logits.expand(len(observations), -1)

    for gate in (None, Gate(rate=0.25)):
        policy = Bandit()
        step = ScreenedStep(policy, torch.optim.SGD(policy.parameters(), lr=0.1), gate)
        screening = step.act(torch.zeros(N, 1))
        keep = step.update(torch.zeros(N, 1), screening, torch.ones(N))
        pi = torch.tensor([0.0, 1.0, -1.0]).softmax(-1)
        one_hot = nn.functional.one_hot(screening.actions, 3)
        expected = -((one_hot - pi) * keep[:, None]).sum(0) / N
        torch.testing.assert_close(policy.logits.grad, expected, rtol=1e-5, atol=1e-6)
