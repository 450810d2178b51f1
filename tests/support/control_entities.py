"""Whatever the control plane may hold, for hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from sidecar.control.rows import Entity
from sidecar.core.call import KeyScope
from sidecar.core.control import (
    AliasVersion,
    Budget,
    BudgetScope,
    DataKey,
    PlatformKeys,
    PriceOverride,
    ProviderKey,
    Role,
    Token,
    Window,
    Workspace,
)

WORKSPACE = "w"
DATA_KEY = DataKey("d", WORKSPACE, "kek", b"wrapped")
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
NS = st.integers(0, 2**63 - 1)
MAYBE_NS = st.none() | NS
SECRETS = st.binary(max_size=64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
FLAGS = st.booleans()

WORKSPACES = st.builds(
    Workspace,
    NAMES.filter(lambda name: name not in ("default", WORKSPACE)),
    TEXTS,
    st.sampled_from(PlatformKeys),
    FLAGS,
    NS,
    MAYBE_NS,
)
TOKENS = st.builds(
    Token, NAMES, st.just(WORKSPACE), TEXTS, st.sampled_from(Role), SECRETS, NS, TEXTS, MAYBE_NS, MAYBE_NS
)
DATA_KEYS = st.builds(DataKey, NAMES, st.just(WORKSPACE), TEXTS, SECRETS, NS)
KEYS = st.builds(
    ProviderKey,
    key_id=NAMES,
    workspace=st.just(WORKSPACE),
    provider=TEXTS,
    label=TEXTS,
    masked=TEXTS,
    data_key_id=st.just(DATA_KEY.data_key_id),
    sealed=SECRETS,
    scopes=st.frozensets(st.sampled_from(KeyScope)),
    enabled=FLAGS,
    base_url=TEXTS,
    version=st.integers(1, 2**31),
    created_ns=NS,
    created_by=TEXTS,
    verified_ns=MAYBE_NS,
    revoked_ns=MAYBE_NS,
)
ALIASES = st.builds(
    AliasVersion,
    workspace=st.just(WORKSPACE),
    name=NAMES,
    version=st.integers(1, 2**31),
    definition=st.dictionaries(TEXTS, JSON, max_size=4),
    created_ns=NS,
    created_by=TEXTS,
    source=st.sampled_from(["workspace", "default"]),
)
BUDGETS = st.builds(
    Budget,
    budget_id=NAMES,
    workspace=st.just(WORKSPACE),
    name=TEXTS,
    scope=st.sampled_from(BudgetScope),
    subject=TEXTS,
    window=st.sampled_from(Window),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin"]),
    limit_picodollars=st.none() | st.integers(0, 10**38),
    limit_tokens=MAYBE_NS,
    limit_requests=MAYBE_NS,
    soft_percent=st.integers(0, 100),
    soft_only=FLAGS,
    shrink=FLAGS,
    allow_unpriced=FLAGS,
    count_at_risk=FLAGS,
    imposed=FLAGS,
    created_ns=NS,
    created_by=TEXTS,
)
RATES = st.lists(st.tuples(TEXTS, st.decimals(0, 10**6, places=6).map(str), st.integers(0, 10**9)), max_size=3)
PRICES = st.builds(PriceOverride, NAMES, TEXTS, TEXTS, RATES.map(tuple), TEXTS, TEXTS, NS, TEXTS)
ENTITIES: st.SearchStrategy[Entity] = st.one_of(WORKSPACES, TOKENS, DATA_KEYS, KEYS, ALIASES, BUDGETS, PRICES)


def changed(entity: Entity) -> Entity:
    """The same thing, a little later."""
    if isinstance(entity, AliasVersion):
        return replace(entity, version=entity.version + 1, source="changed")
    return replace(entity, created_ns=entity.created_ns ^ 1)
