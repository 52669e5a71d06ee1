"""The explorers' grids without a browser, and the numbers of the first paragraphs."""

import base64
import json

import numpy as np
import pytest

from kondo_theory.gambling.top_rate import top_rate_points
from simulations.report import answers
from simulations.report.document import Document
from simulations.report.explorers import gambling
from simulations.report.explorers.grids import Curve, Explorer, Panel, Readout, Slider, evaluated, percent, texts

SLIDERS = [
    Slider.of("a", "A", [1.0, 2.0, 3.0], 2.0, "{:g}".format),
    Slider.of("rate", "R", [0.1, 0.3], 0.3, percent),
]


def test_the_last_slider_runs_fastest_and_short_rows_are_filled():
    grid = evaluated(SLIDERS, lambda a, rate: np.array([a, rate][: int(a)]), 3)
    assert grid.shape == (3, 2, 3)
    np.testing.assert_array_equal(grid[1, 0], [2.0, 0.1, np.nan])
    np.testing.assert_array_equal(grid[0, 1], [1.0, np.nan, np.nan])
    assert texts(SLIDERS, lambda a, rate: f"{a:g}{rate}") == ["10.1", "10.3", "20.1", "20.3", "30.1", "30.3"]


def test_the_script_reads_what_was_computed():
    grid = evaluated(SLIDERS, lambda a, rate: np.array([a, rate]), 2)
    panel = Panel("T", np.array([0.0, 1.0]), "x", [(0.0, "no")], [Curve("c", "pg", ["a", "rate"], grid)])
    explorer = Explorer("n", "N", "", (), SLIDERS, [panel], [Readout("r", [], ["</script>"])])
    text = explorer.to_json()
    assert "<" not in text, "nothing in it ends the element that holds it"
    found = json.loads(text)
    assert [slider["start"] for slider in found["sliders"]] == [1, 1]
    assert found["sliders"][1]["shown"] == ["10\xa0%", "30\xa0%"]
    assert found["readouts"][0]["text"] == ["</script>"]
    packed = found["panels"][0]["curves"][0]["values"]
    values = np.frombuffer(base64.b64decode(packed["data"]), "<f4").reshape(packed["shape"])
    np.testing.assert_allclose(values, grid, rtol=1e-7)


@pytest.mark.parametrize(("noise_ratio", "rate"), [(0.9, 0.1), (2.0, 0.7), (4.0, 0.3), (1.2, 0.9)])
def test_what_is_said_of_the_gamble_names_every_rest_point(noise_ratio, rate):
    said = gambling._top_said(noise_ratio, rate)
    points = top_rate_points(noise_ratio, rate)
    assert all(gambling._share(point.x) in said for point in points)
    assert ("takes all" in said) is (not points or not points[-1].stable)


def with_number(document, name, judgement, value):
    """The document with one quantity of the first paragraphs measured and judged so."""
    claim_id, quantity = answers.QUANTITIES[name]
    changed = json.loads(json.dumps(document))
    (claim,) = (claim for claim in changed["claims"] if claim["id"] == claim_id)
    for row in (*claim["measured"], *claim["criteria"]):
        if row["quantity"] == quantity:
            row |= {"value": value, "not_finite": {}} if "value" in row else {"judgement": judgement}
    return answers.numbers_that_hold(Document.of(changed, "x"))


@pytest.mark.parametrize("name", answers.QUANTITIES)
def test_a_number_stands_in_the_first_paragraphs_only_where_it_holds(document, name):
    told = "fails" if name in answers.FAILING else "holds"
    assert with_number(document, name, told, 2.5)[name] == answers.Number(2.5, 4)
    other = {"fails": "holds", "holds": "fails"}[told]
    for judgement, value in ((other, 2.5), ("undecided", 2.5), (None, 2.5), (told, None)):
        assert name not in with_number(document, name, judgement, value)
