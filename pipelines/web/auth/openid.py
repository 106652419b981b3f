"""Coming in through an OpenID provider: authorization code flow with PKCE, a state and a nonce, each good for one sign-in in one browser.

What the provider says is believed only when its ID token is signed with one of its published keys by an asymmetric algorithm, for this site, now, and for this very try.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

from pipelines.app_db.database import Store, present
from pipelines.web.auth.openid_provider import FRESH_S, OpenIdError, Provider
from pipelines.web.auth.openid_settings import Rules, is_safe

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)  # never one whose key is the secret, never none
LONGEST_TRY_S = 600.0
TRIES_PER_ADDRESS = 40  # in that time; an office shares one address
LEEWAY_S = 30.0  # by which clocks may differ
_AGAIN_S = 60.0  # how soon an unknown key makes us ask for the provider's keys again


class TooManyTriesError(OpenIdError):
    """An address began too many sign-ins that never came back."""


class OpenId:
    """One provider, as this site asks it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.provider = Provider()

    def begin(self, store: Store, browser: str, redirect_uri: str, next_path: str, address: str) -> str:
        """Where to send a browser to sign in; what it must come back with is kept. `browser` is the value of its cookie.

        The try is counted before the provider is asked. Raises OpenIdError when there were too many or the provider cannot be asked.
        """
        state, nonce, verifier, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(64), present()
        with store.writing() as db:
            db.execute("delete from openid_tries where at < ?", [now - LONGEST_TRY_S])
            if db.execute("select count(*) from openid_tries where address = ?", [address]).fetchone()[0] >= TRIES_PER_ADDRESS:
                raise TooManyTriesError("too many tries")
            values = [_hash(state), _hash(browser), nonce, verifier, next_path, address, now]
            db.execute("insert into openid_tries values (?, ?, ?, ?, ?, ?, ?)", values)
        asked_at = self._endpoint("authorization_endpoint")
        asked = {
            "response_type": "code", "client_id": self.rules.client_id, "redirect_uri": redirect_uri, "scope": " ".join(self.rules.scopes), "state": state,
            "nonce": nonce, "code_challenge": _challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{asked_at}{'&' if '?' in asked_at else '?'}{urlencode(asked)}"

    def finish(self, store: Store, browser: str, redirect_uri: str, given: Mapping[str, str]) -> tuple[dict[str, Any], str]:
        """The claims of who came back and where they wanted to be. Raises OpenIdError when anything does not fit."""
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
        answer = self._ask(
            self._endpoint("token_endpoint"),
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": tried["verifier"]},
        )
        claims = self.claims_of(answer.get("id_token"))
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), tried["nonce"].encode()):
            raise OpenIdError("wrong nonce")
        return claims

    def claims_of(self, token: object) -> dict[str, Any]:
        """What an ID token says, once it is known to be the provider's, for this site, and of now. Raises OpenIdError otherwise."""
        import jwt

        if not isinstance(token, str):
            raise OpenIdError("no ID token")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise OpenIdError("algorithm not allowed")
            key = self._key(header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[str(header["alg"])], audience=self.rules.client_id, issuer=self.rules.issuer, leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise OpenIdError("expired") from None
        except jwt.InvalidAudienceError:
            raise OpenIdError("wrong audience") from None
        except jwt.InvalidIssuerError:
            raise OpenIdError("wrong issuer") from None
        except jwt.PyJWTError as error:
            raise OpenIdError(f"bad ID token ({type(error).__name__})") from None
        audience = claims["aud"]
        party = claims.get("azp")
        if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, self.rules.client_id):
            raise OpenIdError("wrong party")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise OpenIdError("no subject")
        return claims

    def _taken(self, store: Store, browser: str, state: str) -> dict[str, Any]:
        """What was kept of a try, which is gone from then on."""
        with store.writing() as db:
            rows = db.execute("delete from openid_tries where state_hash = ? returning *", [_hash(state)]).fetchall()
        if not rows or rows[0]["at"] < present() - LONGEST_TRY_S:
            raise OpenIdError("unknown state")
        if not hmac.compare_digest(rows[0]["browser_hash"], _hash(browser)):
            raise OpenIdError("another browser")
        return dict(rows[0])

    def _endpoint(self, name: str) -> str:
        """An address that the provider publishes."""
        found = self._about().get(name)
        if not is_safe(found):
            raise OpenIdError(f"the provider names no safe {name}")
        return str(found)

    def _about(self) -> dict[str, Any]:
        about = self.provider.document(self.rules.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if about.get("issuer") != self.rules.issuer:
            raise OpenIdError("the provider is another issuer")
        return about

    def _key(self, kid: object) -> Any:
        """The key of the provider that a token names; where it names none, its only one."""
        import jwt

        for longest_s in (FRESH_S, _AGAIN_S):  # a provider that changed its keys publishes the new one
            published = self.provider.document(self._endpoint("jwks_uri"), longest_s)
            try:
                keys = [key for key in jwt.PyJWKSet.from_dict(published) if key.public_key_use in (None, "sig")]
            except jwt.PyJWTError:
                raise OpenIdError("no keys") from None
            fitting = [key for key in keys if key.key_id == kid] if kid is not None else keys
            if len(fitting) == 1:
                return fitting[0]
        raise OpenIdError("unknown key")

    def _ask(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        """What the provider gives for a code. This site proves itself in the way that the provider takes, in the header where it may choose."""
        ways = self._about().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        name, secret = self.rules.client_id, self.rules.secret
        if "client_secret_basic" in ways:
            proof = base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()
            return self.provider.post(url, form, {"Authorization": f"Basic {proof}"})
        return self.provider.post(url, form | {"client_id": name, "client_secret": secret})


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
