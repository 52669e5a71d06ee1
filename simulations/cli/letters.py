"""Text in ASCII, for a terminal or a file whose encoding lacks our signs."""

from __future__ import annotations

import unicodedata

__all__ = ["in_plain_letters"]

_PLAIN = {
    "–": "-",
    "—": "-",
    "−": "-",
    "‑": "-",
    "…": "...",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "×": "x",
    "·": "*",
    "→": "->",
    "∞": "inf",
    "∇": "grad ",
    "√": "sqrt",
    "Σ": "sum ",
    "⟨": "<",
    "⟩": ">",
    "§": "Sec. ",
    "∘": " o ",
    "∈": " in ",
    "≪": "<<",
    "∝": "~",
    "⁄": "/",
    "′": "'",
    "″": "''",
    "°": " deg",
    "∎": "QED",
    "█": "#",
    "∫": "int",
    "⊥": "perp",
    "∥": "par",
    "‖": "||",
    "∂": "d",
    "±": "+-",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "•": "*",
    "✓": "ok",
    "✗": "x",
}


def in_plain_letters(text: str) -> str:
    """Return text in ASCII: Greek letters by name, boxes as ``+-|``, powers as ``^2``, the rest as ``?``."""
    parts, above = [], False
    for character in text:
        raised = unicodedata.decomposition(character).startswith("<super>") and character not in "ªº"
        parts.append("^" if raised and not above else "")
        parts.append(character if character.isascii() else _plain(character))
        above = raised
    return "".join(parts)


def _plain(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        across, along = "HORIZONTAL" in name, "VERTICAL" in name
        return "+" if across == along else "-" if across else "|"
    if name.startswith(("GREEK SMALL LETTER", "GREEK CAPITAL LETTER")):
        letter = name.split()[3].replace("LAMDA", "LAMBDA")  # as Unicode spells it
        return letter.lower() if "SMALL" in name else letter.capitalize()
    if unicodedata.combining(character):
        return ""
    simpler = unicodedata.normalize("NFKD", character)
    if simpler == character:
        return "?"
    return "".join(part if part.isascii() else _plain(part) for part in simpler)
