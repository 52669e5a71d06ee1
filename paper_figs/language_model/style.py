"""What the figures of a language model share: a method's style, and how tasks and what learns are called."""

from __future__ import annotations

from dataclasses import replace

from paper_figs.style import MethodStyle, method_style

__all__ = ["LEARNS", "language_model_style", "task_name"]

LEARNS = {
    ("all", False): "all parameters",
    ("last-15", False): "last 15 blocks",
    ("last-15", True): "15 blocks, trunk reused",
    ("last-6", False): "last 6 blocks",
    ("last-6", True): "6 blocks, trunk reused",
    ("lora-8", False): "LoRA of rank 8",
}
"""What learns, and whether the hidden states of sampling are used again, in words."""
_OWN = {
    "zero-price rows": "zero price",
    "row gate(12.5 %, abs-advantage)": "row gate",
}


def language_model_style(label: str) -> MethodStyle:
    """Return the style of a label of the tables; gates of other studies have a grey of their own level."""
    if label == "row gate(25 %, abs-advantage)":  # its usual colour is too near that of zero price
        return replace(method_style("abs-advantage"), colour="#bf8000")
    if label in _OWN:
        return method_style(_OWN[label])
    if label in ("PG", "DG", "token gate(3 %)"):
        return method_style(label.partition("(")[0])
    markers = {"row": "P", "token": "X", "group": "D", "zero-price": "^"}
    return replace(MethodStyle("0.45", "o"), marker=markers.get(label.split()[0], "o"))


def task_name(task: str) -> str:
    """Return a task as figures write it."""
    kind, _, size = task.rpartition("-")
    return f"{kind} of {size} words" if kind == "reversal" else task
