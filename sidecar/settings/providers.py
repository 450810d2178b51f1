"""AI_<NAME>_* and the vendors' own variables -> accounts in the making."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sidecar.settings.built_in import followers
from sidecar.settings.drafts import Draft, Drafts, account_name
from sidecar.settings.limits import LIMIT_VARIABLES
from sidecar.settings.nearest import nearest
from sidecar.settings.rows import MODEL_VARIABLES, URL_VARIABLES, VERSION_VARIABLES, Rows
from sidecar.settings.sources import DOTENV, Problems, Sources, Value

FIELDS = {
    "URL": "url",
    "KEY": "key",
    "SMART": "smart",
    "FAST": "fast",
    "ENABLED": "enabled",
    "WEIGHT": "weight",
    "API_VERSION": "api_version",
    "API": "api",
    "REGION": "region",
    "PROJECT": "project",
    "LOCATION": "location",
    **LIMIT_VARIABLES,
}
TASK_FIELDS = ("PROVIDER", "MODEL", "FALLBACK_PROVIDER", "FALLBACK_MODEL")
TASKS = ("image", "text", "video-slides", "agent", *followers())
GLOBALS = (
    "AI_ENCRYPTION_KEY",
    "AI_ENCRYPTION_KEY_FILE",
    "AI_ENCRYPTION_KEY_PREVIOUS",
    "AI_ROTATION",
    "AI_RETRY_FAILED",
    "AI_MAX_RETRIES",
)

_ACCOUNT_VARIABLE = re.compile(rf"AI_([A-Z0-9][A-Z0-9_]*?)_({'|'.join(FIELDS)})")
_RESERVED_NAMES = frozenset({"smart", "fast", *TASKS, "encryption"})
_SERVICE_LINK = re.compile(r"[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP)(_[A-Z]+)?)?)")
"""What Kubernetes puts into a pod's environment for each service."""


def in_variable(name: str) -> str:
    """ "video-slides" -> "VIDEO_SLIDES"."""
    return name.upper().replace("-", "_")


def task_variables(task: str) -> dict[str, str]:
    """ "PROVIDER" -> "AI_TEXT_PROVIDER" ..."""
    return {name: f"AI_{in_variable(task)}_{name}" for name in TASK_FIELDS}


def reserved() -> frozenset[str]:
    """Variables matched before any provider's name is looked for."""
    return frozenset({*GLOBALS, *(name for task in TASKS for name in task_variables(task).values())})


def vendor_variables(rows: Rows) -> Iterator[tuple[str, str, str]]:
    """(account, field, variable) in descending precedence."""
    for row in rows.values():
        yield from ((row.type, "key", name) for name in row.key_env)
        yield from ((row.type, "url", name) for name in URL_VARIABLES.get(row.type, ()))
        yield from ((row.type, "api_version", name) for name in VERSION_VARIABLES.get(row.type, ()))
        yield from ((row.type, slot, name) for slot, name in MODEL_VARIABLES.get(row.type, {}).items())


def account_field(variable: str) -> tuple[str, str] | None:
    """AI_OPENROUTER2_KEY -> ("openrouter2", "key"); None for what is reserved or is no such variable."""
    match = None if variable in reserved() else _ACCOUNT_VARIABLE.fullmatch(variable)
    if match is None:
        return None
    name = account_name(match[1])
    return None if name in _RESERVED_NAMES else (name, FIELDS[match[2]])


@dataclass(slots=True)
class _Found:
    """What the variables say of one account."""

    own: dict[str, Value] = field(default_factory=dict)
    """By AI_<NAME>_*."""
    vendor: dict[str, Value] = field(default_factory=dict)
    """By the vendor's own variables."""

    def is_account(self, name: str, drafts: Drafts) -> bool:
        """Whether this is meant for us: a known name, or an unknown one with a model, or with both URL and key."""
        known = bool(self.vendor) or drafts.knows(name)
        return known or bool(self.own.keys() & {"smart", "fast"}) or {"url", "key"} <= self.own.keys()


def read_variables(sources: Sources, drafts: Drafts, problems: Problems) -> set[str]:
    """Drafts every account that variables speak of; returns the variables that only look like an account's."""
    found = _collect(sources, drafts)
    strangers: set[str] = set()
    for name in sorted(found, key=lambda name: _place(name, found[name], sources, drafts)):
        if found[name].is_account(name, drafts):
            _draft(drafts.draft(name), found[name], sources.get(drafts.key_variables.get(name, "")), problems)
        else:
            strangers.update(value.origin.name for value in found[name].own.values())
    return strangers


def _collect(sources: Sources, drafts: Drafts) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for value in sources.values():
        if place := account_field(value.origin.name):
            name, field_ = place
            of = found.setdefault(drafts.spelled(name), _Found()).own
            if field_ not in of or name == drafts.spelled(name):
                of[field_] = value
    for name, field_, variable in vendor_variables(drafts.rows):
        if given := sources.get(variable):
            found.setdefault(name, _Found()).vendor.setdefault(field_, given)
    # A version alone is not an account: OPENAI_API_VERSION may be there for another program.
    return {name: of for name, of in found.items() if of.own or of.vendor.keys() - {"api_version"}}


def _place(name: str, found: _Found, sources: Sources, drafts: Drafts) -> tuple[int, int, str]:
    """As `.env` orders them; the rest, which the environment leaves without order, as providers.toml does."""
    lines = {variable: number for number, variable in enumerate(sources.dotenv)}
    values = (*found.own.values(), *found.vendor.values())
    in_file = [lines[value.origin.name] for value in values if value.origin.place == DOTENV]
    if in_file:
        return 0, min(in_file), name
    order = list(drafts.rows)
    type_ = drafts.type_of(name)
    return 1, order.index(type_) if type_ in order else len(order), name


def _draft(draft: Draft, found: _Found, key: Value | None, problems: Problems) -> None:
    """Field by field: AI_<NAME>_*, then the key from the variable that a file names, then the vendor's variables."""
    for name in sorted(found.own.keys() & found.vendor.keys()):
        if found.own[name].raw != found.vendor[name].raw:
            problems.warn(found.own[name].origin, f"used; {found.vendor[name].origin} differs and is ignored")
    for name, value in found.own.items():
        draft.offer(name, value)
    draft.offer("key", key)
    for name, value in found.vendor.items():
        draft.offer(name, value)
    draft.declared = bool(found.own.keys() - LIMIT_VARIABLES.values())
    draft.named_models = frozenset(found.vendor.keys() & {"smart", "fast"})


def unknown_variables(
    sources: Sources, strangers: set[str], drafts: Drafts, system: Iterable[str], problems: Problems
) -> None:
    """Warns of every AI_* and TAXIMETER_* variable that means nothing, with the nearest one that does."""
    known = {*reserved(), *system}
    for value in sources.values():
        variable = value.origin.name
        ours = variable.startswith(("AI_", "TAXIMETER_")) and not _SERVICE_LINK.fullmatch(variable)
        if ours and variable not in known and (variable in strangers or account_field(variable) is None):
            candidates = known | {f"AI_{in_variable(name)}_{end}" for name in drafts.names() for end in FIELDS}
            guess = nearest(variable, candidates - {variable})
            hint = f"; did you mean {guess}?" if guess else ""
            problems.warn(value.origin, f"not known here, ignored{hint}")
