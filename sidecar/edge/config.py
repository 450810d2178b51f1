"""ConfigService: the configuration in force, read anew on request."""

from __future__ import annotations

from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import metering
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.settings import ConfigErrors, Configuration
from taximeter.v1 import config_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["ConfigService"].full_name


class ConfigService:
    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def handlers(self, border: Border) -> Handlers:
        async def reload(body: bytes, rpc: Rpc) -> bytes:  # noqa: ARG001 - the same for every workspace
            asked = border.parse(pb.ReloadRequest, body)
            return (await self._reload(dry_run=asked.dry_run)).SerializeToString()

        async def status(body: bytes, rpc: Rpc) -> bytes:  # noqa: ARG001 - the same for every workspace
            border.parse(pb.GetConfigStatusRequest, body)
            return status_of(self._configuration).SerializeToString()

        return {
            "Reload": border.unary(f"{SERVICE}/Reload", reload),
            "GetConfigStatus": border.unary(f"{SERVICE}/GetConfigStatus", status),
        }

    async def _reload(self, *, dry_run: bool) -> pb.ReloadResponse:
        """Raises Refusal (INVALID_CONFIGURATION)."""
        try:
            done = await self._configuration.reload("request", dry_run=dry_run)
        except ConfigErrors as wrong:
            raise refused(wrong) from None
        return pb.ReloadResponse(
            generation=done.generation,
            changes=done.changes,
            warnings=done.warnings,
            needs_restart=done.needs_restart,
        )


def refused(wrong: ConfigErrors) -> Refusal:
    """Every error as a field violation: the place at fault, and what is wrong there."""
    count = len(wrong.mistakes)
    return Refusal(
        "FAILED_PRECONDITION",
        RefusalReason.INVALID_CONFIGURATION,
        f"The configuration has {count} error{'s' * (count > 1)}; the one in force stays. {'; '.join(wrong.errors)}",
        {"errors": str(count)},
        field_violations=wrong.mistakes,
    )


def status_of(configuration: Configuration) -> pb.GetConfigStatusResponse:
    found = pb.GetConfigStatusResponse(
        generation=configuration.generation,
        loaded_at=metering.timestamp(configuration.loaded_at_ns),
        errors=map(str, configuration.refused),
        warnings=configuration.loaded.warnings,
    )
    if configuration.refused_at_ns is not None:
        found.refused_at.CopyFrom(metering.timestamp(configuration.refused_at_ns))
    return found
