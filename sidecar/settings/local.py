"""The embedded model as a provider, and when it is wanted."""

from __future__ import annotations

from dataclasses import replace

from sidecar.core.call import Capability, Operation, Target
from sidecar.core.catalog import Account, Route
from sidecar.settings.load import Loaded
from sidecar.settings.sources import BUILT_IN, Origin

LOCAL = "local"
LOCAL_MODEL = "smollm2-135m-instruct"


def any_usable(loaded: Loaded) -> bool:
    """Whether any provider could take a call: if not, `taximeter up` starts the embedded model."""
    return any(account.usable for account in loaded.catalog.accounts.values())


def with_local_model(loaded: Loaded, base_url: str, model: str = LOCAL_MODEL) -> Loaded:
    """With the embedded model as account `local`, the only target of every built-in alias for text."""
    account = Account(
        name=LOCAL,
        type=LOCAL,
        wire="openai",
        base_url=base_url.rstrip("/"),
        needs_key=False,
        capabilities=frozenset({Capability.TEXT_GENERATION, Capability.CHAT, Capability.EMBEDDING}),
        operations=frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING}),
        default_models=dict.fromkeys(("smart", "fast", "completion", "embedding"), model),
        otel_name=LOCAL,
        declared_price_zero=True,
        display="The embedded model",
    )
    routes = (Route(Target(LOCAL, model)),)
    aliases = {
        name: replace(alias, routes=routes, unusable="", key_hints=()) if alias.operation is Operation.CHAT else alias
        for name, alias in loaded.catalog.aliases.items()
    }
    catalog = replace(loaded.catalog, accounts={**loaded.catalog.accounts, LOCAL: account}, aliases=aliases)
    origins = {**loaded.origins, f"providers.{LOCAL}.url": Origin(BUILT_IN, "embedded model")}
    return replace(loaded, catalog=catalog, origins=origins)
