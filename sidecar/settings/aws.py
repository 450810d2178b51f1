"""AWS's own variables, for the accounts at Bedrock that something else speaks of.

A machine has access keys for many reasons; they alone must not turn into calls that cost money. A Bedrock API key
(AWS_BEARER_TOKEN_BEDROCK) has that one use, and is a vendor's key like others.
docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

from __future__ import annotations

import re

from sidecar.settings.drafts import Draft, Drafts
from sidecar.settings.sources import Sources, Value

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_TOKEN_VARIABLE = "AWS_SESSION_TOKEN"  # noqa: S105  # a variable's name
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")


def region(raw: object) -> str:
    text = str(raw).strip()
    if not _REGION.fullmatch(text):
        raise ValueError("the value is no AWS region (like us-east-1)")
    return text


def fill(drafts: Drafts, sources: Sources) -> None:
    """Key, region and base URL that these drafts lack."""
    for draft in drafts:
        if draft.row.region_url and (draft.configured or draft.asked_for):
            _fill(draft, sources)


def _fill(draft: Draft, sources: Sources) -> None:
    parts = [value for name in _KEY_VARIABLES if (value := sources.get(name)) is not None]
    if len(parts) == len(_KEY_VARIABLES) and "key" not in draft.values:
        token = sources.get(_TOKEN_VARIABLE)
        draft.offer(
            "key", Value(":".join(part.text for part in (*parts, *([token] if token else []))), parts[0].origin)
        )
    for name in REGION_VARIABLES:
        draft.offer("region", sources.get(name))
    if (found := draft.values.get("region")) is not None:
        china = ".cn" if found.text.startswith("cn-") else ""
        draft.offer("url", Value(draft.row.region_url.format(region=found.text) + china, found.origin))
