"""What README and the guides show and write of figures is what the tables give: their pictures, and typed numbers."""

import io
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kondo_theory.token_trap.groups import group_stall_point
from paper_figs.mnist.quality import GATE, backward_samples
from paper_figs.reversal.trap import GROUP
from paper_figs.tables import measured, reversal_curves
from simulations.mnist.tables import LEARNING_CURVES
from simulations.reversal.summary import final, progress
from simulations.statistics import bootstrap

ROOT = Path(__file__).resolve().parents[2]
TITLE = r"Keep (\d+) of 100.*least (\d+) times fewer backward samples to (\d+) % error.*within (0\.\d+) of reward"
SAID = (
    r"gate keeps {kept} digits of 100, needs {fewer} times fewer backward samples",
    r"gate at 3 % keeps the {word}\s+above its price",
    r"reaches {error} % test error with at least {fewer} times fewer\s+backward samples",
    r"{fewer} times fewer backward samples to {error} % error on MNIST",
    r"stops learning at the reward that theory predicts, within {near}, when",
)
"""What README says of the hero, by the names of the numbers."""
SHADE = 0.5
"""Of 255: pictures that differ by less are the same but for how a version of matplotlib smooths its letters."""
WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


@cache
def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def numbers_of(hero):
    """The numbers in the titles of the hero, which are computed."""
    titles = re.sub(r"\s+", " ", " ".join(ax.get_title("left") for ax in hero.panels))
    kept, fewer, error, near = re.search(TITLE, titles).groups()
    return {"kept": kept, "word": WORDS[int(kept)], "fewer": fewer, "error": error, "near": re.escape(near)}


def unsaid(readme, numbers):
    """The statements of README that do not have these numbers."""
    return [said for said in SAID if not re.search(said.format(**numbers), readme)]


def test_readme_says_what_the_hero_shows(drawn_figure):
    numbers = numbers_of(drawn_figure("hero").figure)
    assert unsaid(read("README.md"), numbers) == []
    every = re.findall(r"(\d+) times fewer", read("README.md"))
    assert set(every) == {numbers["fewer"]}


def test_negative_control_a_readme_with_another_number_is_seen(drawn_figure):
    numbers = numbers_of(drawn_figure("hero").figure)
    for name, number in numbers.items():
        other = read("README.md").replace(number.replace("\\", ""), "99")
        assert unsaid(other, numbers), name


def test_readme_says_the_low_end_of_the_ratio():
    curves = measured("mnist-learning-curves", *LEARNING_CURVES).frame
    (pg, _), (ours, reached) = (backward_samples(curves, label) for label in ("PG", GATE))
    low = bootstrap(np.where(reached, pg / ours, 0.0)).low
    (said,) = re.findall(r"times fewer backward samples to 5 % error on MNIST \(95 % interval from (\d+)\)",
                         read("README.md"))  # fmt: skip
    assert int(said) == round(low)


def rows_of(table):
    """The cells of the rows of a table in Markdown."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def table_after(text, start):
    """The table in Markdown whose first line begins so."""
    return text[text.index(start) :].partition("\n\n")[0]


def test_the_seconds_of_the_guide_to_devices_are_those_of_the_figure(drawn_figure):
    shown = [text.get_text() for text in drawn_figure("when-it-saves").figure.panels[1].texts]
    rows = {name: cells for name, *cells in rows_of(table_after(read("docs/devices.md"), "| answers a batch |"))}
    written = [*rows["row gate(3 %), H200"], *rows["row gate(3 %), one CPU thread"]]
    assert [cell for cell in written if cell != "–"] == shown
    results = re.sub(r"\s+", " ", read("docs/results.md"))
    assert f"takes {shown[4]} of PG's time by the row gate at 3 % on one CPU thread, and {shown[0]} of it" in results


def apart(first, second):
    """How far two pictures are apart on average, in shades of 255; infinite if they differ in size."""
    one, other = (np.asarray(Image.open(picture).convert("L"), float) for picture in (first, second))
    return float(np.abs(one - other).mean()) if one.shape == other.shape else np.inf


PICTURES = sorted((ROOT / "docs" / "figures").glob("*.png"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_the_pictures_in_the_documents_are_as_the_command_draws_them(path, drawn_figure):
    drawn, buffer = drawn_figure(path.stem), io.BytesIO()
    drawn.figure.savefig(buffer, format="png")
    again = f"kondo figures {path.stem} --format png"
    assert Image.open(path).text["Description"] == drawn.caption, again
    assert apart(path, buffer) < SHADE, again


def test_negative_control_a_picture_with_another_title_or_size_is_seen(tmp_path):
    picture = np.asarray(Image.open(PICTURES[0]).convert("L")).copy()
    picture[:50, : picture.shape[1] // 3] = 0
    Image.fromarray(picture).save(tmp_path / "dark.png")
    assert apart(PICTURES[0], tmp_path / "dark.png") > SHADE
    assert apart(PICTURES[0], PICTURES[1]) == np.inf
    assert apart(PICTURES[0], PICTURES[0]) == 0


def percent_of(errors):
    return 100 * float(np.median(errors))


@pytest.mark.parametrize("place", range(4))
def test_the_tasks_of_the_guide_to_gates_are_those_of_the_figure(place):
    m, h, rate, stop, predicted, positive, _, *errors = rows_of(
        table_after(read("docs/choosing-a-gate.md"), "| M | H | rate |")
    )[place]
    vocab_size, length, share = int(m), int(h), float(rate.removesuffix(" %")) / 100
    runs = reversal_curves("screening-tasks").frame
    runs = runs[(runs["vocab_size"] == vocab_size) & (runs["length"] == length) & (runs["rate"] == share)]
    tokens = dict(list(runs[runs["method"] == "token-gate"].groupby("rule")))
    assert float(predicted) == round(group_stall_point(share, vocab_size, length, GROUP, "token", "additive"), 3)
    for said, rule in ((stop, "additive"), (positive, "positive-surprisal")):
        assert float(said) == round(float(progress(tokens[rule])["late_reward"].median()), 3)
    for said, rule in zip(errors, ("advantage", "abs-advantage", "surprisal"), strict=True):
        digits = len(said.removesuffix(" %").partition(".")[2])
        assert float(said.removesuffix(" %")) == round(percent_of(final(tokens[rule], "token_error")), digits)
