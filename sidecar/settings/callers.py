"""What is set of an identity provider's tokens: a reader, and what is wrong only together."""

from __future__ import annotations

from collections.abc import Iterator

from sidecar.settings import units

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key: with a shared one (HS256), who can check a token can make one."""


def algorithms(raw: object) -> tuple[str, ...]:
    named = units.names(raw)
    for name in named:
        if name not in ALGORITHMS:
            raise ValueError(f"{units.shown(name)} is none of {', '.join(ALGORITHMS)}")
    return named


def wrong(issuer: str, audience: str, jwks_url: str) -> Iterator[tuple[str, str]]:
    """(variable, what is wrong with it)."""
    if issuer and not audience:
        yield "TAXIMETER_JWT_ISSUER", "needs TAXIMETER_JWT_AUDIENCE: else tokens meant for others would be taken"
    if not issuer and (audience or jwks_url):
        yield "TAXIMETER_JWT_AUDIENCE" if audience else "TAXIMETER_JWT_JWKS_URL", "needs TAXIMETER_JWT_ISSUER"
    if issuer and not jwks_url and not _is_url(issuer):
        yield "TAXIMETER_JWT_ISSUER", "is not a URL: say where its keys are with TAXIMETER_JWT_JWKS_URL"


def _is_url(text: str) -> bool:
    try:
        units.url(text)
    except ValueError:
        return False
    return True
