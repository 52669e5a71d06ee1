"""The page without a browser: it is whole, it is ours alone, and it says what the JSON says."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from kondo_theory.claims import CLAIMS
from kondo_theory.estimators import ESTIMATORS
from kondo_theory.screening import RULES
from simulations.errors import InputError, ResultError
from simulations.report import page, report_from_json, wording, write_report
from simulations.report.document import SCHEMA
from simulations.report.pictures import draw_pictures
from simulations.verification import outcomes

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Tree(HTMLParser):
    """Every element with its attributes, and what is not nested as it should be."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.wrong, self._open = [], [], [], []
        self.feed(text)
        self.wrong += self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"/{tag}")

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("script", "style"):
            self.text.append(data)

    def values(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def tree(path):
    return Tree(path.read_text(encoding="utf-8"))


def test_elements_close_in_order_and_ids_occur_once(tree):
    assert tree.wrong == []
    ids = tree.values("id")
    assert len(ids) == len(set(ids))
    assert set(CLAIMS) <= set(ids)


def test_negative_control_what_is_not_closed_is_noticed():
    assert Tree("<p><b>x</p>").wrong


def test_nothing_comes_from_elsewhere(tree):
    assert all(source.startswith("data:image/webp;base64,") for source in tree.values("src"))
    links = tree.values("href")
    assert all(link.startswith(("#", "https://arxiv.org/abs/", "data:,")) for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(tree.values("id"))
    assert not re.search(r"@import|url\(", page._environment().globals["as_it_is"]("style.css"))


def test_every_verdict_has_its_word_and_sign(tree):
    text = "".join(tree.text)
    for verdict, said in wording.VERDICTS.items():
        assert re.search(rf"{re.escape(said.sign)}\s*{verdict}", text)
    assert set(wording.VERDICTS) == {row.get("data-verdict") for tag, row in tree.elements if row.get("data-verdict")}


def test_text_is_escaped(tree, document):
    scripts = [attributes.get("type") for tag, attributes in tree.elements if tag == "script"]
    assert Counter(scripts) == {None: 1, "application/json": 3}
    assert document["claims"][0]["statement"] in "".join(tree.text), "and says what it said"


def test_formulas_figures_and_tables_are_there(tree, document):
    tags = [tag for tag, _ in tree.elements]
    derived = document["claims"][0]["derived"]
    formulas = sum(bool(step["latex"]) for step in derived["steps"]) + len(derived["results"])
    assert tags.count("math") == formulas > 10
    images = [attributes for tag, attributes in tree.elements if tag == "img"]
    assert len(images) == 2, "a figure of two claims is drawn once"
    assert all(image["alt"].startswith("Figure ") for image in images)
    assert "stands with additive-threshold" in " ".join("".join(tree.text).split())
    for column in ("th", "td"):
        assert column in tags
    assert all("scope" in attributes for tag, attributes in tree.elements if tag == "th")


def test_the_page_begins_with_its_three_answers_and_a_figure(path, document):
    beginning, _, rest = path.read_text(encoding="utf-8").partition("</header>")
    said = " ".join("".join(Tree(beginning).text).split())
    questions = [said.index(question) for question in ("What it does", "When it saves", "When it stalls")]
    assert questions == sorted(questions)
    (image,) = (attributes for tag, attributes in Tree(beginning).elements if tag == "img")
    assert image["alt"].startswith(f"Figure {page.FRONT}: ")
    assert image["alt"] not in rest, "it stands there alone"
    assert "stands at the top" in " ".join("".join(Tree(rest).text).split())
    few = page.Document.of(document | {"claims": document["claims"][:2]}, "x")
    assert not page._answered(few), "without the claims that they name there are no answers"


def test_every_rule_and_estimate_is_compared(path, document):
    text = path.read_text(encoding="utf-8")
    _, _, section = text.partition('<h2 id="compared">')
    cells = Tree(section.partition("</section>")[0]).text
    assert {*RULES, *ESTIMATORS} <= {each.strip() for each in cells}
    assert '<a href="#compared">' in text


def test_a_report_of_some_claims_compares_no_rules(document, monkeypatch):
    monkeypatch.setattr(page, "figures_of", lambda claim: ())
    few = page.Document.of(document | {"claims": document["claims"][:2]}, "x")
    assert 'id="compared"' not in page.render(few, {})


def test_headings_go_down_one_level_at_a_time(tree):
    levels = [int(tag[1]) for tag, _ in tree.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_numbers_intervals_and_origins_are_said(tree):
    text = " ".join("".join(tree.text).split())
    assert "−1.5 … ∞ (range)" in text
    assert "the 5 furthest" in text.lower()
    assert "abc, changed" in text
    assert "4 seeds" in text


def test_it_is_small(path):
    assert path.stat().st_size < 8_000_000


def test_a_stored_file_gives_the_same_bytes(path, document, few_figures, tmp_path):
    stored = tmp_path / "verify.json"
    stored.write_text(json.dumps(document), encoding="utf-8")
    assert report_from_json(stored, tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "lacks schema and claims"),
        ('{"schema": 1, "claims": []}', "has schema 1; this version of kondo reads schema 2"),
        ('{"schema": 2, "claims": []}', "preset: Field required"),
    ],
)
def test_another_file_is_refused_in_one_line(text, said, tmp_path):
    stored = tmp_path / "x.json"
    stored.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(said)) as error:
        report_from_json(stored, tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "index.html").exists()


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*nothing\.json: No such file"):
        report_from_json(tmp_path / "nothing.json", tmp_path)


def test_a_page_of_ours_is_replaced_and_another_is_not(path, document, few_figures, tmp_path):
    other = tmp_path / "index.html"
    other.write_text("<p>mine</p>", encoding="utf-8")
    with pytest.raises(ResultError, match="is no report of kondo"):
        write_report(document, tmp_path)
    assert other.read_text(encoding="utf-8") == "<p>mine</p>"
    other.write_text(page.GENERATOR, encoding="utf-8")
    few = document | {"claims": document["claims"][-1:]}
    assert "<h1>" in write_report(few, tmp_path).read_text(encoding="utf-8")


def test_tables_that_cannot_be_read_are_refused(document, tmp_path):
    with pytest.raises(ResultError, match="nowhere"):
        write_report(document, tmp_path / "out", tmp_path / "nowhere")


def test_a_figure_that_cannot_be_drawn_is_said(document, monkeypatch):
    def broken(name, own):
        raise ResultError(f"no table for {name}")

    monkeypatch.setattr("simulations.report.pictures.drawn", broken)
    pictures = draw_pictures(["gate-law"], None)
    assert pictures["gate-law"].missing == "ResultError: no table for gate-law"
    monkeypatch.setattr(page, "figures_of", lambda claim: ["gate-law"] if claim == "gate-law" else [])
    assert "Figure gate-law cannot be drawn here: ResultError" in page.render(
        page.Document.of(document, "x"), pictures
    )


def test_the_page_reads_the_schema_that_verify_writes():
    assert SCHEMA == outcomes.SCHEMA


def test_powers_and_indices_are_raised_and_lowered():
    assert wording.notation("½e^{−s²/2}·p_t") == "½e<sup>−s²/2</sup>·p<sub>t</sub>"
    assert wording.notation("∫₀^∞ Var_⊥(DG), ℓ_wrong.") == "∫₀<sup>∞</sup> Var<sub>⊥</sub>(DG), ℓ<sub>wrong</sub>."
    assert wording.notation("<b> a_table.parquet") == "&lt;b&gt; a_table.parquet"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "not a number"), (float("-inf"), "−∞"), (0.0, "0"), (-1234.0, "−1,234"),
     (1 / 3, "0.3333"), (-1.25e-7, "−1.25×10⁻⁷"), (2.5e12, "2.5×10¹²")],
)  # fmt: skip
def test_numbers(value, text):
    assert wording.number(value) == text
