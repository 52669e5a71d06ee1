"""The named sweeps: valid data, documented columns, and cells whose estimates agree with their closed forms."""

import importlib
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from kondo_theory.screening import RULES
from simulations.bandits.simulation import Gate
from simulations.results.tables import SWEEP, load
from simulations.sweeps.cells.bandits import additive, alignment, contexts, gate, graded, learning, moments, noise
from simulations.sweeps.cells.bandits import screening as screening_cells
from simulations.sweeps.cells.gambling import runs as gambling
from simulations.sweeps.cells.tokens import training as tokens
from simulations.sweeps.cells.tokens.rows import baseline_value
from simulations.sweeps.grid import MOST_CELLS, load_cell
from simulations.sweeps.named.axes import log_spaced, log_spaced_counts
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.sweeps.named.contexts import CONTEXTS
from simulations.sweeps.named.experiments import EXPERIMENTS
from simulations.sweeps.named.gambling import GAMBLING
from simulations.sweeps.named.gates import GATES
from simulations.sweeps.named.tokens import TOKENS
from simulations.verification.checks.evidence import Simulated

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = [name for name, sweep in SWEEPS.items() if sweep.kind != "experiment"]  # computed in minutes
PRESETS = ("smoke", "quick", "paper")
SIMULATED = ["quantity", "predicted", "estimate", "standard_error", "exact"]


# Data.


def test_names_are_unique_and_the_catalogue_is_immutable():
    families = [*GATES, *CONTEXTS, *GAMBLING, *TOKENS, *EXPERIMENTS]
    assert len({sweep.name for sweep in families}) == len(families) == len(SWEEPS)
    with pytest.raises(TypeError):
        SWEEPS["x"] = families[0]
    with pytest.raises(FrozenInstanceError):
        families[0].name = "x"
    for sweep in families:
        assert all(isinstance(values, tuple) for grid in sweep.grids for values in grid.values()), sweep.name


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_is_valid_at_every_preset(name):
    sweep = SWEEPS[name]
    assert set(sweep.presets) <= set(PRESETS)
    assert sweep.title
    for preset in PRESETS:
        checked = sweep.at_preset(preset).checked()
        cells = list(checked.cells())
        assert 0 < len(cells) <= MOST_CELLS
        if sweep.kind == "simulated":
            assert all(isinstance(cell.config["seed"], int) for cell in cells)
    # A preset changes sizes alone: it replaces no axis over which the sweep runs.
    for preset, sizes in sweep.presets.items():
        for key in sizes:
            assert all(len(grid.get(key, (0,))) == 1 for grid in sweep.grids), (preset, key)


@pytest.mark.parametrize("name", SWEEPS)
def test_keywords_are_documented(name):
    function = SWEEPS[name].function
    # A cell may refer to another for the parameters that they share.
    module = importlib.import_module(function.__module__)
    documents = " ".join(getattr(module, each).__doc__ for each in module.__all__)
    documents += moments.moments.__doc__
    for keyword in SWEEPS[name].parameters:
        assert re.search(rf"\b{keyword}\b", documents), keyword


@pytest.mark.parametrize("name", COMMITTED)
def test_first_and_last_cells_run_and_return_the_same_columns_everywhere(name):
    sweep = SWEEPS[name].at_preset("smoke").checked()
    configs = list(sweep.configs())
    committed = load(ROOT / "simulations" / "tables" / f"{name}.parquet", kind=SWEEP).frame
    for config in (configs[0], configs[-1]):
        found = sweep.function(**config)
        for record in [found] if isinstance(found, dict) else found:
            assert [*config, *record] == list(committed.columns)
            if sweep.kind == "simulated":
                assert list(record)[: len(SIMULATED)] == SIMULATED
                assert np.isfinite(record["estimate"])
                assert record["standard_error"] >= 0


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_tables_hold_the_quick_grid_and_are_small(name):
    path = ROOT / "simulations" / "tables" / f"{name}.parquet"
    assert path.stat().st_size < 150_000
    table = load(path, kind=SWEEP)
    sweep = SWEEPS[name].at_preset("quick").checked()
    assert table.config["grids"] == sweep.describe()["grids"]
    if sweep.kind == "simulated":
        rows = table.frame[table.frame["exact"]]
        assert (rows["predicted"].notna() & rows["estimate"].notna()).all()


def test_the_documentation_lists_every_sweep_with_its_columns():
    text = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \| (?:simulated|analytical|experiment) \|", text, flags=re.MULTILINE)
    assert listed == list(SWEEPS)
    for name in COMMITTED:
        sweep = SWEEPS[name]
        line = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        frame = load(ROOT / "simulations" / "tables" / f"{name}.parquet").frame
        names = frame["quantity"].unique() if sweep.kind == "simulated" else frame.columns[len(sweep.parameters) :]
        for each in names:
            assert str(each) in line, (name, each)


def test_axes_of_round_numbers():
    values = log_spaced(0.2, 25.0, 160)
    assert values[0] == 0.2
    assert values[-1] == 25.0
    assert np.diff(np.log(values)) == pytest.approx(np.log(125) / 159, rel=0.05)
    assert log_spaced_counts(1, 8, 20) == (1, 2, 3, 4, 5, 6, 7, 8)


# Estimates beside closed forms: exact rows within 5 standard errors, or within a stated share of the prediction for
# what hardly varies, where a rare event that did not happen leaves no standard error.

N_STANDARD_ERRORS, RESOLUTION = 5.0, 2e-3

BATCHES = {"n_batches": 100, "n_replicates": 200}
CASES = {
    "PG": (moments.moments, {"method": "pg", "p_correct": 0.3, **BATCHES}),
    "PG, confidence": (moments.moments, {"method": "pg", "p_correct": 0.3, "baseline": "confidence", **BATCHES}),
    "DG": (moments.moments, {"method": "dg", "p_correct": 0.1, "n_arms": 100, **BATCHES}),
    "zero price": (moments.moments, {"method": "zero-price", "p_correct": 0.3, "baseline": "value", **BATCHES}),
    "price": (moments.moments, {"method": "price", "p_correct": 0.2, "price": 0.1, "temperature": 0.5, **BATCHES}),
    "exact k": (
        moments.moments,
        {"method": "exact-k", "p_correct": 0.3, "constant_baseline": 0.25, "rate": 0.3, "batch_size": 40, **BATCHES},
    ),
    "price at a rate": (moments.moments, {"method": "price-at-rate", "p_correct": 0.3, "rate": 0.6, **BATCHES}),
    "direction": (alignment.batch_direction, {"method": "zero-price", "p_correct": 0.01, "n_samples": 100}),
    "two arms": (alignment.batch_direction, {"method": "pg", "p_correct": 0.1, "n_arms": 2, "n_samples": 3}),
    "alignment": (alignment.samples_to_align, {"method": "zero-price", "p_correct": 0.02}),
    "learning time": (learning.learning_time, {"method": "zero-price", "n_arms": 10}),
    "graded": (graded.graded_direction, {"family_size": 10}),
    "gate": (gate.gate_frequency, {"excess": 0.5, "temperature": 0.5, "n_draws": 20_000}),
    "value of a rate": (gate.rate_value, {"batch_size": 8, "n_kept": 3}),
    "top failures": (additive.top_failures, {"rule": "additive", "log_odds": 3.0, "n_batches": 4_000}),
    "top failures, delight": (additive.top_failures, {"rule": "delight", "log_odds": -2.0, "n_batches": 4_000}),
    "screening": (screening_cells.screening, {"rule": "surprisal", "rate": 0.8, "n_batches": 200}),
    "screening, delight": (screening_cells.screening, {"rule": "delight", "rate": 0.4, "n_batches": 200}),
    "gamble": (gambling.gambling_drift, {"x": 0.3, "noise_ratio": 1.0}),
    "gamble, DG": (gambling.gambling_drift, {"gate": "dg", "x": 0.3, "noise_ratio": 2.0, "equal_noise": True}),
    "gamble, rate": (gambling.gambling_drift, {"gate": "rate", "rate": 0.1, "x": 0.3, "noise_ratio": 1.0}),
    "kept gambles": (gambling.gambling_kept, {"x": 0.5, "noise_ratio": 1.0}),
    "contexts": (contexts.context_cosine, {"method": "dg", "baseline": "value", "spread": 1.5}),
    "contexts, best price": (contexts.context_cosine, {"method": "best-price", "spread": 2.5}),
    "noise": (noise.noisy_delight, {"kind": "additive", "noise": 1.25}),
    "survival": (noise.survival, {"rate": 0.05, "correlation": 0.2}),
}


def disagreeing(rows):
    """Quantities whose exact prediction is not within 5 standard errors of the estimate."""
    found = []
    for row in rows:
        check = Simulated(row["quantity"], row["predicted"], row["estimate"], row["standard_error"])
        near = abs(check.estimate - check.predicted) <= RESOLUTION * abs(check.predicted)
        if row["exact"] and not near and check.distance > N_STANDARD_ERRORS:
            found.append((check.quantity, check.distance))
    return found


@pytest.mark.parametrize("case", CASES)
def test_estimates_agree_with_exact_predictions(case):
    function, config = CASES[case]
    rows = function(**config)
    assert disagreeing(rows) == []
    assert any(row["exact"] for row in rows)


def always(kind):
    """A gate constructor that ignores the method asked for."""
    return lambda *arguments, **keywords: Gate(kind)


def half(function):
    return lambda *arguments, **keywords: 0.5 * np.asarray(function(*arguments, **keywords))


WRONG = {
    "PG": (moments, "Gate", always("zero-price")),
    "PG, confidence": (moments, "symmetric_moments", lambda p, k, b, *w, **o: CLOSED(p, k, b + 0.05, *w, **o)),
    "DG": (moments, "dg_weights", lambda p, n_arms, b, eta: (1.0, 0.0)),
    "zero price": (moments, "Gate", always("pg")),
    "price": (
        moments,
        "frontier",
        lambda policy, advantage, price, eta: FRONTIER(policy, advantage, price + 0.2, eta),
    ),
    "exact k": (moments, "Gate", always("zero-price")),
    "price at a rate": (moments, "price_weights", lambda p, rate: (rate, rate)),
    "direction": (alignment, "Gate", always("pg")),
    "two arms": (alignment, "alignment_probability", half(alignment.alignment_probability)),
    "alignment": (alignment, "Gate", always("dg")),
    "learning time": (learning, "closed_time", half(learning.closed_time)),
    "graded": (graded, "Gate", always("pg")),
    "gate": (gate, "sample_gate", lambda law, rng: rng.random(law.shape) < law + 0.03),
    "value of a rate": (gate, "select", lambda scores, rate, rng: SELECT(-scores, rate, rng)),
    "top failures": (additive, "RULES", {"additive": lambda advantage, surprisal, entropy, alpha: advantage}),
    "screening": (screening_cells, "claimed_order", lambda rule, at: "correct-first"),
    "gamble": (gambling, "expected_drift", lambda x, gamble: 1.0),
    "gamble, rate": (gambling, "estimate_drift", lambda gamble, *sizes: DRIFT(gambling.Gamble(1.0), *sizes)),
    "kept gambles": (gambling, "false_positive_probability", lambda x, r: 0.5),
    "contexts": (contexts, "METHODS", dict.fromkeys(contexts.METHODS, contexts.METHODS["pg"])),
    "noise": (noise, "noisy_moments", lambda *at, price: NOISY(*at[:3], 0.8 * at[3], at[4], price=price)),
    "survival": (noise, "keep_patterns", lambda rng, n, t, rate, r, how: rng.random((n, t)) < rate),
}
FRONTIER, CLOSED, SELECT = moments.frontier, moments.symmetric_moments, gate.select
DRIFT, NOISY = gambling.estimate_drift, noise.noisy_moments


@pytest.mark.parametrize("case", WRONG)
def test_negative_control_a_wrong_gate_or_formula_disagrees(case, monkeypatch):
    module, name, wrong = WRONG[case]
    monkeypatch.setattr(module, name, wrong)
    function, config = CASES[case]
    assert disagreeing(function(**config))


def test_ends_of_learning_lie_at_the_limits_they_extrapolate_to():
    cases = [
        (gambling.gambling_end, {"noise_ratio": 1.5}, 0.01),
        (gambling.gambling_end, {"noise_ratio": 3.0}, 0.01),
        (gambling.gambling_end, {"gate": "rate", "rate": 0.1, "noise_ratio": 1.0}, 0.01),
        (gambling.gambling_learning, {"noise_ratio": 1.4, "x_start": 0.5, "n_steps": 200, "batch_size": 2_000}, 0.02),
    ]
    small = {"learning_rate": 5.0, "batch_size": 2_000, "n_steps": 400}
    cases.append((tokens.token_end, {"vocab_size": 10, "n_tokens": 10, "rate": 0.1, **small}, 0.01))
    for function, config, margin in cases:
        row = function(**config)[0]
        assert abs(row["estimate"] - row["predicted"]) < margin, (config, row)
        assert not row["exact"]


def test_negative_control_another_gates_stall_point_is_far_from_the_end(monkeypatch):
    config = {"vocab_size": 10, "n_tokens": 10, "rate": 0.1, "learning_rate": 5.0, "batch_size": 500, "n_steps": 200}
    monkeypatch.setattr(tokens.closed, "stall_point", lambda *_: None)  # as of the row gate
    reward, learned = tokens.token_end(**config)
    assert abs(reward["estimate"] - reward["predicted"]) > 0.5
    assert learned["estimate"] != learned["predicted"]


def test_training_on_tokens_follows_the_expected_update():
    rows = tokens.token_learning(
        vocab_size=10, n_tokens=10, gate="row", rate=0.3, learning_rate=2.0, batch_size=5_000, n_steps=60
    )
    assert [row["update"] for row in rows][-1] == 60
    for row in rows:
        assert row["low"] <= row["estimate"] <= row["high"]
        assert abs(row["estimate"] - row["predicted"]) < 0.01


# Streams and inputs.


@pytest.mark.parametrize("case", ["PG", "gate", "screening", "survival", "contexts", "kept gambles"])
def test_numbers_come_from_the_configuration_alone(case):
    function, config = CASES[case]
    first, again, other = function(**config), function(**config), function(**config, seed=1)
    assert first == again
    assert [row["estimate"] for row in first] != [row["estimate"] for row in other]
    assert [row["predicted"] for row in first] == [row["predicted"] for row in other]


@pytest.mark.parametrize(
    ("name", "setting", "problem"),
    [
        ("baselines", {"p_correct": (1.0,)}, "p_correct is 1.0: .*less than 1"),
        ("baselines", {"baseline": ("best",)}, "baseline is 'best'"),
        ("baselines", {"constant_baseline": (1.0,)}, "constant_baseline is 1.0"),
        ("baselines", {"n_replicates": (1,)}, "n_replicates is 1: .*greater than or equal to 2"),
        ("gambling", {"noise_ratio": (0.0,)}, "noise_ratio is 0.0"),
        ("gambling", {"noise_ratio": (float("inf"),)}, "noise_ratio is inf"),
        ("screening", {"rule": ("best",)}, "rule is 'best'"),
        ("survival", {"rate": (1.5,)}, "rate is 1.5"),
        ("token-runs", {"vocab_size": (1,)}, "vocab_size is 1"),
    ],
)
def test_bad_grids_are_refused_before_anything_runs(name, setting, problem):
    with pytest.raises(ValueError, match=problem):
        SWEEPS[name].with_values(setting).checked()


def test_inputs_that_only_fit_together():
    with pytest.raises(ValueError, match="n_kept must be at most batch_size = 8, got 9"):
        gate.rate_value(batch_size=8, n_kept=9)
    with pytest.raises(ValueError, match=r"p_end must be above 1/n_arms = 0.5, got 0.4"):
        learning.learning_time(method="pg", n_arms=2, p_end=0.4)


def test_alignment_that_is_never_reached_is_an_error(monkeypatch):
    monkeypatch.setattr(alignment, "_MOST_STEPS", 1)
    with pytest.raises(ValueError, match="no batch of up to"):
        alignment.samples_to_align(method="dg", p_correct=0.1)


def test_rules_of_the_screening_sweep_are_all_rules():
    rules = SWEEPS["screening"].grids[0]["rule"]
    assert set(rules) == set(RULES)


def test_baselines_by_name():
    assert baseline_value("constant", 0.2, 0.3, 10) == 0.2
    assert baseline_value("value", 0.2, 0.3, 10) == 0.3
    assert baseline_value("confidence", 0.2, 0.3, 10) == pytest.approx(0.3**2 + 0.7**2 / 9)
    # PG's least total variance, by search.
    grid = np.linspace(0.0, 0.99, 991)
    total = 0.3 * (0.7 - grid) ** 2 + grid**2 * 8 / 10
    assert baseline_value("optimal", 0.2, 0.3, 10) == pytest.approx(grid[np.argmin(total)], abs=1e-3)


def test_every_cell_function_is_found_by_its_name():
    for sweep in SWEEPS.values():
        assert load_cell(sweep.cell) is sweep.function
