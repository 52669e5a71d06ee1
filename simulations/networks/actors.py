"""Who draws what a learner is trained on: older copies of it, broken actors, and rewards paid by mistake."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Copies", "Setting"]

Network = TypeVar("Network")
_COPIES = 20


@dataclass(frozen=True)
class Setting:
    """Where the actions come from: updates by which actors are late, share of random ones, probability of false pay.

    Raises
    ------
    ValueError
        If the delay is negative or not whole, or a share is not in [0, 1].
    """

    delay: int = 0
    random: float = 0.0
    corruption: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.delay, int) or self.delay < 0:
            raise ValueError(f"delay must be a whole number of updates, at least 0, got {self.delay!r}")
        for name in ("random", "corruption"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)!r}")

    @property
    def off_policy(self) -> bool:
        """Whether anybody but the learner acts."""
        return self.delay > 0 or self.random > 0

    def __str__(self) -> str:
        return f"delay {self.delay}, random {100 * self.random:g} %, false pay {100 * self.corruption:g} %"


class Copies(Generic[Network]):
    """Copies of a network along training, of which the one that acts is ``delay`` updates old.

    It is up to a twentieth of the delay older, so that few are kept, and the initial one until there are older ones.

    Parameters
    ----------
    delay : int
        At least 1.
    copy : callable
        Returns a copy of the network as it is, which nobody changes.

    Attributes
    ----------
    kept : deque of (int, Network)
        Updates at which a copy was made, ascending, and the copies; the first one acts.
    """

    def __init__(self, delay: int, copy: Callable[[], Network]) -> None:
        self.delay, self._copy = delay, copy
        self.kept: deque[tuple[int, Network]] = deque()

    def acting(self, now: int) -> Network:
        """Return the copy that acts at an update, once at each; the learner is copied when it is time to."""
        if now % max(1, self.delay // _COPIES) == 0:
            self.kept.append((now, self._copy()))
        while len(self.kept) > 1 and self.kept[1][0] <= now - self.delay:
            self.kept.popleft()
        return self.kept[0][1]
