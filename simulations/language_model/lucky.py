"""Answers to a few problems at the pretrained policy, token by token: what delight is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import torch

from kondo_theory.advantage import group_advantage
from simulations.devices import resolve, single_thread
from simulations.language_model.config import LanguageModelConfig
from simulations.language_model.experiment import extra_versions, require_model
from simulations.language_model.tasks import problems
from simulations.language_model.training import LanguageModelRun
from simulations.language_model.weights import load_directory, name_of
from simulations.resuming.checkpoints import measured_in_turn
from simulations.resuming.parts import Measurement

__all__ = ["KIND", "SIZES", "Size", "measure", "write_table"]

KIND = "language-model-answers"


@dataclass(frozen=True)
class Size:
    """What a preset draws: tasks, and batches of each, those that seed 0 of a training begins with."""

    tasks: tuple[str, ...]
    batches: int


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "smoke": Size(("reversal-3",), 1),
        "quick": Size(("reversal-3", "spelling"), 1),
        "paper": Size(("reversal-3", "spelling"), 4),
    }
)


def measure(
    task: str, batches: int, device: torch.device, directory: Path | None = None, model: Any = None
) -> pd.DataFrame:
    """Draw answers, and return one row a token.

    Parameters
    ----------
    task : str
    batches : int
    device : torch.device
    directory : Path, optional
        Of the model; by default the verified weights.
    model : tuple, optional
        A model and its tokenizer, loaded already.

    Returns
    -------
    DataFrame
        task; batch, answer (8 to a prompt, side by side) and place, from 0; question, the prompt's last lines; token,
        as text; log_prob, nats; reward and advantage of the whole answer.
    """
    config, rows = LanguageModelConfig("pg", task=task, trainable="all"), []  # nothing is trained
    with single_thread():
        run = LanguageModelRun(config, device, *(model or load_directory(directory)))
        for batch in range(batches):
            asked = list(problems(task, run.task, config.prompts, run.seeds["problems"], batch))
            drawn, reward = run.draw(asked, config.answers)
            advantage, _ = group_advantage(reward, config.answers)
            assert drawn.answers.log_prob is not None
            for answer, mine in enumerate(drawn.answers.answered):
                tokens = run.tokenizer.batch_decode([[each] for each in drawn.answers.tokens[answer, mine].tolist()])
                question = "\n".join(asked[answer // config.answers].prompt.splitlines()[-2:])
                whole = {"reward": float(reward[answer]), "advantage": float(advantage[answer])}
                for place, (token, log_prob) in enumerate(
                    zip(tokens, drawn.answers.log_prob[answer, mine].tolist(), strict=True)
                ):
                    rows.append(
                        {"task": task, "batch": batch, "answer": answer, "place": place, "question": question}
                        | {"token": token, "log_prob": log_prob, **whole}
                    )
    return pd.DataFrame(rows)


def write_table(
    preset: str,
    out: Path,
    *,
    model: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Callable[[str], None] = print,
) -> Path:
    """Draw the answers of a preset and write the table.

    Raises
    ------
    ValueError, ReportedError
        If the device is not known or absent, the table cannot be written, or the model cannot be had.
    """
    size, resolved = SIZES[preset], resolve(device)
    config: dict[str, Any] = {"preset": preset, "model": name_of(model), "size": asdict(size)}
    measurement = Measurement(out, KIND, config, measure, resolved, overwrite, command)
    if measurement.is_finished():
        return out
    require_model(model)
    jobs = [(task, task, partial(measure, task, size.batches, resolved, model)) for task in size.tasks]
    with measurement.in_parts() as parts:
        frame = measured_in_turn(jobs, parts.checkpoints, progress)
        return parts.write(frame, versions_of_the_extra=extra_versions())
