"""The page in headless Chromium, the system's own; where there is none these tests skip and say so."""

import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser tests")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: no browser tests")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: no browser tests")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, path):
    """A function that opens the page; what it said and asked for is noted on the way."""
    contexts, said, asked = [], [], []

    def open_page(width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert said == [], "the console is silent"
    assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}, "and nothing else is asked for"


def test_pictures_load_and_links_lead_somewhere(opened):
    tab = opened()
    assert tab.evaluate("[...document.images].map(i => i.naturalWidth > 0)") == [True, True]
    tab.click(".contents a[href='#token-trap']")
    tab.wait_for_timeout(1_500)  # the page scrolls smoothly
    top = tab.evaluate("document.getElementById('token-trap').getBoundingClientRect().top")
    assert 0 <= top < 900


def test_the_filter(opened):
    tab = opened()
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
    assert tab.evaluate(shown) == 5
    assert tab.evaluate("document.querySelectorAll('.claims tbody:not([hidden])').length") == 1


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_no_horizontal_scroll(opened, width):
    tab = opened(width)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_complete_without_javascript(opened):
    tab = opened(java_script_enabled=False)
    assert tab.locator(".claims tr.claim").count() == tab.locator("article.claim").count() > 30
    assert not tab.locator("#filter").is_visible()
    derivation = tab.locator("[aria-labelledby=gate-law] > details").first
    assert not derivation.locator(".formula").first.is_visible()
    derivation.locator("summary").click()
    assert derivation.locator(".formula").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(opened, scheme):
    tab = opened(color_scheme=scheme)
    # Claims are alike but for their texts: a few of them stand for all, and folds are open.
    tab.evaluate(
        "document.querySelectorAll('article.claim').forEach((a, i) => i % 10 ? a.remove() : 0);"
        "document.querySelectorAll('details').forEach(d => d.open = true)"
    )
    tab.wait_for_timeout(100)
    options = {"resultTypes": ["violations"], "rules": {"skip-link": {"enabled": True}}}
    found = axe.Axe().run(tab, options=options).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


def test_negative_control_axe_finds_pale_text(opened):
    tab = opened()
    tab.evaluate("document.querySelector('.page').remove()")
    tab.evaluate("document.querySelector('.lede').style.color = '#ccc'")
    found = axe.Axe().run(tab, context="header", options={"resultTypes": ["violations"]}).response["violations"]
    assert [each["id"] for each in found] == ["color-contrast"]
