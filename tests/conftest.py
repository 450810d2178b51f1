"""What all tests share: those marked `xdist_group` run on one worker, one after the other."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest
from _pytest.nodeid import NodeId


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Ten thousand tests stay for the whole run: while they come in, and from then on, no garbage is sought among them.

    That was a quarter of the time that collecting takes, and a tenth of what follows.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under `--dist loadgroup`, gives an item's id the group that the scheduler looks for.

    xdist 3.8 writes it into an attribute that pytest 9.2 no longer reads; without this a module's real processes
    would be started by every worker, and two heavy tests would run side by side.
    """
    if not config.getoption("loadgroup", False):
        return
    for item in items:
        mark = item.get_closest_marker("xdist_group")
        if mark is not None and not item.nodeid.endswith(f"@{mark.args[0]}"):
            item._id = NodeId.parse(f"{item.nodeid}@{mark.args[0]}")
