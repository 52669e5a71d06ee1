"""Every link within the built site leads to a page and a place that are there, and every picture is there."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["broken_links", "setup"]


def setup(app: Any) -> dict[str, bool]:
    """Warn of what is broken when the site is built; with ``-W`` that fails the build."""
    app.connect("build-finished", _warn)
    return {"parallel_read_safe": True}


def _warn(app: Any, error: Exception | None) -> None:
    from sphinx.util import logging

    if error is None and app.builder.format == "html":
        for found in broken_links(Path(app.outdir)):
            logging.getLogger(__name__).warning(found)


class _Page(HTMLParser):
    """The places of a page, and where it points to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.targets.append(value)


def broken_links(site: Path) -> Iterator[str]:
    """Yield one line for each link or picture of a built site that leads nowhere in it; other sites are not asked."""
    site = site.resolve()
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for target in dict.fromkeys(page.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            goal = goal / "index.html" if goal.is_dir() else goal
            name = path.relative_to(site).as_posix()
            if not goal.exists():
                yield f"{name} points to {target}, which is not there"
            elif parts.fragment and goal in pages and unquote(parts.fragment) not in pages[goal].places:
                yield f"{name} points to {target}, where there is no such place"
