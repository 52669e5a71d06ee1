"""The page in headless Chromium: it is silent, whole without scripts, narrow enough, and accessible."""

import pytest

from kondo_theory.claims import FAMILIES


def test_pictures_load_and_links_lead_somewhere(tab):
    assert tab.evaluate("[...document.images].map(i => i.naturalWidth > 0)") == [True, True]
    tab.click(".contents a[href='#token-trap']")
    top = tab.evaluate("document.getElementById('token-trap').getBoundingClientRect().top")
    assert 0 <= top < 900


def test_formulas_have_their_font(tab):
    assert tab.evaluate("document.fonts.load('16px Formula', 'χ').then(found => found.length)") == 1
    assert tab.evaluate("document.fonts.load('16px Nothing', 'χ').then(found => found.length)") == 0


def test_the_filter(tab):
    shown = "document.querySelectorAll('.claims tr.claim:not([hidden])').length"
    every = tab.evaluate(shown)
    tab.select_option("select[name=verdict]", "fails")
    fails = tab.evaluate(shown)
    assert 0 < fails < every
    assert tab.inner_text("#found") == f"{fails} of {every} claims"
    tab.fill("input[name=text]", "no such words")
    assert tab.evaluate(shown) == 0
    tab.click("button[type=reset]")
    tab.wait_for_function(f"{shown} == {every}")
    tab.fill("input[name=text]", "STALL")
    assert 0 < tab.evaluate(shown) < every
    tab.fill("input[name=text]", "")
    tab.select_option("select[name=family]", "Gambling")
    assert tab.evaluate(shown) == list(FAMILIES.values()).count("Gambling") > 4
    assert tab.evaluate("document.querySelectorAll('.claims tbody:not([hidden])').length") == 1


@pytest.fixture(scope="module")
def open_tab(open_page):
    """A tab with all folds open, of a few claims and rows: they are alike but for their texts."""
    tab = open_page()
    tab.evaluate(
        "for (const kind of ['article.claim', '.claims tr.claim', '.contents li'])"
        "  document.querySelectorAll(kind).forEach((e, i) => i % 12 ? e.remove() : 0);"
        "document.querySelectorAll('details table').forEach(t => [...t.rows].slice(5).forEach(row => row.remove()));"
        "document.querySelectorAll('details').forEach(d => d.open = true)"
    )
    return tab


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_horizontal_scroll(open_tab, width):
    open_tab.set_viewport_size({"width": width, "height": 900})
    open_tab.wait_for_function(f"innerWidth == {width}")
    assert open_tab.evaluate("document.documentElement.scrollWidth") <= width
    assert open_tab.locator(".explorer canvas").first.bounding_box()["width"] <= width, "plots are drawn anew"


def violations(tab, context=None, **options):
    """What axe finds: rule and the first element of each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    options = {"resultTypes": ["violations"], "rules": {"skip-link": {"enabled": True}}} | options
    found = axe.Axe().run(tab, context=context, options=options).response["violations"]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in found]


def test_accessibility(open_tab):
    open_tab.set_viewport_size({"width": 1280, "height": 900})
    open_tab.evaluate("document.querySelectorAll('.steps > li').forEach((e, i) => i > 1 && e.remove())")  # all alike
    open_tab.evaluate("document.querySelectorAll('.results > div').forEach((e, i) => i > 1 && e.remove())")
    assert violations(open_tab) == []
    open_tab.emulate_media(color_scheme="dark")
    assert violations(open_tab, runOnly=["color-contrast"]) == [], "all that the scheme changes"


def test_negative_control_axe_finds_pale_text(open_tab):
    open_tab.emulate_media(color_scheme="light")
    open_tab.evaluate("document.querySelector('.lede').style.color = '#ccc'")
    assert [rule for rule, _ in violations(open_tab, "header")] == ["color-contrast"]


def test_it_is_complete_without_javascript(open_page):
    tab = open_page(java_script_enabled=False)
    assert tab.locator(".claims tr.claim").count() == tab.locator("article.claim").count() > 30
    assert not tab.locator("#filter").is_visible()
    assert not tab.locator(".sliders").first.is_visible()
    assert "With JavaScript there are 3 sliders here" in " ".join(tab.inner_text("#explore-geometry").split())
    derivation = tab.locator("[aria-labelledby=gate-law] > details").first
    assert not derivation.locator(".formula").first.is_visible()
    derivation.locator("summary").click()
    assert derivation.locator(".formula").first.is_visible()
