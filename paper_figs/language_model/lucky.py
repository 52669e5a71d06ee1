"""Answers of the pretrained language model as coloured tokens, drawn from the committed table."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.panels import caption, finding, panels
from paper_figs.tables import language_model
from paper_figs.wording import number, percent
from simulations.errors import InputError

__all__ = ["language_model_lucky_answer"]

_MOST_ANSWERS = 8
_GAP = 5.0
"""Points between tokens."""
_COLOURS = mpl.colormaps["RdBu_r"]


def language_model_lucky_answer(task: str = "reversal-3") -> Figure:
    """Draw the answers to one prompt, each token coloured by its delight; the prompt with the luckiest answer."""
    table = language_model("answers").frame
    frame = table[table["task"] == task]
    if frame.empty:
        raise InputError(f"task must be one of {', '.join(sorted(set(table['task'])))}, got {task!r}")
    frame = frame.assign(delight=-frame["advantage"] * frame["log_prob"])
    whole = frame.groupby(["batch", "answer"], as_index=False)["delight"].sum()
    batch, answer = whole.loc[whole["delight"].argmax(), ["batch", "answer"]].astype(int)
    group = frame[(frame["batch"] == batch) & (frame["answer"] // _MOST_ANSWERS == answer // _MOST_ANSWERS)]
    figure, (ax,) = panels(1, height=2.2)
    _write(ax, group)
    mine = group[group["answer"] == answer]
    top = mine.iloc[int(mine["delight"].argmax())]
    share = float(top["delight"] / mine["delight"].sum())
    chance = number(float(np.exp(top["log_prob"])))
    finding(ax, f"{percent(share)} of the luckiest answer's delight is that of {_plain(top['token'])!r}, which had "
                f"probability {chance}")  # fmt: skip
    question = " ".join(str(mine["question"].iloc[0]).split())
    caption(f"""Below each other: eight answers of SmolLM2-135M-Instruct to “{question}”, drawn at temperature 1
        before any training, seed 0, with their rewards. Each token is coloured by its delight, advantage times
        surprisal: red is positive, and would be made likelier, blue is negative. A gate on tokens by delight keeps
        the reddest.""")
    return figure


def _write(ax: Axes, group: pd.DataFrame) -> None:
    """Write each answer on a line, its tokens side by side in boxes."""
    most = float(group["delight"].abs().max()) or 1.0
    pixels = ax.figure.dpi / 72  # a point
    renderer = ax.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    rewards = group.groupby("answer")["reward"].first().sort_values(ascending=False, kind="stable")
    ax.set(xlim=(0, 1), ylim=(-len(rewards) + 0.4, 0.6), yticks=[-line for line in range(len(rewards))], xticks=[])
    ax.set_yticklabels([f"{reward:.2f}" for reward in rewards])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_ylabel("reward")
    for line, answer in enumerate(rewards.index):
        tokens = group[group["answer"] == answer].sort_values("place")
        right = 0.0
        for token, delight in zip(tokens["token"], tokens["delight"], strict=True):
            colour = _COLOURS(0.5 + 0.35 * float(np.sign(delight) * np.sqrt(abs(delight) / most)))
            box = {"boxstyle": "square,pad=0.2", "facecolor": colour, "edgecolor": "0.7", "linewidth": 0.3}
            place: dict[str, Any] = {
                "xytext": (right + _GAP, 0),
                "textcoords": "offset points",
                "va": "center",
                "bbox": box,
            }
            text = ax.annotate(_plain(token), (0, -line), **place)
            right += _GAP + text.get_window_extent(renderer).width / pixels
    ax.plot([0], [0], alpha=0)  # the panel has text alone


def _plain(token: str) -> str:
    """Return a token as it can be written: its spaces and line breaks seen, what is not ASCII a question mark."""
    seen = token.replace("\n", "⏎").replace("$", r"\$").strip(" ")
    return "".join(each if each.isascii() or each == "⏎" else "?" for each in seen) or "␣"
