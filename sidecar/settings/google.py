"""Google Cloud's own variables, for the accounts at Vertex AI that something else speaks of.

A machine at Google has a project for many reasons: that alone makes no account. Project and location make the base URL:
docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations. The variables are those of Google's own
client: github.com/googleapis/python-genai (README, "Create a client").
"""

from __future__ import annotations

import re

from sidecar.settings.drafts import Draft, Drafts
from sidecar.settings.sources import Sources, Value

VARIABLES = {"project": "GOOGLE_CLOUD_PROJECT", "location": "GOOGLE_CLOUD_LOCATION"}
GLOBAL = "global"
_MULTI_REGIONS = ("us", "eu")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}")
_LOCATION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)*")
_ADDRESS = "vertex"
"""The option `address` of rows that are addressed so."""


def project(raw: object) -> str:
    text = str(raw).strip()
    if not _PROJECT.fullmatch(text):
        raise ValueError("the value is no project of Google Cloud (its id or number)")
    return text


def location(raw: object) -> str:
    text = str(raw).strip()
    if not _LOCATION.fullmatch(text):
        raise ValueError("the value is no location of Google Cloud (like europe-west4, eu or global)")
    return text


def fill(drafts: Drafts, sources: Sources) -> None:
    """Project, location and base URL that these drafts lack."""
    for draft in drafts:
        if draft.row.options.get("address") == _ADDRESS and (draft.configured or draft.asked_for):
            _fill(draft, sources)


def _fill(draft: Draft, sources: Sources) -> None:
    for name, variable in VARIABLES.items():
        draft.offer(name, sources.get(variable))
    in_project, at = draft.values.get("project"), draft.values.get("location")
    told = at or in_project
    if told is None:
        return  # express mode, where a key knows its project: no other address is documented
    place = at.text if at else GLOBAL
    given = draft.values.get("url") or Value(_host(place), told.origin)
    if in_project and "/projects/" not in given.text:
        given = Value(f"{given.text.rstrip('/')}/projects/{in_project.text}/locations/{place}", given.origin)
    draft.values["url"] = given


def _host(place: str) -> str:
    if place in _MULTI_REGIONS:
        return f"https://aiplatform.{place}.rep.googleapis.com/v1"
    return f"https://{'' if place == GLOBAL else f'{place}-'}aiplatform.googleapis.com/v1"
