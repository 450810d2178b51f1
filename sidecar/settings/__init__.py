"""Configuration: read once, from every place it may stand in, into settings and a catalogue. Frozen afterwards."""

from sidecar.settings.load import Loaded, load
from sidecar.settings.local import any_usable, with_local_model
from sidecar.settings.sources import ConfigErrors, Origin
from sidecar.settings.system import Settings

__all__ = ["ConfigErrors", "Loaded", "Origin", "Settings", "any_usable", "load", "with_local_model"]
