"""What ``make docs`` checks of the built site: that it finds a link, a place and a picture that are not there."""

import runpy
from pathlib import Path

EXTENSION = Path(__file__).parents[1] / "docs" / "_extensions" / "built_links.py"


def test_broken_links_are_found_and_others_are_not(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a b.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(
        "<a href='inner/page.html#here'></a> <a href='inner/'></a> <a href='#gone'></a> <img src='a%20b.png'>"
        "<img src='c.png'> <a href='https://arxiv.org/x'></a> <img src='data:,'>",
        encoding="utf-8",
    )
    (tmp_path / "inner" / "index.html").write_text("<a href='../gone.html'></a>", encoding="utf-8")
    (tmp_path / "inner" / "page.html").write_text(
        "<p id='here'></p><a href='../index.html'></a><a href='page.html#there'></a>", encoding="utf-8"
    )
    assert list(runpy.run_path(str(EXTENSION))["broken_links"](tmp_path)) == [
        "index.html points to #gone, where there is no such place",
        "index.html points to c.png, which is not there",
        "inner/index.html points to ../gone.html, which is not there",
        "inner/page.html points to page.html#there, where there is no such place",
    ]
