"""`taximeter budgets alerts`: what budgets alerted of, and whether the webhook took it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.arguments import Exit
from sidecar.commands.context import out, print_json, rows_of
from sidecar.commands.reading import ledger, period
from sidecar.commands.show import count, usd, when
from sidecar.commands.tables import show_table

COLUMNS = ("when", "budget", "workspace", "of", "threshold", "spent", "limit", "call", "webhook")
_SQL = """SELECT * FROM ai_budget_alerts WHERE "at" >= ?::TIMESTAMP AND "at" < ?::TIMESTAMP
ORDER BY "at" DESC, alert_id LIMIT ?"""


def alerts(*, since: str, limit: int, wide: bool, as_json: bool) -> int:
    """The newest first. Returns an exit code."""
    span = period(since)
    with ledger() as source:
        rows = rows_of(source.table(_SQL, [*(f"{at:%Y-%m-%d %H:%M:%S.%f}" for at in (span.start, span.end)), limit]))
    if as_json:
        for each in rows:
            print_json(each)
    elif rows:
        right, whole = ("spent", "limit"), ("when", "threshold")
        show_table(COLUMNS, map(_row, rows), right=right, whole=whole, spare=("call", "workspace"), wide=wide)
    else:
        out.print(f"no alerts between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC")
    return Exit.OK


def _row(alert: Mapping[str, Any]) -> tuple[object, ...]:
    """Its cells, in the order of COLUMNS."""
    of = f"{alert['scope']} {alert['subject']}".rstrip()
    where = (when(alert["at"]), alert["name"], alert["workspace"], of, alert["threshold"])
    return (*where, _amount(alert, "spent"), _amount(alert, "limit"), alert["call_id"], _webhook(alert))


def _amount(alert: Mapping[str, Any], which: str) -> str:
    amount = alert[f"{which}_amount"]
    return usd(amount) if alert["unit"] == "usd" else f"{count(amount)} {alert['unit']}"


def _webhook(alert: Mapping[str, Any]) -> str | None:
    """ "delivered", "waiting (3 tries: http 500)"."""
    state, tries, error = alert["delivery"], alert["delivery_tries"], alert["delivery_error"]
    told = f" ({tries} {'try' if tries == 1 else 'tries'}{': ' + error if error else ''})"
    return (state.replace("_", " ") + (told if error else "")) or None
