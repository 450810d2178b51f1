"""What each figure means: shown wherever it is shown."""

from __future__ import annotations

CALLS = (
    "Requests that a service made to Taximeter in the period and that are over, however they ended. "
    "A call that needed three attempts is one call."
)
TOKENS = (
    "Input and output tokens of all attempts, as the providers reported them; estimated where they did not. "
    "Input includes cached tokens, output includes reasoning."
)
COST = (
    "US dollars, of every attempt, at the prices of the day of the call. Calls without a known price are not in it: "
    "if there are any, this is a lower bound (≥)."
)
ERROR_RATE = (
    "Share of calls that the caller waited for and got no answer to: failed at all providers, refused, or abandoned. "
    "Calls that the caller cancelled do not count."
)
P50 = "Half of the answered calls took at most this long, from the request's arrival to its last byte."
P95 = "95 of 100 answered calls took at most this long, from the request's arrival to its last byte."
DURATION = "From the request's arrival to its last byte."
TIME_TO_FIRST = "From the request's arrival until the first content went to the caller."
OVERHEAD = "Time spent in Taximeter itself: the duration less waiting for providers and back-off."
FALLBACKS = "Calls that moved on to another provider or model because one failed, was over budget or switched off."
ATTEMPTS = "Requests to this provider, whoever answered the call in the end."
FAILED = "Share of the attempts at this provider that gave no whole answer."
ANSWERED = "Calls that this provider answered."
UNPRICED = "Calls with usage for which no price is known. Their cost is unknown, not zero."
UNPRICED_THERE = "Attempts there with usage for which no price is known. Their cost is unknown, not zero."
"""By provider, model or key."""
ESTIMATED = "Calls whose usage no provider reported, so that it was estimated from their size."
AT_RISK = "What a provider may have billed for attempts that broke before their usage was known; not in the cost."
PREVIOUS = "Small figures compare with the period of the same length before."
METER = "What is counted. Meters do not overlap: input here is the uncached part."
BEFORE = "The dashed line is the whole of the period before, moved to this one."
PER_CALLS = "What a thousand calls cost on average: the cost by the calls, times 1,000. Unpriced calls lower it."
PER_TOKENS = "What a million tokens cost on average, input and output together. Unpriced calls lower it."
COUNTED = {
    "unpriced_calls": UNPRICED,
    "estimated_calls": ESTIMATED,
    "estimated": "Rows of usage that no provider reported.",
    "corrections": "Rows that belong to a month closed before.",
    "roundings": "Rows for what rounding each call adds up to.",
}
"""What a file's manifest counts."""
