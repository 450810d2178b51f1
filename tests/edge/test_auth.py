"""Without a token only local peers, and those whose certificate was verified, are somebody."""

import pytest

from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.auth import Identity, LocalTrust, Peer, is_local


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("unix:", True),
        ("unix:/run/taximeter.sock", True),
        ("ipv4:127.0.0.1:4711", True),
        ("ipv4:127.9.9.9:4711", True),
        ("ipv6:[::1]:4711", True),
        ("ipv6:%5B::1%5D:4711", True),
        ("ipv6:[::ffff:127.0.0.1]:4711", True),
        ("ipv4:10.0.0.7:4711", False),
        ("ipv4:0.0.0.0:4711", False),
        ("ipv6:[fe80::1%eth0]:4711", False),
        ("ipv6:[::ffff:10.0.0.7]:4711", False),
        ("ipv4:127.0.0.1.evil.example:80", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_is_local(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_a_local_peer_is_the_default_workspace() -> None:
    assert LocalTrust().identify(Peer("unix:", {})) == Identity("default", "")


def test_a_verified_certificate_names_its_caller() -> None:
    assert LocalTrust().identify(Peer("ipv4:10.0.0.7:1", {}, "billing")) == Identity("default", "cert:billing")


def test_a_workspace_is_never_taken_from_a_header() -> None:
    """litellm#11083: a tenant read from a header is anybody's."""
    peer = Peer("unix:", {"taximeter-workspace": ["other"], "x-workspace": ["other"]})
    assert LocalTrust().identify(peer).workspace == "default"


def test_a_stranger_is_told_how_to_call() -> None:
    with pytest.raises(Refusal) as refused:
        LocalTrust().identify(Peer("ipv4:10.0.0.7:4711", {"authorization": ["Bearer x"]}))
    assert refused.value.reason is RefusalReason.UNAUTHENTICATED
    assert "TAXIMETER_TLS_CLIENT_CA" in refused.value.message
