"""Exact money: integer picodollars (1e-12 USD), rounded half-even once per meter. USD only."""

from decimal import Decimal

PICODOLLARS_PER_USD = 10**12
MILLION = 10**6


def cost_picodollars(quantity: int, price_per_million_picodollars: int) -> int:
    """Price of `quantity` units, half-even to the picodollar."""
    return divide_half_even(quantity * price_per_million_picodollars, MILLION)


def divide_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded half to even; `denominator` > 0."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def from_usd(amount: Decimal) -> int:
    """USD -> picodollars, half-even."""
    return int((amount * PICODOLLARS_PER_USD).to_integral_value(rounding="ROUND_HALF_EVEN"))


def to_usd(picodollars: int) -> Decimal:
    """Picodollars -> USD, exact, always twelve decimals."""
    return Decimal(picodollars).scaleb(-12)


def usd_text(picodollars: int) -> str:
    """Exact decimal dollars for people: no exponent, no needless zeros ("0.0015", "0")."""
    text = f"{to_usd(picodollars):.12f}".rstrip("0").rstrip(".")
    return text if text not in ("", "-0") else "0"
