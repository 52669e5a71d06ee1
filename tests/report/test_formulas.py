"""LaTeX to MathML: everything that a derivation writes is converted, and what cannot be is shown as it stands."""

from xml.etree import ElementTree

import pytest

from simulations.report.formulas import mathml
from tests.derived_claims import DERIVED, derived


@pytest.mark.parametrize("claim", DERIVED)
def test_every_formula_of_a_derivation_is_converted(claim):
    found = derived(claim).to_json()
    formulas = [step["latex"] for step in found["steps"] if step["latex"]] + list(found["results"].values())
    elements = [mathml(latex) for latex in formulas]
    assert [latex for latex, element in zip(formulas, elements, strict=True) if "<math" not in element] == []
    assert all(len(ElementTree.fromstring(element)) for element in elements)


def test_what_cannot_be_converted_is_shown_as_it_stands():
    assert mathml(r"\nosuchthing < 1") == r"<code>\nosuchthing &lt; 1</code>"
    assert mathml(r"\left(x") == r"<code>\left(x</code>"


@pytest.mark.parametrize("latex", [r"\Big\{x\Big\}", r"\Big\|x\Big\|^2", r"\arg\max_x f"])
def test_delimiters_and_names_that_the_converter_does_not_know(latex):
    assert "\\" not in mathml(latex)
    assert "<math" in mathml(latex)
