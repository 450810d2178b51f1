"""What is remembered of a request, for how long, and of which."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.call import NO_COST, UNPRICED, CallStatus, Cost
from sidecar.requests import Past, Requests, Reused, may_have_cost
from tests.support.asked import DIGEST, OTHER, Times, asked, ended, requests
from tests.support.edge import record

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"status": CallStatus.OK}, True, id="answered"),
        pytest.param({"status": CallStatus.OK, "cost": NO_COST}, True, id="answered-for-nothing"),
        pytest.param({"status": CallStatus.ABANDONED, "cost": NO_COST}, True, id="abandoned"),
        pytest.param({"status": CallStatus.ERROR, "cost": NO_COST, "maybe_billed": True}, True, id="maybe-billed"),
        pytest.param({"status": CallStatus.ERROR, "cost": NO_COST, "cost_at_risk_picodollars": 1}, True, id="at-risk"),
        pytest.param({"status": CallStatus.ERROR, "cost": UNPRICED}, True, id="used-something-unpriced"),
        pytest.param({"status": CallStatus.ERROR, "cost": Cost(True, 1)}, True, id="failed-and-cost"),
        pytest.param({"status": CallStatus.CANCELLED, "cost": Cost(True, 1)}, True, id="cancelled-and-cost"),
        pytest.param({"status": CallStatus.ERROR, "cost": NO_COST}, False, id="failed-for-nothing"),
        pytest.param({"status": CallStatus.CANCELLED, "cost": NO_COST}, False, id="cancelled-for-nothing"),
        pytest.param({"status": CallStatus.REFUSED, "cost": NO_COST}, False, id="refused"),
    ],
)
def test_which_calls_are_never_made_again(changes: dict[str, Any], expected: bool) -> None:
    assert may_have_cost(record(**changes)) is expected


async def found(room: Requests, call: Any, digest: bytes = DIGEST) -> Any:
    return await room.find(call, digest)


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [
        pytest.param(0.0, True, id="at-once"),
        pytest.param(23.9 * HOUR_S, True, id="a-day-less-a-bit"),
        pytest.param(24.1 * HOUR_S, False, id="a-day-and-a-bit"),
    ],
)
async def test_it_is_remembered_for_a_day(after_s: float, expected: bool, tmp_path: Path) -> None:
    times = Times()
    room, call = requests(tmp_path, times), asked()
    room.remember(ended(call, times))
    times.pass_s(after_s)
    assert isinstance(await found(room, call), Past) is expected
    await room.close()


async def test_the_first_calls_id_is_told(tmp_path: Path) -> None:
    room, call = requests(tmp_path), asked()
    room.remember(ended(call))
    assert (await found(room, call)).call_id == call.call_id
    await room.close()


async def test_another_workspace_knows_nothing_of_it(tmp_path: Path) -> None:
    room, call = requests(tmp_path), asked()
    room.remember(ended(call))
    assert await found(room, asked(call.request_id, workspace="other")) is None
    await room.close()


async def test_another_request_under_its_id_is_told(tmp_path: Path) -> None:
    room, call = requests(tmp_path), asked()
    room.remember(ended(call))
    with pytest.raises(Reused, match=call.call_id):
        await found(room, call, OTHER)
    await room.close()


async def test_what_has_no_digest_is_not_told_apart(tmp_path: Path) -> None:
    """Zero retention: not even a fingerprint of a request is kept."""
    room, call = requests(tmp_path), asked(request_digest=b"")
    room.remember(ended(call))
    assert isinstance(await found(room, call, OTHER), Past)
    await room.close()


async def test_a_refusal_does_not_replace_what_was_answered(tmp_path: Path) -> None:
    room, call = requests(tmp_path), asked()
    room.remember(ended(call))
    durable = asyncio.get_running_loop().create_future()
    room.finished(ended(asked(call.request_id), status=CallStatus.REFUSED, cost=NO_COST), durable)
    assert (await found(room, call)).call_id == call.call_id
    await room.close()


async def test_remembering_twice_is_once(tmp_path: Path) -> None:
    room, call = requests(tmp_path), asked()
    for _ in range(3):
        room.remember(ended(call))
    assert len(room) == 1
    await room.close()


async def test_a_record_without_a_request_id_is_none_of_ours(tmp_path: Path) -> None:
    room = requests(tmp_path)
    room.remember(record())
    assert len(room) == 0
    assert not (tmp_path / "requests").exists()
    await room.close()
