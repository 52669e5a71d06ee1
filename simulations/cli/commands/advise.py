"""``kondo advise``."""

from __future__ import annotations

from pathlib import Path

import click

from simulations.cli import options

__all__ = ["advise"]


@click.command(
    epilog=options.examples(
        "kondo advise --vocab 32000 --tokens 512 --group 64 --rate 0.03",
        "kondo advise --vocab 32000 --tokens 512 --group 64 --start-reward 0.3 --backward-cost 2",
    )
)
@click.option("--vocab", type=click.IntRange(min=2), required=True, metavar="M", help="Tokens in the vocabulary.")
@click.option("--tokens", type=click.IntRange(min=1), required=True, metavar="T", help="Tokens an answer.")
@click.option(
    "--group",
    type=click.IntRange(min=2),
    metavar="S",
    help="Answers a prompt, whose mean is the baseline. Default: exact.",
)
@click.option(
    "--rate",
    type=float,
    default=0.03,
    show_default=True,
    metavar="ρ",
    help="Share of the batch to keep.",
)
@click.option(
    "--start-reward", type=float, metavar="p", help="Share of right tokens at the start. Default: 1/M, uniform."
)
@click.option(
    "--backward-cost",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="c",
    help="Of a pass, in forward passes.",
)
@click.option(
    "--screening-cost",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="s",
    help="In forward passes; 0: the sampler's log-probabilities are used again.",
)
@click.option(
    "--prompt-tokens",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="H",
    help="Tokens before the answer.",
)
@options.json_file("Write the advice as JSON")
@options.QUIET
def advise(
    vocab: int,
    tokens: int,
    group: int | None,
    rate: float,
    start_reward: float | None,
    backward_cost: float,
    screening_cost: float,
    prompt_tokens: int,
    json_file: Path | None,
    quiet: bool,
) -> int:
    """Say which gate to put on answers that are rewarded as a whole.

    Does a gate on tokens stall, and at what reward; which gate instead; what a step then costs; and what each of
    these statements rests on. The theory is that of docs/choosing-a-gate.md.
    """
    from kondo_theory.advice import advise as ask
    from simulations.cli.json_files import write_json

    with options.user_input():
        found = ask(
            vocab,
            tokens,
            rate=rate,
            group_size=group,
            start=start_reward,
            backward_cost=backward_cost,
            screening_cost=screening_cost,
            prompt_tokens=prompt_tokens,
        )
    if json_file is not None:
        write_json(found.to_json(), json_file)
    if not quiet:
        click.echo(str(found), err=json_file == options.STANDARD_OUTPUT)
    return 0
