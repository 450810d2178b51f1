"""Who asks AWS, and how requests are signed."""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import Any
from urllib.parse import quote

import pytest
from botocore import auth as botocore_auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sidecar.core.call import Operation
from sidecar.core.faults import Unsupported
from sidecar.providers import bedrock
from sidecar.providers.bedrock_sign import AccessKey, access_key, region_of, signature
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account

NOW_S = 1_440_938_160.0
"""2015-08-30T12:36:00Z, the time of AWS's published examples."""
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v1%3A0/converse"
BODY = b'{"messages":[]}'


def test_a_signature_is_what_the_specification_computes() -> None:
    """Step by step, without botocore: the path is escaped once more, and body, host, type and time are signed."""
    path = quote("/model/anthropic.claude-v1%3A0/converse")
    names = "content-type;host;x-amz-date"
    head = "content-type:application/json\nhost:bedrock-runtime.us-east-1.amazonaws.com\nx-amz-date:20150830T123600Z\n"
    request = f"POST\n{path}\n\n{head}\n{names}\n{hashlib.sha256(BODY).hexdigest()}"
    scope = "20150830/us-east-1/bedrock/aws4_request"
    text = f"AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{KEY.secret_key}".encode()
    for word in scope.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    proof = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    assert signature(URL, BODY, KEY, "us-east-1", NOW_S) == {
        "content-type": "application/json",
        "x-amz-date": "20150830T123600Z",
        "authorization": f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={proof}",
    }


@pytest.mark.parametrize("token", [pytest.param(None, id="long-lived"), pytest.param("TOKEN/+=", id="session")])
def test_a_signature_is_botocores(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    monkeypatch.setattr(
        botocore_auth, "get_current_datetime", lambda: datetime.fromtimestamp(NOW_S, UTC).replace(tzinfo=None)
    )
    theirs = AWSRequest("POST", URL, headers={"content-type": "application/json"}, data=BODY)
    botocore_auth.SigV4Auth(Credentials(KEY.access_key, KEY.secret_key, token), "bedrock", "eu-west-3").add_auth(theirs)
    ours = signature(URL, BODY, KEY._replace(token=token), "eu-west-3", NOW_S)
    assert ours == {name.lower(): value for name, value in theirs.headers.items()}


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        pytest.param("ABSKQmVkcm9ja0FQSUtleQ==", None, id="api-key"),
        pytest.param("AKIA1:se/cr+et", AccessKey("AKIA1", "se/cr+et", None), id="access-key"),
        pytest.param("ASIA1:secret:to/k+en==", AccessKey("ASIA1", "secret", "to/k+en=="), id="session"),
        pytest.param("AKIA1:secret:", AccessKey("AKIA1", "secret", None), id="empty-token"),
    ],
)
def test_what_a_key_is(secret: str, expected: AccessKey | None) -> None:
    assert access_key(secret) == expected


@pytest.mark.parametrize(
    ("url", "options", "region"),
    [
        pytest.param("https://bedrock-runtime.eu-central-1.amazonaws.com", {}, "eu-central-1", id="address"),
        pytest.param("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", {}, "us-gov-west-1", id="fips"),
        pytest.param("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", {}, "us-east-1", id="vpc"),
        pytest.param("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", {}, "cn-north-1", id="china"),
        pytest.param("http://127.0.0.1:1", {"region": "eu-west-1"}, "eu-west-1", id="configured"),
        pytest.param("https://bedrock-runtime.us-east-1.amazonaws.com", {"region": "x-1"}, "x-1", id="both"),
    ],
)
def test_the_region(url: str, options: dict[str, Any], region: str) -> None:
    assert region_of(account("bedrock", base_url=url, options=options)) == region


def test_without_a_region_nothing_can_be_signed() -> None:
    with pytest.raises(Unsupported, match="region"):
        region_of(account("bedrock", base_url="https://proxy.test/bedrock-runtime", options={}))


def encoded(secret: str, now_s: float = NOW_S, stream: bool = False) -> HttpRequest:
    target = account("bedrock", base_url="https://bedrock-runtime.us-east-1.amazonaws.com")
    codec = bedrock.wire_at(lambda: now_s)[Operation.CHAT]
    return codec.encode(pb.ChatRequest(prompt="hi"), "m", stream, target, secret)


def test_an_api_key_goes_as_it_is() -> None:
    request = encoded("ABSKx")
    assert request.headers["authorization"] == "Bearer ABSKx"
    assert "x-amz-date" not in request.headers


def test_each_try_is_signed_for_its_own_time() -> None:
    first, again = encoded("AKIA1:secret:token"), encoded("AKIA1:secret:token", NOW_S + 301)
    assert (first.headers["x-amz-date"], again.headers["x-amz-date"]) == ("20150830T123600Z", "20150830T124101Z")
    assert first.headers["authorization"] != again.headers["authorization"]
    assert first.headers["x-amz-security-token"] == "token"
    assert "secret" not in str(sorted(first.headers.items()))


def test_what_is_signed_is_what_is_sent() -> None:
    request = encoded("AKIA1:secret")
    signed = signature(request.url, request.body, AccessKey("AKIA1", "secret", None), "us-east-1", NOW_S)
    assert signed.items() <= request.headers.items()


def test_signing_tells_the_log_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        encoded("AKIA1:secret:token")
    assert caplog.text == ""
