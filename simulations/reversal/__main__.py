"""One run of token reversal over ranks: ``torchrun --nproc-per-node 4 -m simulations.reversal --out FILE``."""

from __future__ import annotations

from pathlib import Path

import click

from simulations.ranks.command import main, rank_options, typed
from simulations.reversal.config import METHODS, RULES

_MODULE = "simulations.reversal"


@click.command()
@click.option("--method", type=click.Choice(list(METHODS)), default="row-gate", show_default=True)
@click.option("--rate", type=float, help="Of a gate, in (0, 1]; 0.03 if neither rate nor price is given.")
@click.option("--price", type=float, help="Of a gate.")
@click.option("--temperature", type=float, help="Of a gate at a price, and of dg.")
@click.option("--rule", type=click.Choice(list(RULES)), default="delight", show_default=True)
@click.option("--length", type=int, default=10, show_default=True, help="Tokens of a prompt.")
@click.option("--vocab-size", type=int, default=2, show_default=True)
@click.option("--prompts", type=int, default=10, show_default=True, help="Prompts a batch, of all ranks.")
@click.option("--answers", type=int, default=10, show_default=True, help="Answers to each prompt.")
@click.option("--eval-prompts", type=int, default=1000, show_default=True)
@click.option("--learning-rate", type=float, default=3e-4, show_default=True)
@rank_options
def reversal(
    *,
    dtype: str,
    shard: bool,
    device: str,
    out: Path,
    overwrite: bool,
    checkpoint_seconds: float,
    timeout: float,
    **settings: object,
) -> None:
    """Train one policy on token reversal over the ranks that torchrun starts, and write its learning curve."""
    import torch

    from simulations.devices import resolve
    from simulations.errors import InputError
    from simulations.ranks.running import RankPlan, carry_out
    from simulations.results.tables import table_path
    from simulations.resuming.fingerprint import code_version
    from simulations.resuming.runs import records
    from simulations.reversal.config import GATED, ReversalConfig
    from simulations.reversal.over_ranks import RankedReversal
    from simulations.reversal.training import KIND, tidy

    if settings["method"] in GATED and settings["rate"] is None and settings["price"] is None:
        settings["rate"] = 0.03
    try:
        config = ReversalConfig(**settings)  # type: ignore[arg-type]
        where, table = resolve(device), table_path(out, "")
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from error
    plan = RankPlan(
        kind=KIND,
        config={"runs": records([config]), "dtype": dtype},
        updates=config.updates,
        eval_every=config.eval_every,
        device=where,
        dtype=getattr(torch, dtype),
        shard=shard,
        out=table,
        overwrite=overwrite,
        checkpoint_seconds=checkpoint_seconds,
        timeout=timeout,
        code=code_version(RankedReversal.restore),
        command=typed(_MODULE),
    )
    carry_out(plan, lambda place: RankedReversal(config, place), lambda curve: tidy([config], [curve]))


if __name__ == "__main__":
    main(reversal, _MODULE)
