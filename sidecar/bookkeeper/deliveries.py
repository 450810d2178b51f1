"""What became of each alert's webhook: in the ledger, so that a restart goes on where it was."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime

from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.webhook import Alert

_COLUMNS = ", ".join(
    {"limit": "limit_amount", "spent": "spent_amount", "at": 'a."at"'}.get(field.name, f"a.{field.name}")
    for field in fields(Alert)
)
_WAITING = f"""
SELECT {_COLUMNS}, coalesce(d.tries, 0), coalesce(d.next_try_at, a."at")
FROM budget_alerts AS a LEFT JOIN alert_deliveries AS d USING (alert_id)
WHERE coalesce(d.state, 'waiting') = 'waiting' ORDER BY a."at", a.alert_id
"""  # noqa: S608 - our own names
_SAVE = """
INSERT INTO alert_deliveries VALUES ($id, $state, $tries, make_timestamp($next_us), make_timestamp($ended_us), $error)
ON CONFLICT DO UPDATE SET state = $state, tries = $tries, next_try_at = make_timestamp($next_us),
ended_at = make_timestamp($ended_us), last_error = $error
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert that nobody has taken yet."""

    alert: Alert
    tries: int
    next_try_ns: int
    """UTC."""

    @property
    def at_ns(self) -> int:
        """When the alert was given, UTC."""
        return _ns(self.alert.at)


class Deliveries:
    """All raise LedgerFault."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def waiting(self) -> list[Waiting]:
        """The oldest first."""
        with self._ledger.reading() as reader:
            rows = reader.execute(_WAITING).fetchall()
        return [Waiting(Alert(*row[:-2]), row[-2], _ns(row[-1])) for row in rows]

    def delivered(self, each: Waiting, at_ns: int) -> None:
        self._save(each, "delivered", each.tries + 1, ended_ns=at_ns)

    def failed(self, each: Waiting, error: str, next_ns: int) -> None:
        self._save(each, "waiting", each.tries + 1, next_ns=next_ns, error=error)

    def given_up(self, each: Waiting, error: str, at_ns: int, tries: int) -> None:
        self._save(each, "given_up", tries, ended_ns=at_ns, error=error)

    def _save(
        self, each: Waiting, state: str, tries: int, *, next_ns: int = 0, ended_ns: int = 0, error: str = ""
    ) -> None:
        values = {
            "id": each.alert.alert_id,
            "state": state,
            "tries": tries,
            "next_us": next_ns // 1000 or None,
            "ended_us": ended_ns // 1000 or None,
            "error": error,
        }
        with self._ledger.transaction() as writer:
            writer.execute(_SAVE, values)


def _ns(at: datetime) -> int:
    since = at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
