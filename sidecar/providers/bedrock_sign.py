"""Who asks AWS: a Bedrock API key as it is, or access keys that sign each request (Signature Version 4).

docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html,
docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from sidecar.core.catalog import Account
from sidecar.core.faults import Unsupported

_SERVICE = "bedrock"
_TIME = "%Y%m%dT%H%M%SZ"
_HOST_REGION = re.compile(r"//(?:[^/]*\.)?bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")


class AccessKey(NamedTuple):
    """Named as botocore reads them."""

    access_key: str
    secret_key: str
    token: str | None


def access_key(secret: str) -> AccessKey | None:
    """An account's key may be ACCESS_KEY_ID:SECRET_ACCESS_KEY or …:SESSION_TOKEN, none of which has a colon of its own;
    None for an API key, which has none at all."""
    key_id, colon, rest = secret.partition(":")
    if not colon:
        return None
    secret_key, _, token = rest.partition(":")
    return AccessKey(key_id, secret_key, token or None)


def region_of(account: Account) -> str:
    """As configured, or as the address says. Raises Unsupported."""
    if region := account.options.get("region"):
        return str(region)
    found = _HOST_REGION.search(account.base_url)
    if found is None:
        raise Unsupported(f"{account.name}: AWS requests are signed for a region, and none is set")
    return found[1]


def signature(url: str, body: bytes, key: AccessKey, region: str, now_s: float) -> Mapping[str, str]:
    """The headers that a POST of JSON has to carry, `content-type` among them. What else it carries is not signed.

    botocore's own `add_auth` is not called: it takes the time from the clock, and logs the request with its session
    token at DEBUG.
    """
    request = AWSRequest("POST", url, headers={"content-type": "application/json"}, data=body)
    request.context["timestamp"] = datetime.fromtimestamp(now_s, UTC).strftime(_TIME)
    request.headers["x-amz-date"] = request.context["timestamp"]
    if key.token:
        request.headers["x-amz-security-token"] = key.token
    signer = SigV4Auth(key, _SERVICE, region)
    proof = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    authorization = f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={proof}"
    return {**{name.lower(): value for name, value in request.headers.items()}, "authorization": authorization}
