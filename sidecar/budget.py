"""Budgets: reserve before a call, settle after it. Limits come with the control plane; until then all may pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sidecar.core.call import Call, CallRecord, Target


@dataclass(frozen=True, slots=True)
class Hold:
    """What a call has reserved until it is settled."""

    bound_picodollars: int = 0


class Budgets(Protocol):
    """Loop-atomic: check and hold are one step."""

    def reserve(self, call: Call, targets: Sequence[Target]) -> Hold:
        """Holds the bound of the dearest target. Raises Refusal BUDGET_EXCEEDED."""
        ...

    def settle(self, hold: Hold, record: CallRecord) -> None:
        """On every exit: what was held becomes what was spent."""
        ...


class PassThrough:
    """No limits: nothing is held."""

    _NOTHING = Hold()

    def reserve(self, call: Call, targets: Sequence[Target]) -> Hold:  # noqa: ARG002  # the port's shape
        return self._NOTHING

    def settle(self, hold: Hold, record: CallRecord) -> None:
        pass
