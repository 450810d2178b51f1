"""Usage -> cost: dated rates, exact money, provenance. Offline, always."""

from sidecar.pricing.book import Pricing
from sidecar.pricing.card import RateCard
from sidecar.pricing.overrides import Overrides, PriceFileError

__all__ = ("Overrides", "PriceFileError", "Pricing", "RateCard")
