"""Configuration: read from every place it may stand in, into settings and a catalogue. Frozen; swapped as a whole."""

from sidecar.settings.aliases import pool_slot
from sidecar.settings.live import Configuration, Prepared, Reloaded, reload_on_change, reload_on_signal
from sidecar.settings.load import Check, Loaded, load
from sidecar.settings.local import any_usable, with_local_model
from sidecar.settings.opened import opened
from sidecar.settings.sources import ConfigErrors, Mistake, Origin, Problems
from sidecar.settings.system import Settings
from sidecar.settings.whereabouts import whereabouts

__all__ = [
    "Check",
    "ConfigErrors",
    "Configuration",
    "Loaded",
    "Mistake",
    "Origin",
    "Prepared",
    "Problems",
    "Reloaded",
    "Settings",
    "any_usable",
    "load",
    "opened",
    "pool_slot",
    "reload_on_change",
    "reload_on_signal",
    "whereabouts",
    "with_local_model",
]
