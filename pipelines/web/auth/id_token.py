"""Validation of ID tokens: signed by one of the provider's published keys, for this site, now, and for this very sign-in.

joserfc checks the signature and Authlib the claims; this module sets the allowed algorithms and the clock tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import JWKRegistry, KeySet
from joserfc.jws import JWSRegistry

from pipelines.web.auth.openid_provider import OpenIdError

# Never a symmetric algorithm, never none. joserfc warns of EdDSA, which has newer names; providers still use this one.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S = 30.0  # allowed clock difference
LONGEST_SUBJECT = 255  # characters, as the standard specifies

_REGISTRY = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)  # providers add their own header fields
_REGISTRY.max_header_length = 16_000  # bytes; it may contain a certificate chain
_WRONG = {"iss": "wrong issuer", "aud": "wrong audience", "azp": "wrong party", "nonce": "wrong nonce", "sub": "no subject"}


def verified_claims(token: object, key_sets: Iterable[Mapping[str, Any]], issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of an ID token. `key_sets` are JWK sets of the provider; each is requested only when the one before lacks the key.

    Raises OpenIdError when any check fails.
    """
    if not isinstance(token, str):
        raise OpenIdError("no ID token")
    expected = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client_id},
        "sub": {"essential": True, "validate": lambda _, subject: len(subject) <= LONGEST_SUBJECT},
    }
    try:
        signed = _signed(token, key_sets)
        claims = CodeIDToken(signed.claims, signed.header, expected, {"nonce": nonce, "client_id": client_id})
        claims.validate(leeway=LEEWAY_S)
    except UnsupportedAlgorithmError:
        raise OpenIdError("algorithm not allowed") from None
    except ExpiredTokenError:
        raise OpenIdError("expired") from None
    except (JoseError, TypeError, ValueError, RecursionError) as error:  # joserfc does not handle every malformed header
        why = _WRONG.get(getattr(error, "claim", ""), f"bad ID token ({type(error).__name__})")
        raise OpenIdError(why) from None
    return dict(claims)


def _signed(token: str, key_sets: Iterable[Mapping[str, Any]]) -> jwt.Token:
    for published in key_sets:
        with suppress(InvalidKeyIdError):
            return jwt.decode(token, _signing_keys(published), registry=_REGISTRY)
    raise OpenIdError("unknown key")


def _signing_keys(published: Mapping[str, Any]) -> KeySet:
    """The keys of a JWK set that may sign. Keys that joserfc cannot read are skipped."""
    entries, keys = published.get("keys"), []
    for entry in entries if isinstance(entries, list) else []:
        with suppress(JoseError, LookupError, TypeError, ValueError):
            keys.append(JWKRegistry.import_key(entry))
    return KeySet([key for key in keys if key.get("use") in (None, "sig")])
