"""The embedded model as a provider, and when it is wanted."""

from __future__ import annotations

from dataclasses import replace

from sidecar.core.call import Operation, Target
from sidecar.core.catalog import Account, Route
from sidecar.settings.load import Loaded
from sidecar.settings.rows import known_rows
from sidecar.settings.sources import BUILT_IN, Origin

LOCAL = "local"
LOCAL_MODEL = "smollm2-135m-instruct"


def any_usable(loaded: Loaded) -> bool:
    """Whether any provider could take a call: if not, `taximeter up` starts the embedded model."""
    return any(account.usable for account in loaded.catalog.accounts.values())


def with_local_model(loaded: Loaded, base_url: str, model: str = LOCAL_MODEL) -> Loaded:
    """With the embedded model as account `local`, at the end of every alias for text while no provider is usable.

    Where one is (a key was given since the model was started) the aliases are that provider's. A key of a workspace's
    own is not seen here: its view drops the model then.
    """
    row = known_rows()[LOCAL]
    account = Account(
        name=LOCAL,
        type=row.type,
        wire=row.wire,
        base_url=base_url.rstrip("/"),
        needs_key=False,
        capabilities=row.capabilities,
        operations=row.operations,
        default_models=dict.fromkeys(("smart", "fast", "completion", "embedding"), model),
        otel_name=row.otel_name,
        price_provider=row.price_provider,
        declared_price_zero=True,
        options=row.options,
        display=row.display,
    )
    last = Route(Target(LOCAL, model))
    alone = not any_usable(loaded)
    aliases = {
        name: replace(alias, routes=(*alias.routes, last), unusable="", key_hints=())
        if alone and alias.operation is Operation.CHAT
        else alias
        for name, alias in loaded.catalog.aliases.items()
    }
    catalog = replace(loaded.catalog, accounts={**loaded.catalog.accounts, LOCAL: account}, aliases=aliases)
    origins = {**loaded.origins, f"providers.{LOCAL}.url": Origin(BUILT_IN, "embedded model")}
    return replace(loaded, catalog=catalog, origins=origins)
