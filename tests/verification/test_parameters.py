"""Parameters of rows: whether they say what the names say, and what a method's label says."""

import re

import pytest
from row_names import flat, require_said, unsaid

from simulations.mnist.approximate import STUDIES as CONTENDERS
from simulations.mnist.config import QUALITY_METHODS as MNIST
from simulations.results.device_agreement import compare
from simulations.reversal.studies import STUDIES
from simulations.reversal.tables import committed_curves
from simulations.verification.checks.devices import device_rows
from simulations.verification.checks.evidence import Measured, Simulated
from simulations.verification.checks.labels import method_of
from simulations.verification.checks.reversal.cost import physical_cost_rows
from simulations.verification.checks.reversal.quality import quality_rows, sensitivity_rows

REVERSAL = {config.label: config for study in STUDIES.values() for config in study.methods}
SCREENED = {contender.label: contender for study in CONTENDERS.values() for contender in study}


@pytest.mark.parametrize(
    ("quantity", "parameters"),
    [
        ("utility at χ−λ=-2, η=0.25", {"χ−λ": -2.0, "η": 0.25}),
        ("forward samples at K=2, b=p=0.567", {"K": 2, "b": 0.5667, "p": 0.5667}),
        ("1 − cos of pg, p from 1/K to 0.9", {"method": "pg", "p end": 0.9}),
        ("drift/(p(1−p)), zero-price, M=2", {"gate": "zero-price", "M": 2}),
        ("P(U > 0 | gamble), η → 0, at x=0.1", {"x": 0.1}),
        ("rows, measured over 1 − (1 − ρ)^T = 0.263", {"predicted": 0.26258}),
        ("error, DG-K(3 %) − DG", {"method": "DG-K", "ρ": 0.03, "against": "DG"}),
        ("reward, M = 2, ρ = 30 % (predicted 0.575)", {"M": 2, "ρ": 0.3, "predicted": 0.5752}),
        ("rise under noise of 50, 100 and 200 %, mean", {"τ": (0.5, 1.0, 2.0)}),
        ("gap at b = 1/2, seconds for 1,000 answers", {"b": 0.5, "answers": 1_000}),
        ("drift predicted: 1.0e-05, bfloat16", {"predicted": 1.02e-5, "dtype": "bfloat16"}),
        ("seconds, 100 answers, NVIDIA A100 2", {"answers": 100, "device": "NVIDIA A100 2"}),
        ("rows by abs-advantage at zero price", {"rule": "abs-advantage", "λ": 0.0}),
    ],
)
def test_parameters_say_what_the_name_says_and_each_one_is_missed(quantity, parameters):
    require_said(quantity, parameters)
    for name in parameters:
        assert unsaid(quantity, {other: value for other, value in parameters.items() if other != name})


@pytest.mark.parametrize(
    ("quantity", "parameters", "missing"),
    [
        ("x at K=10", {"K": 3, "M": 10}, ["K=10"]),  # another symbol's
        ("x at K=10", {"K": "10"}, ["K: 10", "K=10", "10"]),  # text is no number
        ("error, DG-K(3 %)", {"method": "DG-K(3 %)", "ρ": 0.03}, ["method: DG-K(3 %)", "DG-K"]),
        ("error at 3 %", {"ρ": 3}, ["3 %"]),
        ("x at ρ = 30 %", {"ρ": 0.03}, ["ρ=30 %", "30 %"]),
        ("x at p=0.239", {"p": 0.2396}, ["p=0.239", "0.239"]),  # rounds to 0.240
        ("x at p=0.239", {"p": 0.2386}, []),
        ("x, best 1 of 20", {"k": True, "B": 20}, ["1"]),
        ("x of 1 sample, 1 − x", {}, ["1"]),
        ("x by entropy-band", {"rule": "delight"}, ["entropy-band"]),
    ],
)
def test_negative_control_what_no_parameter_says_is_named(quantity, parameters, missing):
    assert unsaid(quantity, parameters) == missing


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Simulated('x at K=3', 1.0, 1.0, 0.1)", "says ['K=3', '3']"),
        ("Measured('error at 3 %', 1.0, 1.0, 1.0, 5, None, 'now')", "says ['3 %']"),
        ("replace(Measured('x', 1.0, 1.0, 1.0, 5, None, 'now'), quantity='x at 3 %')", "says ['3 %']"),
        ("Simulated('x', 1.0, 1.0, 0.1, parameters={'colour': 'red'})", "{'colour'} of 'x' not in docs"),
        ("Simulated('x', 1.0, 1.0, 0.1, parameters={'K': np.int64(3)})", "is no JSON"),
    ],
)
def test_negative_control_a_check_cannot_build_a_row_that_says_less_than_its_name(row, said):
    from dataclasses import replace

    import numpy as np

    names = {"Simulated": Simulated, "Measured": Measured, "replace": replace, "np": np}
    eval(compile(row, "anything_else.py", "eval"), dict(names))
    with pytest.raises(AssertionError, match=re.escape(said)):
        eval(compile(row, "simulations/verification/checks/odd.py", "eval"), dict(names))


@pytest.mark.parametrize("label", REVERSAL)
def test_the_label_of_a_run_on_token_reversal_says_its_rate_and_rule(label):
    config, said = REVERSAL[label], method_of(label)
    assert said.get("ρ") == config.rate
    assert said.get("rule", "delight") == config.rule
    assert said.get("epochs", config.passes) == config.passes
    assert unsaid(label, said) == []


@pytest.mark.parametrize("label", SCREENED)
def test_the_label_of_a_contender_says_how_it_is_screened(label):
    contender, said = SCREENED[label], method_of(label)
    assert said.get("ρ") == contender.method.rate
    assert said.get("screener", said.get("noise", "exact")) == contender.screener
    value = next((said[name] for name in ("steps old", "width", "τ") if name in said), None)
    assert value == contender.value
    assert unsaid(label, said) == []


def test_labels_on_mnist_and_of_tables_made_elsewhere():
    assert [method_of(config.label).get("ρ") for config in MNIST] == [config.rate for config in MNIST]
    assert method_of("additive(0.1 %, α=0.3)") == {"method": "additive", "ρ": 0.001, "α": 0.3}
    assert method_of("gate(λ=0, η=0.5)") == {"method": "gate", "λ": 0.0, "η": 0.5}
    assert method_of("PMPO(4 epochs)") == {"method": "PMPO", "epochs": 4}
    assert method_of("mine, anyhow") == {"method": "mine, anyhow"}
    assert method_of("(odd") == {"method": "(odd"}


@pytest.mark.parametrize(
    "rows_of",
    [
        lambda: quality_rows(committed_curves("quality")) + sensitivity_rows(committed_curves("reward"), "reward"),
        lambda: physical_cost_rows(committed_curves("quality")),
        lambda: device_rows(compare()),
    ],
)
def test_parameters_tell_the_rows_of_a_kind_apart(rows_of):
    found = {}
    for row in rows_of():
        kind = row.quantity
        for word in sorted((v for v in flat(row.parameters.values()) if isinstance(v, str)), key=len, reverse=True):
            kind = kind.replace(word, "")
        key = re.sub(r"[\d.,]+", "#", kind), tuple(sorted(row.parameters.items()))
        assert key not in found, f"{row.quantity!r} and {found[key]!r} have the same parameters"
        found[key] = row.quantity
    assert found
