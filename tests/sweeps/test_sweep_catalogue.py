"""The named sweeps: valid data, documented columns, committed tables, and inputs that are refused."""

import importlib
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from kondo_theory.screening import SAMPLE_RULES
from simulations.results.tables import SWEEP, load
from simulations.sweeps.cells.bandits import alignment, gate, learning, moments
from simulations.sweeps.cells.tokens.rows import baseline_value
from simulations.sweeps.grid import MOST_CELLS, load_cell
from simulations.sweeps.named.axes import log_spaced, log_spaced_counts
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.sweeps.named.contexts import CONTEXTS
from simulations.sweeps.named.experiments import EXPERIMENTS
from simulations.sweeps.named.gambling import GAMBLING
from simulations.sweeps.named.gates import GATES
from simulations.sweeps.named.tokens import TOKENS

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = [name for name, sweep in SWEEPS.items() if sweep.kind != "experiment"]  # computed in minutes
PRESETS = ("smoke", "quick", "paper")
SIMULATED = ["quantity", "predicted", "estimate", "standard_error", "exact"]


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
    assert set(rules) == set(SAMPLE_RULES)


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
