"""Prices of the control plane, put into force: read beside the loop, swapped with all else that was changed."""

from __future__ import annotations

from typing import Any

from sidecar.core.control import Control, PriceOverride
from sidecar.plane.plane import ControlPlane
from sidecar.pricing import Pricing
from sidecar.pricing.held import compiled
from sidecar.pricing.overrides import NONE, Overrides


class HeldPrices:
    """To be made before the plane is opened."""

    def __init__(self, plane: ControlPlane, pricing: Pricing, log: Any) -> None:
        self._pricing = pricing
        self._log = log
        self._ready: tuple[tuple[PriceOverride, ...], Overrides] = (), NONE
        plane.prepare(self._prepare)
        plane.follow(self._follow)

    def _prepare(self, control: Control) -> None:
        """In the plane's thread. A row that somebody has spoilt by hand prices nothing, and is told of."""
        if control.prices == self._ready[0]:
            return
        read, unreadable = compiled(control.prices)
        self._ready = control.prices, read
        for price_id in unreadable:
            self._log.error("price_unreadable", price_id=price_id, effect="it prices nothing")

    def _follow(self, _old: Control, new: Control) -> None:
        prices, read = self._ready
        if prices == new.prices and read is not self._pricing.held:
            self._pricing.use_held(read)
