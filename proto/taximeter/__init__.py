"""The client of Taximeter: `from taximeter import Client, AsyncClient`. Needs grpcio and protobuf, nothing else."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taximeter.aio import AsyncClient as AsyncClient
    from taximeter.client import Client as Client
    from taximeter.errors import TaximeterError as TaximeterError

__all__ = ("AsyncClient", "Client", "TaximeterError")

_HOMES = {"AsyncClient": "taximeter.aio", "Client": "taximeter.client", "TaximeterError": "taximeter.errors"}


def __getattr__(name: str) -> Any:
    """Loads a class at its first use, so that the generated messages can be imported without gRPC."""
    if name not in _HOMES:
        raise AttributeError(f"module 'taximeter' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
