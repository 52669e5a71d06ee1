"""One run of the MNIST bandit over ranks: ``torchrun --nproc-per-node 4 -m simulations.mnist --out FILE``."""

from __future__ import annotations

from pathlib import Path

import click

from kondo_theory.screening import SAMPLE_RULES
from simulations.mnist.config import METHODS
from simulations.ranks.command import main, rank_options, typed

_MODULE = "simulations.mnist"


@click.command()
@click.option("--method", type=click.Choice(list(METHODS)), default="dg-k", show_default=True)
@click.option("--rate", type=float, help="Of dg-k and screen, in (0, 1]; 0.03 if not given.")
@click.option("--price", type=float, help="Of gate.")
@click.option("--temperature", type=float, help="Of gate, dg and dg-k.")
@click.option("--rule", type=click.Choice(list(SAMPLE_RULES)), help="Of screen.")
@click.option("--batch-size", type=int, default=100, show_default=True, help="Images a batch, of all ranks.")
@click.option("--learning-rate", type=float, default=1e-3, show_default=True)
@rank_options
def mnist(
    *,
    shard: bool,
    device: str,
    out: Path,
    overwrite: bool,
    checkpoint_seconds: float,
    timeout: float,
    **settings: object,
) -> None:
    """Train one policy on the MNIST bandit over the ranks that torchrun starts, and write its learning curve."""
    import torch

    from simulations.devices import resolve
    from simulations.errors import InputError
    from simulations.mnist.config import MnistConfig, tidy
    from simulations.mnist.images import load_mnist
    from simulations.mnist.over_ranks import RankedMnist
    from simulations.ranks.running import RankPlan, carry_out
    from simulations.results.tables import table_path
    from simulations.resuming.fingerprint import code_version
    from simulations.resuming.runs import records

    if settings["method"] in ("dg-k", "screen") and settings["rate"] is None:
        settings["rate"] = 0.03
    try:
        config = MnistConfig(**settings)  # type: ignore[arg-type]
        where, table = resolve(device), table_path(out, "")
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from error
    plan = RankPlan(
        kind="mnist-learning-curves",
        config={"runs": records([config])},
        updates=config.updates,
        eval_every=config.eval_every,
        device=where,
        dtype=getattr(torch, config.dtype),
        shard=shard,
        out=table,
        overwrite=overwrite,
        checkpoint_seconds=checkpoint_seconds,
        timeout=timeout,
        code=code_version(RankedMnist.restore),
        command=typed(_MODULE),
    )
    data = load_mnist()  # before the ranks wait for each other
    carry_out(plan, lambda place: RankedMnist(config, data, place), lambda curve: tidy([config], [curve]))


if __name__ == "__main__":
    main(mnist, _MODULE)
