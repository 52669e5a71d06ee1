"""Every figure fits a paper as it is: width, text, fonts, titles that say what was found, captions, the grammar."""

import io
import re
from itertools import combinations

import pytest
from matplotlib.colors import to_hex
from pypdf import PdfReader
from pypdf.generic import ContentStream

from paper_figs.catalogue import FIGURES
from paper_figs.marks import REFERENCE
from paper_figs.panels import COLUMN, PAGE, WIDTHS, PaperFigure, finding, inches, panels
from paper_figs.style import METHODS, SMALLEST, paper_style

POINTS = 72
ROUNDING = 0.01


def page_of(content):
    """The only page of a PDF."""
    (page,) = PdfReader(io.BytesIO(content)).pages
    return page


def text_sizes(page):
    """The sizes in points of all text on a page: of the font, times the scale of where it is written."""
    sizes, scale, stack = [], 1.0, []
    for operands, operator in ContentStream(page.get_contents(), page.pdf).operations:
        if operator == b"q":
            stack.append(scale)
        elif operator == b"Q":
            scale = stack.pop()
        elif operator == b"cm":
            a, b = float(operands[0]), float(operands[1])
            scale *= (a * a + b * b) ** 0.5
        elif operator == b"Tf":
            sizes.append(float(operands[1]) * scale)
    return sizes


def fonts(page):
    """The fonts of a page by name, each with whether its file is inside."""
    found = {}
    for name, font in page["/Resources"].get("/Font", {}).items():
        each = font.get_object()
        whole = each["/DescendantFonts"][0].get_object() if "/DescendantFonts" in each else each
        described = whole.get("/FontDescriptor", {})
        found[name] = whole["/Subtype"] == "/Type3" or "/FontFile2" in getattr(described, "get_object", dict)()
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_column_or_a_page_wide_and_its_text_is_readable(name, drawn_figure):
    page = page_of(drawn_figure(name).pdf)
    assert float(page.mediabox.width) / POINTS == pytest.approx(WIDTHS[FIGURES[name].width], abs=ROUNDING)
    sizes = text_sizes(page)
    assert sizes
    assert min(sizes) >= SMALLEST - ROUNDING
    assert fonts(page)
    assert all(fonts(page).values())


def test_negative_control_small_text_and_a_font_left_out_are_seen():
    with paper_style():
        figure, (ax,) = panels()
        ax.set_xlabel("small", fontsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf")
    assert min(text_sizes(page_of(buffer.getvalue()))) == pytest.approx(6)
    with paper_style():
        other, (ax,) = panels()
        ax.set(xscale="log", xlim=(1, 1e6))  # matplotlib writes small exponents
    buffer = io.BytesIO()
    other.savefig(buffer, format="pdf")
    page = page_of(buffer.getvalue())
    assert min(text_sizes(page)) < 6
    assert all(fonts(page).values())
    for font in page["/Resources"]["/Font"].values():
        each = font.get_object()
        if "/DescendantFonts" in each:
            each = each["/DescendantFonts"][0].get_object()
        each["/FontDescriptor"].get_object().pop("/FontFile2", None)
    assert not any(fonts(page).values())


@pytest.mark.parametrize("name", FIGURES)
def test_a_panel_has_a_title_and_a_figure_a_caption_that_says_how_it_was_made(name, drawn_figure):
    drawn = drawn_figure(name)
    assert drawn.figure.panels
    for ax in drawn.figure.panels:
        assert len(re.sub(r"^\(.\)", "", ax.get_title("left")).split()) >= 1, "a panel without a title"
        assert ax.has_data() or ax.patches
    assert len(drawn.caption.split()) > 20
    assert re.search(r"95 %|[Pp]oints|Below each", drawn.caption), "what points and intervals are"
    assert re.search(r"seed|each, early", drawn.caption), "how many seeds"
    titles = [ax.get_title("left") for ax in drawn.figure.panels]
    assert "nan" not in re.split(r"\W+", " ".join([drawn.caption, *titles]))


def hidden(ax):
    """Pairs of texts in a panel of which one lies over the other."""
    texts = [text for text in ax.texts if text.get_text() and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in texts]
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


@pytest.mark.parametrize("name", FIGURES)
def test_at_most_three_panels_stand_in_a_row_and_no_text_leaves_the_figure_or_hides_another(name, drawn_figure):
    figure = drawn_figure(name).figure
    figure.draw_without_rendering()  # a file of another resolution may have moved its labels
    rows = {}
    for ax in figure.panels:
        rows.setdefault(round(ax.get_position().y1, 2), []).append(ax)
    assert max(map(len, rows.values())) <= 3
    assert [pair for ax in figure.panels for pair in hidden(ax)] == []
    whole = figure.bbox
    for ax in figure.panels:
        for text in (ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts):
            box = text.get_window_extent()
            if text.get_text() and text.get_visible():
                assert whole.x0 - 1 <= box.x0, text.get_text()
                assert box.x1 <= whole.x1 + 1, text.get_text()
                assert whole.y0 - 1 <= box.y0, text.get_text()
                assert box.y1 <= whole.y1 + 1, text.get_text()


def test_negative_control_a_name_over_another_is_seen():
    with paper_style():
        _, (ax,) = panels()
        for place in (0.2, 0.6, 0.61):
            ax.text(place, 0.5, f"at {place}")
    assert hidden(ax) == [("at 0.6", "at 0.61")]


@pytest.mark.parametrize("name", FIGURES)
def test_titles_do_not_run_into_each_other(name, drawn_figure):
    titles = [ax._left_title.get_window_extent() for ax in drawn_figure(name).figure.panels]
    for number, title in enumerate(titles):
        assert not any(title.overlaps(other) for other in titles[number + 1 :])


@pytest.mark.parametrize("name", FIGURES)
def test_only_references_are_dashed(name, drawn_figure):
    for ax in drawn_figure(name).figure.panels:
        for line in ax.lines:
            assert line.get_linestyle() in ("-", "None", "", " ") or line.get_gid() == REFERENCE


def test_negative_control_a_method_with_dashes_is_seen():
    with paper_style():
        _, (ax,) = panels()
        (line,) = ax.plot([0, 1], [0, 1], "--", color=METHODS["PG"].colour)
    assert line.get_linestyle() == "--"
    assert line.get_gid() != REFERENCE
    assert to_hex(line.get_color()) == METHODS["PG"].colour


@pytest.mark.parametrize(("width", "across"), [(COLUMN, 1), (5.0, 2), (PAGE, 3), (14.0, 3)])
def test_panels_stand_side_by_side_where_the_width_allows_it(width, across):
    from paper_figs.panels import sheet

    with paper_style(), sheet(width):
        figure, axes = panels(5)
    assert isinstance(figure, PaperFigure)
    assert figure.get_size_inches()[0] == width
    assert len(axes) == 5
    assert len({ax.get_subplotspec().colspan.start for ax in axes}) == across


@pytest.mark.parametrize("width", ["pages", "0", 1.9, 21, "nan", None])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(ValueError, match="width must be column, page or inches from 2 to 20, got"):
        inches(width)


def test_a_sign_and_its_number_stay_on_one_line():
    with paper_style():
        _, (ax,) = panels()
        finding(ax, "at K = 10 it keeps 3 % of them")
    assert ax.get_title("left").split(" ") == ["at", "K\u00a0=\u00a010", "it", "keeps", "3\u00a0%", "of", "them"]
