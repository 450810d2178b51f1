"""How much an account may be asked: requests in flight, requests and tokens a minute."""

from sidecar.limits.bucket import Need
from sidecar.limits.limits import AccountLimits, Blocked, Limits, Rate
from sidecar.limits.use import Permit

__all__ = ("AccountLimits", "Blocked", "Limits", "Need", "Permit", "Rate")
