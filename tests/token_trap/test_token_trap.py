"""The mean field of tokens that share one advantage, against enumeration and mpmath."""

import itertools
import runpy
from pathlib import Path

import mpmath
import numpy as np
import pytest

from kondo_theory import token_trap as trap
from kondo_theory.screening import SAMPLE_RULES
from kondo_theory.token_trap import drifts
from kondo_theory.token_trap.rows import binomial_masses

CASES = [(1, 2, 0.3), (2, 100, 0.05), (3, 5, 0.1), (4, 3, 0.97), (6, 10, 0.03), (8, 1000, 0.6)]


def enumerated(p, n_tokens, vocab_size, rate, gate="token", temperature=1.0):
    """The drift from all 2^T rows, tokens listed one by one; exact arithmetic apart from the logarithms."""
    atoms = []
    for row in itertools.product((1, 0), repeat=n_tokens):
        mass = np.prod([p if x else 1 - p for x in row])
        advantage = sum(row) / n_tokens - p
        levels = [-np.log(p) if x else -np.log((1 - p) / (vocab_size - 1)) for x in row]
        pulls = [advantage * (x - p) for x in row]
        if gate == "row":
            atoms.append((advantage * sum(levels), mass, sum(pulls) / n_tokens))
        else:
            atoms += [(advantage * s, mass / n_tokens, pull) for s, pull in zip(levels, pulls, strict=True)]
    if gate == "zero-price":
        return sum(mass * pull for score, mass, pull in atoms if score > 1e-15)
    if gate == "dg":
        return sum(mass * pull / (1 + np.exp(-score / temperature)) for score, mass, pull in atoms)
    total = left = 0.0
    left = rate
    for _, mass, pull in sorted(atoms, key=lambda atom: -round(atom[0], 13)):
        total += min(left, mass) * pull
        left -= min(left, mass)
    return total


@pytest.mark.parametrize("gate", trap.GATES)
@pytest.mark.parametrize(("n_tokens", "vocab_size", "rate"), CASES)
def test_every_gate_agrees_with_enumeration(gate, n_tokens, vocab_size, rate):
    p = np.array([0.013, 0.127, 0.37, 0.611, 0.83, 0.9931])
    found = trap.drift(p, n_tokens, vocab_size, rate, gate, 0.13)
    expected = [enumerated(q, n_tokens, vocab_size, rate, gate, 0.13) for q in p]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_wrong_tokens_one_by_one():
    """All M^T outcomes, with every wrong token its own: the even spread is not an assumption of the code alone."""
    p, n_tokens, vocab_size, rate = 0.41, 3, 4, 0.17
    policy = np.array([p] + [(1 - p) / 3] * 3)
    atoms = []
    for row in itertools.product(range(vocab_size), repeat=n_tokens):
        mass, advantage = np.prod(policy[list(row)]), row.count(0) / n_tokens - p
        atoms += [(-advantage * np.log(policy[a]), mass / n_tokens, advantage * ((a == 0) - p)) for a in row]
    total, left = 0.0, rate
    for _, group in itertools.groupby(sorted(atoms, key=lambda x: -x[0]), key=lambda x: round(x[0], 12)):
        members = list(group)
        mass = sum(m for _, m, _ in members)
        total += min(1.0, left / mass) * sum(m * pull for _, m, pull in members)
        left = max(0.0, left - mass)
    assert trap.drift(p, n_tokens, vocab_size, rate) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize(("n", "p"), [(511, 0.3), (9_999, 0.013)])
def test_binomial_masses_against_mpmath(n, p):
    counts, mass = binomial_masses(n, np.array([p]))
    for count in {0, int(n * p) // 2, int(n * p), int(n * p) + 40, min(n, int(3 * n * p)), n}:
        with mpmath.workdps(40):
            exact = mpmath.binomial(n, count) * mpmath.mpf(p) ** count * (1 - mpmath.mpf(p)) ** (n - count)
        assert mass[0, int(counts == count) if counts.size == 1 else count] == pytest.approx(float(exact), rel=2e-9)


def test_dg_at_many_tokens_against_mpmath():
    n_tokens, vocab_size, p, eta = 64, 1000, 0.7, 0.3
    with mpmath.workdps(30):
        q, total = mpmath.mpf(p), mpmath.mpf(0)
        for count in range(n_tokens):
            mass = mpmath.binomial(n_tokens - 1, count) * q**count * (1 - q) ** (n_tokens - 1 - count)
            for right, level in ((1, -mpmath.log(q)), (0, mpmath.log((vocab_size - 1) / (1 - q)))):
                advantage = mpmath.mpf(count + right) / n_tokens - q
                weight = 1 / (1 + mpmath.exp(-advantage * level / eta))
                total += (1 if right else -1) * mass * weight * advantage
        exact = float(q * (1 - q) * total)
    assert trap.drift(p, n_tokens, vocab_size, gate="dg", temperature=eta) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("gate", ["row", "zero-price"])
def test_safe_gates_have_positive_drift_everywhere(gate):
    p = np.linspace(0.001, 0.999, 333)
    for n_tokens, vocab_size, rate in ((2, 2, 0.01), (10, 100, 0.03), (64, 1000, 0.9)):
        assert (trap.drift(p, n_tokens, vocab_size, rate, gate) > 0).all()
        assert trap.stall_point(rate, vocab_size, n_tokens, gate) is None
        assert trap.stalling_rates(vocab_size, n_tokens, gate) == ()
        assert trap.critical_rate(vocab_size, n_tokens, gate) == 0


@pytest.mark.parametrize(("n_tokens", "vocab_size"), [(3, 10), (5, 2), (10, 10), (10, 1000), (32, 10), (100, 100)])
def test_stalling_rates_agree_with_stall_points(n_tokens, vocab_size):
    intervals = trap.stalling_rates(vocab_size, n_tokens)
    assert intervals[0] == (0.0, trap.critical_rate(vocab_size, n_tokens))
    for low, high in intervals:
        for rate in np.linspace(low, high, 7)[1:-1]:
            point = trap.stall_point(rate, vocab_size, n_tokens)
            assert point is not None
            assert 1 / vocab_size < point < 1 - 1 / n_tokens
            before, behind = trap.drift(np.array([point - 1e-9, point + 1e-9]), n_tokens, vocab_size, rate)
            assert before >= 0 > behind
            path = np.arange(1 / vocab_size, point - 1e-9, 1 / (8 * n_tokens))  # the stated resolution
            assert (trap.drift(path, n_tokens, vocab_size, rate) >= 0).all()
    gaps = [(a[1], b[0]) for a, b in itertools.pairwise(intervals)] + [(intervals[-1][1], 1.0)]
    for low, high in gaps:
        assert trap.stall_point((low + high) / 2, vocab_size, n_tokens) is None


def test_two_tokens_in_closed_form():
    for vocab_size in (359, 1000, 50_000):
        assert trap.critical_rate(vocab_size, 2) == pytest.approx(2 - np.sqrt(3), abs=1e-9)
    assert trap.critical_rate(358, 2) < 2 - np.sqrt(3)
    assert trap.stall_point(0.03, 100, 2) == pytest.approx(0.135488823430, abs=1e-10)  # a jump, of the derivation


def test_where_low_rates_begin_to_stall():
    first = {2: 5, 3: 4, 4: 4, 5: 3, 47: 3, 48: 2, 1000: 2}
    for vocab_size, n_tokens in first.items():
        assert trap.low_rates_stall(vocab_size, n_tokens)
        assert not trap.low_rates_stall(vocab_size, n_tokens - 1)
        assert trap.critical_rate(vocab_size, n_tokens - 1) == 0
        assert trap.stall_point(1e-6, vocab_size, n_tokens) is not None


def test_the_critical_rate_is_not_monotone_in_the_number_of_tokens():
    assert trap.critical_rate(10, 3) > trap.critical_rate(10, 4) < trap.critical_rate(10, 5)


def test_dg_stalls_in_a_window_of_temperatures():
    assert trap.stalling_temperatures(10, 10) == ()
    ((low, high),) = trap.stalling_temperatures(100, 32)
    assert low == pytest.approx(4.79 / 32**2, rel=0.25)
    for eta, stalls in ((low * 0.98, False), (low * 1.02, True), (high * 0.99, True), (high * 1.01, False)):
        assert (trap.stall_point(None, 100, 32, "dg", eta) is not None) == stalls
    assert high < trap.critical_temperature(100)
    assert trap.critical_temperature(2633) < 1 < trap.critical_temperature(2634)


def test_screening_rules():
    for rule in SAMPLE_RULES:
        assert np.isfinite(trap.drift(0.4, 5, 10, 0.2, rule=rule))
    p = np.linspace(0.12, 0.95, 40)
    np.testing.assert_allclose(trap.drift(p, 5, 10, 0.2, rule="uniform"), 0.2 * p * (1 - p) / 5, rtol=1e-9)
    for rule in ("advantage", "abs-advantage"):
        assert (trap.drift(p, 5, 10, 0.2, rule=rule) > 0).all()
    assert (trap.drift(p, 5, 10, 0.2, rule="positive-surprisal") < 0).any()


def test_the_temperature_is_one_unless_given():
    assert trap.drift(0.3, 5, 4, gate="dg") == trap.drift(0.3, 5, 4, gate="dg", temperature=1.0)
    assert trap.drift(0.3, 5, 4, gate="dg") != trap.drift(0.3, 5, 4, gate="dg", temperature=2.0)
    stall = trap.stall_point(None, 10_000, 64, "dg")
    assert stall is not None
    assert stall == trap.stall_point(None, 10_000, 64, "dg", 1.0) != trap.stall_point(None, 10_000, 64, "dg", 2.0)


def test_stalls_at_the_edge_of_the_stalling_rates():
    """There the drift is negative at one point of the coarse grid, or between two of them."""
    edge = trap.critical_rate(10, 3)
    assert trap.stall_point(edge * (1 - 1e-5), 10, 3) == pytest.approx(0.5777, abs=1e-4)
    assert trap.stall_point(trap.critical_rate(100, 2) * (1 - 1e-4), 100, 2) == pytest.approx(0.3837, abs=1e-4)
    assert trap.stall_point(edge * (1 + 1e-5), 10, 3) is None


def test_a_drift_of_zero_is_no_stall_before_it_turns_negative():
    """A rule that keeps nothing until p = 1/4 and from there ranks by delight, which stalls: learning rests there."""
    turn, (n_tokens, vocab_size) = 0.25, (10, 10)
    before = trap.stall_point(0.03, vocab_size, n_tokens)
    assert before < turn
    still = -turn * np.log(turn) - (1 - turn) * np.log((1 - turn) / (vocab_size - 1))

    def rule(advantage, surprisal, policy_entropy):
        return np.where(policy_entropy > still, -np.inf, advantage * surprisal)

    assert trap.drift(turn - 1e-9, n_tokens, vocab_size, 0.03, rule=rule) == 0
    assert trap.drift(turn + 1e-9, n_tokens, vocab_size, 0.03, rule=rule) < 0
    assert trap.stall_point(0.03, vocab_size, n_tokens, rule=rule) == pytest.approx(turn, abs=1e-9)


@pytest.mark.parametrize(("vocab_size", "n_tokens"), [(2, 1), (100, 1), (2, 2)])
def test_where_no_drift_can_be_negative_nothing_stalls(vocab_size, n_tokens):
    assert trap.stalling_temperatures(vocab_size, n_tokens) == trap.stalling_rates(vocab_size, n_tokens) == ()
    assert not trap.low_rates_stall(vocab_size, n_tokens)
    for gate in trap.GATES:
        assert trap.stall_point(0.03, vocab_size, n_tokens, gate, 0.1) is None


def test_dg_has_no_rate_to_stall_at():
    for call in (trap.stalling_rates, trap.critical_rate):
        with pytest.raises(ValueError, match="gate must be one of token, row, zero-price, got 'dg'"):
            call(100, 32, "dg")


@pytest.mark.parametrize(("n_tokens", "n_points"), [(10, 64), (1000, 64)])
def test_the_search_grid_leaves_no_gap_in_log_odds(n_tokens, n_points):
    grid = drifts._search_grid(n_tokens, 10_000, n_points)
    low, high = 1 / 10_000, 1 - 1 / n_tokens
    assert low < grid[0]
    assert grid[-1] < high
    places = np.concatenate([[low], grid, [high]])
    log_odds = np.log(places / (1 - places))
    assert np.diff(log_odds).max() <= (log_odds[-1] - log_odds[0]) / (n_points + 1) * (1 + 1e-9)


def test_a_gate_that_is_registered_alone_is_not_taken_for_another(monkeypatch):
    monkeypatch.setattr(drifts, "GATES", (*trap.GATES, "new"))
    message = r"^gate 'new' is not treated here: only token, row, zero-price, dg$"
    with pytest.raises(ValueError, match=message):
        trap.drift(0.3, 5, 4, 0.1, "new")


def test_many_tokens():
    point = trap.stall_point(0.03, 10, 10_000)
    assert point is not None
    assert 0.1 < point < 0.11
    assert np.isfinite(trap.drift([0.05, 0.5, 0.95], 10_000, 1000, 0.03)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5, 0, 10, 0.1), r"n_tokens must be an integer ≥ 1, got 0"),
        ((0.5, 2.5, 10, 0.1), r"n_tokens must be an integer ≥ 1, got 2.5"),
        ((0.5, 2, 1, 0.1), r"vocab_size must be an integer ≥ 2, got 1"),
        ((1.0, 2, 10, 0.1), r"p must be in \(0, 1\), got 1.0"),
        ((0.5, 2, 10, 0.0), r"rate must be in \(0, 1\], got 0.0"),
        ((0.5, 2, 10, None), r"^rate must be in \(0, 1\], got None$"),
        ((0.5, 2, 10, 0.1, "soft"), r"gate must be one of token, row, zero-price, dg, got 'soft'"),
        ((0.5, 2, 10, 0.1, "dg", 0.0), r"temperature must be in \(0, inf\), got 0.0"),
    ],
)
def test_domains(arguments, message):
    with pytest.raises(ValueError, match=message):
        trap.drift(*arguments)


def test_the_tables_of_the_guide_are_those_that_the_module_prints(capsys):
    runpy.run_module("kondo_theory.token_trap", run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    guide = (Path(__file__).parents[2] / "docs" / "choosing-a-gate.md").read_text(encoding="utf-8")
    tables = [block.splitlines()[1:] for block in guide.split("```") if block.startswith("text\n")]
    assert [line for table in tables for line in table if line] == [line for line in printed if line]
