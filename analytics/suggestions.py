"""What would have cost less, told from the ledger, each with the arithmetic that a person can check.

None of them knows how good an answer is, and none is carried out by itself. What has no price, or costs nothing, is
never said to be saved on.
"""

from __future__ import annotations

from analytics.answering import Source
from analytics.cheaper import cheaper_models
from analytics.period import Period
from analytics.question import Filters
from analytics.savings import Suggestion, read
from analytics.spared import cacheable, dead_fallbacks

__all__ = ["KINDS", "MEANS", "Suggestion", "suggestions"]

KINDS = {
    "cheaper_model": "The same tokens at the prices of another model that the alias uses too.",
    "cacheable": "Long prompts that could be read from the provider's cache: what that saves at most.",
    "dead_fallback": "A target that is tried in vain: it never, or nearly never, answers.",
}
MEANS = {
    "saves_usd": "What the calls of this period would have cost less, by the arithmetic beside it.",
    "saves_30d_usd": "The same for 30 days that go on like this period.",
    "confidence": "high: a matter of record. medium: exact sums, of another model. low: a bound, or little to go by.",
    "unknown": "What the ledger cannot know. Read it before you change anything.",
}


def suggestions(source: Source, span: Period, filters: Filters | None = None) -> list[Suggestion]:
    """Those that save most first.

    Filters: those that attempts, costs and fallbacks all know (analytics.facts.NARROWED_BY). Raises BadQuestion."""
    books = read(source, span, filters)
    if books is None:
        return []
    found = [*cheaper_models(books), *cacheable(books), *dead_fallbacks(books)]
    return sorted(found, key=lambda each: (-each.saves_usd, each.kind, each.title))
