"""The gate over the ranks of a process group: each holds a part of the batch, and together they gate it as one.

A step that is given ``ranks=Ranks()``, and a policy in ``DistributedDataParallel`` or sharded by ``fully_shard``,
keeps what one process with the whole batch would, bit for bit, and has its gradient: divided by the global batch,
whatever each rank keeps. All ranks make as many forward and backward passes as the one that has most to make, so that
one that keeps nothing takes part in every collective. What is drawn is drawn for the global batch, on every rank
alike: generators must be in the same state on all of them, and no result depends on their number. Counts of passes
are those of the rank's own, numbers of what was selected those of all.

:class:`Ranks` is the group as the steps use it, :func:`select_over_ranks` the exact selection.
"""

from kondo_theory.training.ranks.group import Ranks, require_joined, without_reduction
from kondo_theory.training.ranks.selection import RankSelection, select_over_ranks

__all__ = ["RankSelection", "Ranks", "require_joined", "select_over_ranks", "without_reduction"]
