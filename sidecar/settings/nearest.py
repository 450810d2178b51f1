"""Did you mean ...?"""

from collections.abc import Iterable

LONGEST = 256
"""What is longer is no misspelling, and comparing megabytes would hold everybody up."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, or empty if none is."""
    if len(name) > LONGEST:
        return ""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, tuple(known), n=1, cutoff=0.6)), "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'listen'?", or empty."""
    guess = nearest(name, known)
    return f"; did you mean '{guess}'?" if guess else ""
