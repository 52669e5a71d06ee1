"""Seeds as a user names them: how many, or which."""

from __future__ import annotations

__all__ = ["parse_seeds"]

_MOST_SEEDS = 1_000_000


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of ``5`` (0 to 4), ``3,5`` or ``10-19``.

    Raises
    ------
    ValueError
        If the text is none of these, names no seed or names one twice.
    """
    try:
        if "," not in text and "-" not in text:
            seeds = list(range(min(int(text), _MOST_SEEDS + 1)))
        else:
            seeds = []
            for part in filter(None, text.split(",")):
                first, _, last = part.partition("-")
                low, high = int(first), int(last or first)
                seeds.extend(range(low, min(high, low + _MOST_SEEDS) + 1))
    except ValueError as error:
        raise ValueError(f"seeds must be a number such as 5, or a list such as 3,5 or 10-19, got {text!r}") from error
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds must name at least one seed and none twice, got {text!r}")
    if len(seeds) > _MOST_SEEDS or max(seeds) >= 2**63:
        raise ValueError(f"seeds must be at most {_MOST_SEEDS:,} integers below 2^63, got {text!r}")
    return seeds
