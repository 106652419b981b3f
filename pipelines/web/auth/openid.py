"""OpenID Connect sign-in: authorization code flow with PKCE, state and nonce, each valid for one sign-in in one browser.

Authlib builds the requests to the provider; this module decides when, how often and for whom they are sent.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import DEFAULT_HEADERS, OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oidc.discovery import get_well_known_url

from pipelines.app_db.database import AppDatabase, present
from pipelines.app_db.openid_settings import OpenIdSettings, is_safe
from pipelines.web.auth.id_token import verified_claims
from pipelines.web.auth.openid_provider import FRESH_S, OpenIdError, Provider

LONGEST_TRY_S = 600.0
TRIES_PER_ADDRESS = 40  # within that time; an office shares one address
_AGAIN_S = 60.0  # minimum time between two key requests caused by an unknown key


class TooManyRedirectsError(OpenIdError):
    """An address began too many sign-ins without completing them."""


class OpenId:
    """One provider as configured for this site."""

    def __init__(self, rules: OpenIdSettings) -> None:
        self.rules = rules
        self.provider = Provider()

    def begin(self, store: AppDatabase, browser: str, redirect_uri: str, next_path: str, address: str) -> str:
        """Begin a sign-in and return the provider's URL; the expected response is stored. `browser` is the value of its cookie.

        The attempt is counted before the provider is contacted. Raises OpenIdError when there were too many or the provider is unavailable.
        """
        state, nonce, verifier, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(64), present()
        with store.writing() as db:
            db.execute("delete from openid_tries where at < ?", [now - LONGEST_TRY_S])
            if db.execute("select count(*) from openid_tries where address = ?", [address]).fetchone()[0] >= TRIES_PER_ADDRESS:
                raise TooManyRedirectsError("too many tries")
            values = [_hash(state), _hash(browser), nonce, verifier, next_path, address, now]
            db.execute("insert into openid_tries values (?, ?, ?, ?, ?, ?, ?)", values)
        asked_at = self._endpoint("authorization_endpoint")
        client = OAuth2Client(None, self.rules.client_id, scope=self.rules.scopes, redirect_uri=redirect_uri, code_challenge_method="S256")
        return str(client.create_authorization_url(asked_at, state, verifier, nonce=nonce)[0])

    def finish(self, store: AppDatabase, browser: str, redirect_uri: str, given: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        """The claims of the returning user and the path they requested. Raises OpenIdError when any check fails."""
        tried = self._taken(store, browser, given.get("state", ""))
        try:
            return self._claims_given(tried, redirect_uri, given), str(tried["next"])
        except OpenIdError as error:
            error.next_path = str(tried["next"])
            raise

    def _claims_given(self, tried: Mapping[str, Any], redirect_uri: str, given: Mapping[str, str]) -> dict[str, Any]:
        if given.get("iss", self.rules.issuer) != self.rules.issuer:
            raise OpenIdError("another issuer answered")
        if "error" in given:
            raise OpenIdError("the provider refused")
        code = given.get("code", "")
        if not 0 < len(code) <= 4000:
            raise OpenIdError("no code")
        answer = self._exchange(code, redirect_uri, tried["verifier"])
        return verified_claims(answer.get("id_token"), self._published_keys(), self.rules.issuer, self.rules.client_id, tried["nonce"])

    def _taken(self, store: AppDatabase, browser: str, state: str) -> dict[str, Any]:
        """The stored attempt, which is removed."""
        with store.writing() as db:
            rows = db.execute("delete from openid_tries where state_hash = ? returning *", [_hash(state)]).fetchall()
        if not rows or rows[0]["at"] < present() - LONGEST_TRY_S:
            raise OpenIdError("unknown state")
        if not hmac.compare_digest(rows[0]["browser_hash"], _hash(browser)):
            raise OpenIdError("another browser")
        return dict(rows[0])

    def _endpoint(self, name: str) -> str:
        """An endpoint published by the provider."""
        found = self._about().get(name)
        if not is_safe(found):
            raise OpenIdError(f"the provider names no safe {name}")
        return str(found)

    def _about(self) -> dict[str, Any]:
        about = self.provider.document(get_well_known_url(self.rules.issuer, external=True))
        if about.get("issuer") != self.rules.issuer:
            raise OpenIdError("the provider is another issuer")
        return about

    def _published_keys(self) -> Iterator[dict[str, Any]]:
        """The cached key set of the provider, then a fresh one, because a provider publishes its new keys."""
        for longest_s in (FRESH_S, _AGAIN_S):
            yield self.provider.document(self._endpoint("jwks_uri"), longest_s)

    def _exchange(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        """The provider's response for a code. Authenticates by the provider's supported method, preferring the header."""
        url, name, secret = self._endpoint("token_endpoint"), self.rules.client_id, self.rules.secret
        ways = self._about().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in ways:  # RFC 6749, 2.3.1 requires both to be encoded first, which Authlib does not do
            proof = ClientAuth(quote_plus(name), quote_plus(secret), "client_secret_basic")
        else:
            proof = ClientAuth(name, secret, "client_secret_post")
        form = prepare_token_request("authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier)
        return self.provider.post(*proof.prepare("POST", url, dict(DEFAULT_HEADERS), form))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
