"""Study ``gambling``: half of the prompts are easy and pay a noisy reward, and some gates are taken in.

Five of ten prompts are all zeros. Their answers' rewards have noise of σ = 0, 0.4 or 1, which says nothing of the
answer; a control has σ = 0.4 on all prompts. Errors are those on prompts drawn as ever, *clean* here, and apart on
the zero prompt. A gate is taken in if the clean prompts get a tenth, or less, of the drift that they get without
noise. H = 6 and 300 updates, not the protocol's 10 and 1,000: the machine had 13 core minutes left for it.

What is predicted, before it was run; of runs without noise, at H = 10, the rows by |advantage| of one seed had been
seen. By :func:`kondo_theory.gambling.first_batches.first_batch`, of the first policy, where delight ranks as
advantage does:

==========================  =======================  =========================  ==============
gate                        noisy share, σ = .4, 1   clean drift, σ = .4, 1     taken in from
==========================  =======================  =========================  ==============
PG, zero price, DG          .50, .50                 1, 1                       no noise
30 % of the tokens          .61, .71                 .93, .84                   no noise
25 % of the rows            .66, .80                 .88, .70                   28
25 % by abs-advantage       .85, 1.00                .48, .00                   0.70
3 % of the rows             1.00, 1.00               .00, .00                   0.28
==========================  =======================  =========================  ==============

1. By |advantage| nothing changes as the zero prompt is learnt: it takes .75 or more of the kept tokens of the whole
   training at σ = .4, .99 or more at 1, and there the clean error stays at .4 or above.
2. By delight at 25 % it takes less than by |advantage| at .4, by .05 or more, for learnt answers bid little; at 1 the
   clean error ends at least .05 below that by |advantage|.
3. At 3 % delight is taken in while the zero prompt is not learnt, and its noise keeps it from being learnt:
   independent tokens have their rest near the error .2 at σ = .4. The clean error stays at .4 or above at σ = 1, at
   .3 or above at .4, and nine tenths of what is kept at σ = 1 answers zeros.
4. DG is not taken in on clean prompts, but rests on the noisy ones at odds e^{−2ηΔ/σ²}, Δ = 1/H: a zero error of .11
   at σ = .4 (.03 to .2 are allowed, for the network is shared), .42 at 1 (.3 or more). PG and zero price end at .05
   or below at .4.
5. PG, DG, zero price and 30 % of the tokens learn the clean prompts at .4: they end no more than .15 above their own
   error without noise, for a seed may leave a plateau a little later.
6. Noise on all prompts takes no budget: zero prompts get .4 to .6 of what |advantage| keeps. "PG and DG degrade
   together" is not predicted: DG has the rest of 4 on the clean prompts too, at .03 to .25, PG none.

Plan: 24 cells × 2 seeds × 300 updates at 15 ms, and evaluations, 9 core minutes in all. Left out for lack of time:
H = 10, σ = 0.1 and 3, equal noise of 1, more than two seeds, 1,000 updates, rows by |advantage| at 3 %.
"""

from __future__ import annotations

from dataclasses import replace

from simulations.reversal.config import ReversalConfig
from simulations.reversal.gambles.payment import Payment
from simulations.reversal.readings.gambling import EQUAL, LENGTH, ZERO_PROMPTS

__all__ = ["CELLS", "UPDATES"]

UPDATES = {"smoke": 50, "quick": 300, "paper": 10_000}
"""By preset."""

_PG, _DG, _ZERO_PRICE = ReversalConfig("pg"), ReversalConfig("dg"), ReversalConfig("token-gate", price=0.0)
_TOKENS = ReversalConfig("token-gate", rate=0.3)
_ROWS, _FEW_ROWS = ReversalConfig("row-gate", rate=0.25), ReversalConfig("row-gate", rate=0.03)
_BY_SIZE = replace(_ROWS, rule="abs-advantage")


def _cell(method: ReversalConfig, zero_noise: float, noise: float = 0.0) -> ReversalConfig:
    return replace(method, length=LENGTH, payment=Payment(ZERO_PROMPTS, zero_noise, noise))


CELLS = (
    _cell(_PG, 0.0),
    *(_cell(method, noise) for noise in (0.0, 1.0) for method in (_BY_SIZE, _ROWS, _FEW_ROWS)),
    *(_cell(_DG, noise) for noise in (0.0, 0.4, 1.0)),
    *(_cell(method, 0.4) for method in (_BY_SIZE, _FEW_ROWS, _ROWS)),
    _cell(_PG, 0.4),
    *(_cell(_ZERO_PRICE, noise) for noise in (0.0, 0.4)),
    *(_cell(method, 0.0, EQUAL) for method in (_DG, _BY_SIZE)),
    *(_cell(_TOKENS, noise) for noise in (0.0, 0.4)),
    _cell(_PG, 0.0, EQUAL),
    *(_cell(method, 1.0) for method in (_ZERO_PRICE, _PG, _TOKENS)),
)
"""Every method at every noise of the zero prompts, and three where all prompts are as noisy; in order of what is
to be decided, for the time may end."""
