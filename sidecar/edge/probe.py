"""ProbeProvider: whether a provider is there and takes the key, asked now."""

from __future__ import annotations

from sidecar.core.catalog import Catalog
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import metering
from sidecar.invoker.prober import Prober
from taximeter.v1 import catalog_pb2 as pb


async def probe(asked: pb.ProbeProviderRequest, catalog: Catalog, prober: Prober) -> pb.ProbeProviderResponse:
    """Raises Refusal (UNKNOWN_PROVIDER)."""
    accounts = catalog.accounts
    account = accounts.get(asked.provider)
    if account is None:
        named = f"no provider is named {asked.provider!r}" if asked.provider else "provider is empty"
        known = ", ".join(name for name, each in accounts.items() if each.usable) or "none"
        raise Refusal("NOT_FOUND", RefusalReason.UNKNOWN_PROVIDER, f"{named}; usable: {known}")
    probed = await prober.probe(account)
    return pb.ProbeProviderResponse(
        ok=probed.ok,
        error_type=probed.error_type,
        message=probed.message,
        took=metering.duration(round(probed.took_s * 1e9)),
        models=probed.models,
    )
