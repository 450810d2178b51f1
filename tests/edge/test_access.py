"""How much one workspace can hold."""

from __future__ import annotations

import pytest

from sidecar.core.control import Role, Token
from sidecar.core.faults import Refusal
from sidecar.edge.access import MOST_HELD, room_for_one

HELD = [Token(str(number), "acme", "n", Role.MEMBER, b"") for number in range(MOST_HELD)]


def test_a_full_workspace_is_told_how_to_make_room() -> None:
    with pytest.raises(Refusal, match="has 10000 tokens, and no more can be: `taximeter tokens revoke` makes room"):
        room_for_one(HELD, "acme", "tokens", "`taximeter tokens revoke`")


def test_what_others_hold_takes_no_room() -> None:
    room_for_one(HELD, "beta", "tokens", "`taximeter tokens revoke`")
    room_for_one(HELD[1:], "acme", "tokens", "`taximeter tokens revoke`")
