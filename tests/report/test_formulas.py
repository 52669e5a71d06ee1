"""LaTeX to MathML: every formula of every proof is converted, into what browsers know, and in signs of our font."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont

from kondo_theory.claims import CLAIMS
from simulations.report import page
from simulations.report.formulas import mathml

ROOT = Path(__file__).resolve().parents[2]
PROOFS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "proofs").glob("*.md")}
FORMULAS = {claim: re.findall(r"^ +\$\$\n +(.*?)\n +\$\$$", text, re.MULTILINE) for claim, text in PROOFS.items()}
"""What derivations write: another test holds the pages to the proofs, and deriving takes half a minute."""

TAG = "{http://www.w3.org/1998/Math/MathML}"


def parsed(latex):
    return ElementTree.fromstring(mathml(latex))


def signs(latex):
    """The texts of the elements in the order of reading, spaces among them as ``_``."""
    return [e.text or "_" for e in parsed(latex).iter() if e.text or e.tag == f"{TAG}mspace"]


def test_the_proofs_are_there():
    assert set(FORMULAS) == {claim.id for claim in CLAIMS.values() if claim.derived}
    assert sum(map(len, FORMULAS.values())) > 700


def test_every_formula_is_converted():
    formulas = [latex for found in FORMULAS.values() for latex in found]
    assert [latex for latex in formulas if "<math" not in mathml(latex)] == []


def test_browsers_know_every_element_and_the_font_every_sign():
    font = TTFont(page.FORMULA_FONT)
    assert "MATH" in font, "brackets grow"
    for latex in (latex for found in FORMULAS.values() for latex in found):
        for element in parsed(latex).iter():
            assert element.get("mathvariant") in (None, "normal"), latex
            assert element.get("width", "0em").endswith("em"), latex
            assert set(map(ord, element.text or "")) <= font.getBestCmap().keys(), (latex, element.text)


def test_what_cannot_be_converted_is_shown_as_it_stands():
    assert mathml(r"\nosuchthing < 1") == r"<code>\nosuchthing &lt; 1</code>"
    assert mathml(r"\left(x") == r"<code>\left(x</code>"


@pytest.mark.parametrize("latex", [r"\Big\{x\Big\}", r"\Big\|x\Big\|^2", r"\arg\max_x f"])
def test_delimiters_and_names_that_the_converter_does_not_know(latex):
    assert "\\" not in mathml(latex)
    assert "<math" in mathml(latex)


@pytest.mark.parametrize(
    ("latex", "found"),
    [
        (r"\operatorname{Cov}(a)", ["Cov", "(", "a", ")"]),
        (r"2\log\frac{a}{b}", ["2", "_", "log", "_", "a", "b"]),
        (r"a\log(b)", ["a", "_", "log", "(", "b", ")"]),
        (r"a=\log b", ["a", "=", "log", "_", "b"]),
        (r"w_{minus}+w_{wrong}", ["w", "−", "+", "w", "wrong"]),
        (r"\mathbb{E}x\sim\mathbf 1", ["𝔼", "x", "∼", "𝟏"]),
    ],
)
def test_words_styles_and_spaces(latex, found):
    assert signs(latex) == found


def test_a_sign_of_one_number_stands_close_to_it():
    def forms(latex):
        return [e.get("form") for e in parsed(latex).iter(f"{TAG}mo") if e.text == "−"]

    assert forms(r"a=-b") == ["prefix"]
    assert forms(r"a-b") == forms(r"(a)-b") == [None]


def test_a_power_is_that_of_the_whole_bracket():
    (power,) = parsed(r"a\Big(\frac{b}{(c)}\Big)^2").iter(f"{TAG}msup")
    base, exponent = power
    assert [element.text for element in (base[0], base[-1], exponent)] == ["(", ")", "2"]
    assert ElementTree.tostring(parsed("a)^2")).count(b"<") > 0, "a bracket that nothing opens stays"
    assert parsed("a)^2").find(f".//{TAG}msup")[0].text == ")"
