"""What one workspace sees of the configuration: its accounts, with its keys, and its aliases. Pure."""

from sidecar.workspaces.accounts import Known
from sidecar.workspaces.definition import alias_of, stored
from sidecar.workspaces.view import Own, own_of, serving, view

__all__ = ["Known", "Own", "alias_of", "own_of", "serving", "stored", "view"]
