"""Which base URLs a workspace may name, in whatever way they are spelled."""

from __future__ import annotations

import ipaddress
import string
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.addresses import Forbidden, Reach, base_url, host_of, objection

TENANT = Reach()
OPERATOR = Reach(loopback=True)
PRIVATE = Reach(loopback=True, private=True)
param = pytest.param

PLAIN = [
    param("https://api.openai.com/v1", "https://api.openai.com/v1", id="as-it-stands"),
    param("  https://api.openai.com/v1/\n", "https://api.openai.com/v1", id="spaces-and-slash"),
    param("HTTPS://API.OpenAI.com.:8443/V1", "https://api.openai.com:8443/V1", id="case-and-final-dot"),
    param("https://1.1.1.1/", "https://1.1.1.1", id="public-ipv4"),
    param("https://[2606:4700:0::1111]:8/a", "https://[2606:4700::1111]:8/a", id="public-ipv6"),
    param("https://[::ffff:8.8.8.8]", "https://8.8.8.8", id="mapped-public"),
    param("https://xn--bcher-kva.example", "https://xn--bcher-kva.example", id="punycode"),
    param("https://my_host.example:", "https://my_host.example", id="empty-port"),
]


@pytest.mark.parametrize(("raw", "plain"), PLAIN)
def test_a_permitted_url_is_kept_in_its_plainest_spelling(raw: str, plain: str) -> None:
    assert base_url(raw, TENANT) == plain
    assert base_url(plain, TENANT) == plain


FORBIDDEN = [
    param("http://api.openai.com/v1", "use https", id="plain-http"),
    param("ftp://api.openai.com", "not a URL", id="other-scheme"),
    param("api.openai.com/v1", "not a URL", id="no-scheme"),
    param("https:///v1", "not a URL", id="no-host"),
    param("https://h.example:0", "not a URL", id="port-0"),
    param("https://h.example:70000", "not a URL", id="port-too-large"),
    param("https://[::1", "not a URL", id="open-bracket"),
    param("https://user:word@h.example", "user or password", id="userinfo"),
    param("https://h.example@evil.example", "user or password", id="userinfo-as-host"),
    param("https://h.example/v1?key=1", "query", id="query"),
    param("https://h.example/v1?", "query", id="empty-query"),
    param("https://h.example/#", "fragment", id="empty-fragment"),
    param("https://h.example\\@evil.example", "characters", id="backslash"),
    param("https://h.exa mple", "characters", id="space-within"),
    param("https://h.example/\x00", "characters", id="nul"),
    param("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "characters", id="idna-circled-letters"),
    param("https://127。0。0。1", "characters", id="idna-full-stops"),
    param("https://1\uff127.0.0.1", "characters", id="idna-wide-digit"),
    param("https://h%2eexample", "not the name", id="percent-in-host"),
    param("https://a..example", "not the name", id="empty-label"),
    param("https://-a.example", "not the name", id="label-begins-with-dash"),
    param("https://h.example..", "not the name", id="two-final-dots"),
    param("https://" + "a" * 64 + ".example", "not the name", id="label-too-long"),
    param("https://h.example/" + "a" * 2048, "characters", id="too-long"),
    param("http://localhost:8080", "this machine itself", id="localhost"),
    param("https://LOCALHOST.", "this machine itself", id="localhost-upper-and-dot"),
    param("https://a.localhost", "this machine itself", id="below-localhost"),
    param("http://127.0.0.1", "this machine itself", id="loopback"),
    param("http://127.9.9.9.", "this machine itself", id="loopback-elsewhere-with-dot"),
    param("http://[::1]", "this machine itself", id="loopback-ipv6"),
    param("https://[0:0:0:0:0:0:0:1]", "this machine itself", id="loopback-ipv6-long"),
    param("https://[::ffff:127.0.0.1]", "this machine itself", id="loopback-mapped"),
    param("https://[::ffff:7f00:1]", "this machine itself", id="loopback-mapped-hex"),
    param("https://[64:ff9b::7f00:1]", "this machine itself", id="loopback-by-nat64"),
    param("https://[2002:7f00:1::]", "this machine itself", id="loopback-by-6to4"),
    param("https://[::127.0.0.1]", "nobody's", id="ipv4-compatible"),
    param("https://2130706433", "usual way", id="decimal"),
    param("https://0x7f000001", "usual way", id="hexadecimal"),
    param("https://0x7F.0.0.1", "usual way", id="hexadecimal-part"),
    param("https://0177.0.0.1", "usual way", id="octal"),
    param("https://127.1", "usual way", id="short"),
    param("https://127.0.0.1.1", "usual way", id="five-parts"),
    param("https://h.example.1", "usual way", id="name-that-ends-in-a-number"),
    param("https://0x", "usual way", id="bare-0x"),
    param("https://0.0.0.0", "nobody's", id="unspecified"),
    param("https://0.1.2.3", "nobody's", id="this-network"),
    param("https://[::]", "nobody's", id="unspecified-ipv6"),
    param("https://224.0.0.1", "nobody's", id="multicast"),
    param("https://[ff02::1]", "nobody's", id="multicast-ipv6"),
    param("https://255.255.255.255", "nobody's", id="broadcast"),
    param("https://[2001:db8::1]", "nobody's", id="documentation-ipv6"),
    param("https://169.254.169.254/latest", "link-local", id="metadata"),
    param("https://169.254.170.2", "link-local", id="metadata-of-containers"),
    param("https://[fe80::1%25eth0]", "not the name", id="zone"),
    param("https://[fe80::1]", "link-local", id="link-local-ipv6"),
    param("https://[fd00:ec2::254]", "link-local", id="metadata-aws-ipv6"),
    param("https://[::ffff:169.254.169.254]", "link-local", id="metadata-mapped"),
    param("https://[64:ff9b::a9fe:a9fe]", "link-local", id="metadata-by-nat64"),
    param("https://168.63.129.16", "link-local", id="metadata-azure"),
    param("https://100.100.100.200", "link-local", id="metadata-alibaba"),
    param("https://metadata.google.internal", "link-local", id="metadata-name"),
    param("https://Metadata.Google.Internal.", "link-local", id="metadata-name-odd"),
    param("https://10.1.2.3", "private network", id="private-10"),
    param("https://172.16.0.1", "private network", id="private-172"),
    param("https://192.168.0.1", "private network", id="private-192"),
    param("https://100.64.0.1", "private network", id="carrier-grade-nat"),
    param("https://[fd12::1]", "private network", id="unique-local"),
    param("https://[fec0::1]", "private network", id="site-local"),
    param("https://sidecar:50051", "private network", id="one-label"),
]


@pytest.mark.parametrize(("raw", "why"), FORBIDDEN)
def test_a_tenant_may_not_name(raw: str, why: str) -> None:
    with pytest.raises(Forbidden, match=why):
        base_url(raw, TENANT)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/v1", "http://127.0.0.1:11434", "https://[::1]:8", "http://a.localhost"]
)
def test_the_operators_workspace_may_name_loopback_without_tls(url: str) -> None:
    assert base_url(url, OPERATOR) == url


@pytest.mark.parametrize("url", ["https://10.1.2.3/v1", "https://vllm:8000", "https://[fd12::1]", "https://100.64.0.1"])
def test_private_networks_are_a_setting_and_want_tls(url: str) -> None:
    assert base_url(url, PRIVATE) == url
    with pytest.raises(Forbidden, match="use https"):
        base_url(url.replace("https", "http"), PRIVATE)


NEVER = [
    "https://169.254.169.254",
    "https://[fe80::1]",
    "https://[fd00:ec2::254]",
    "https://168.63.129.16",
    "https://100.100.100.200",
    "https://metadata.google.internal",
    "https://metadata",
    "https://0.0.0.0",
    "https://[::]",
    "https://224.0.0.1",
    "https://[64:ff9b:1::1]",
    "https://[2001:db8::1]",
]


@pytest.mark.parametrize("url", NEVER)
def test_some_addresses_are_never_permitted(url: str) -> None:
    with pytest.raises(Forbidden):
        base_url(url, PRIVATE)


RESOLVED = [
    param("93.184.216.34", "", id="public"),
    param("2606:4700::1111", "", id="public-ipv6"),
    param("10.0.0.1", "private network", id="private"),
    param("127.0.0.1", "this machine", id="loopback"),
    param("::ffff:169.254.169.254", "link-local", id="mapped-metadata"),
    param("fe80::1%eth0", "link-local", id="with-zone"),
    param("nonsense", "no address", id="nonsense"),
]


@pytest.mark.parametrize(("address", "why"), RESOLVED)
def test_what_a_name_resolves_to_is_judged_alike(address: str, why: str) -> None:
    assert why in objection(address, TENANT)
    assert bool(objection(address, TENANT)) == bool(why)


ANY_IPV4 = st.ip_addresses(v=4)
LOOPBACK = st.ip_addresses(v=4, network="127.0.0.0/8")
METADATA = st.ip_addresses(v=4, network="169.254.0.0/16")


def spellings(address: ipaddress.IPv4Address) -> list[str]:
    """Ways to write an IPv4 address that some resolver or other takes."""
    number, parts = int(address), str(address).split(".")
    return [
        str(address),
        f"{address}.",
        str(number),
        hex(number),
        hex(number).upper(),
        oct(number).replace("o", ""),
        ".".join(hex(int(part)) for part in parts),
        ".".join(f"0{int(part):o}" for part in parts),
        ".".join(f"{int(part):03d}" for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
        f"[::ffff:{address}]",
        f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        "".join(f"%{ord(letter):02x}" for letter in str(address)),
        "".join(chr(ord(letter) + 0xFEE0) for letter in str(address)),  # full width
        str(address).replace(".", "。"),
    ]


@given(st.one_of(LOOPBACK, METADATA), st.data(), st.sampled_from(["http", "https", "HTTPS"]), st.integers(1, 65535))
def test_no_spelling_of_an_inner_address_passes(
    address: ipaddress.IPv4Address, data: st.DataObject, scheme: str, port: int
) -> None:
    host = data.draw(st.sampled_from(spellings(address)))
    with pytest.raises(Forbidden):
        base_url(f"{scheme}://{host}:{port}/v1", TENANT)


@given(ANY_IPV4, st.data())
def test_an_address_passes_only_as_itself(address: ipaddress.IPv4Address, data: st.DataObject) -> None:
    host = data.draw(st.sampled_from(spellings(address)))
    try:
        url = base_url(f"https://{host}", TENANT)
    except Forbidden:
        return
    assert host_of(url) == str(address)
    assert not objection(host_of(url), TENANT)


@given(st.text(st.sampled_from(string.printable + "。ⓛß\uff05\uff11\u202e"), max_size=40))
def test_what_passes_is_read_alike_by_the_http_client(rest: str) -> None:
    """Nothing that we read as one host and the client as another."""
    try:
        url = base_url(f"https://{rest}", PRIVATE)
    except Forbidden:
        return
    seen, ours = httpx.URL(url), urlsplit(url)
    assert seen.host == ours.hostname
    assert (seen.scheme, seen.userinfo, seen.query, seen.fragment) == (ours.scheme, b"", b"", "")
    assert base_url(url, PRIVATE) == url
