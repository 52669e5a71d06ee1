"""Seeds of the cells' random streams."""

from __future__ import annotations

import hashlib
import json

__all__ = ["stream_seed"]


def stream_seed(**config: bool | int | float | str | None) -> int:
    """Return a 63-bit seed for one cell's random streams, from its whole configuration.

    Two cells differ in it even where they share their ``seed``: their errors are independent, and a cell's numbers
    do not depend on the grid that it stands in.
    """
    text = json.dumps(config, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
