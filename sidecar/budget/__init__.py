"""What workspaces, keys, aliases and callers may use in a window of time: held before a call, settled after it."""

from sidecar.budget.alerts import Alert
from sidecar.budget.budgets import Budgets
from sidecar.budget.charges import Amounts, Charge, Charges, charges, counted, counted_at_ns, fold
from sidecar.budget.hold import NOTHING, Bound, BudgetUnknown, Hold, OverBudget, Who
from sidecar.budget.purse import WindowState
from sidecar.budget.room import MIN_OUTPUT_TOKENS
from sidecar.budget.status import Measure, Status
from sidecar.budget.windows import is_zone, window_at

__all__ = (
    "MIN_OUTPUT_TOKENS",
    "NOTHING",
    "Alert",
    "Amounts",
    "Bound",
    "BudgetUnknown",
    "Budgets",
    "Charge",
    "Charges",
    "Hold",
    "Measure",
    "OverBudget",
    "Status",
    "Who",
    "WindowState",
    "charges",
    "counted",
    "counted_at_ns",
    "fold",
    "is_zone",
    "window_at",
)
