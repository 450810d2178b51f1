"""Sidecars and their control store: one each in a file, or several with one in PostgreSQL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from sidecar.app import REFUSED
from taximeter import Client
from taximeter.v1 import audit_pb2, workspaces_pb2
from taximeter.v1.audit_pb2_grpc import AuditServiceStub
from taximeter.v1.workspaces_pb2_grpc import WorkspaceServiceStub
from tests.support.cli import TAXIMETER
from tests.support.postgres import Postgres, postgres
from tests.support.stack import Stack, stack, until

pytestmark = pytest.mark.xdist_group("control")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def names(client: Client) -> set[str]:
    answer = client.service(WorkspaceServiceStub).ListWorkspaces(workspaces_pb2.ListWorkspacesRequest())
    return {each.workspace_id for each in answer.workspaces}


def create(client: Client, name: str) -> None:
    client.service(WorkspaceServiceStub).CreateWorkspace(workspaces_pb2.CreateWorkspaceRequest(workspace_id=name))


def actions(client: Client) -> set[str]:
    answer = client.service(AuditServiceStub).ListAudit(audit_pb2.ListAuditRequest())
    return {entry.action for entry in answer.entries}


def test_what_was_changed_is_there_after_a_kill() -> None:
    with stack() as at:
        at.provider()
        process = at.sidecar()
        with Client(at.address) as client:
            create(client, "acme")
        process.kill()
        at.sidecar()
        with Client(at.address) as client:
            assert names(client) == {"default", "acme"}
            assert "workspace.create" in actions(client)


def test_two_sidecars_share_a_store_in_postgresql(server: Postgres) -> None:
    url = server.database()
    with stack(TAXIMETER_CONTROL_URL=url) as one, stack(TAXIMETER_CONTROL_URL=url) as two:
        for at in (one, two):
            at.provider()
            at.sidecar()
        with Client(one.address) as first, Client(two.address) as second:
            create(first, "acme")
            assert names(first) == {"default", "acme"}
            until(lambda: names(second) == {"default", "acme"}, "the other sidecar has it too")
            assert actions(first) == actions(second)


def start(at: Stack) -> tuple[int, str]:
    done = subprocess.run(
        [*TAXIMETER, "sidecar"], env=at.env, cwd=at.cwd, capture_output=True, timeout=60, check=False, text=True
    )
    return done.returncode, done.stderr


def test_without_its_store_no_sidecar_starts() -> None:
    with stack(TAXIMETER_CONTROL_URL="postgresql://u:hunter2-secret@127.0.0.1:1/d") as at:
        code, said = start(at)
        assert code == REFUSED
        assert "The control store postgresql+psycopg://u:***@127.0.0.1:1/d does not answer" in said
        assert "secret" not in said


def test_a_damaged_store_is_told_and_left_alone() -> None:
    with stack() as at:
        at.home.mkdir()
        (at.home / "control.db").write_bytes(b"no database at all" * 1000)
        code, said = start(at)
        assert code == REFUSED
        assert "Put back a copy of it" in said
        assert (at.home / "control.db").read_bytes() == b"no database at all" * 1000
