"""A small OpenID provider on this machine: it speaks HTTP, checks PKCE and the secret, signs its tokens, and forges them on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

CLIENT, SECRET = "callgrade", "a secret / with: signs"
Claims = dict[str, Any]


class Provider:
    """The provider, who is signed in at it, and what it does wrong."""

    def __init__(self) -> None:
        self.key: Key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.person: Claims = {}
        self.tamper: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str | None] = self.signed
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}  # by path, in place of the right one
        self.methods = ["client_secret_basic"]
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}/staff"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def honest(self) -> None:
        """From now on it does nothing wrong."""
        self.tamper, self.sign, self.answers, self.methods = (lambda claims: claims), self.signed, {}, ["client_secret_basic"]

    def visited(self, url: str) -> str:
        """Where a browser is sent back to that came with this address: the person is signed in at the provider and agrees."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.issuer}/authorize?") and asked["response_type"] == "code" and asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def signed(self, claims: Claims) -> str:
        return jwt.encode({"alg": "ES256" if isinstance(self.key, ECKey) else "RS256", "kid": self.key.kid}, claims, self.key)

    def new_key(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "second", "use": "sig"})

    def token(self, form: dict[str, str], proof: str) -> tuple[int, Claims]:
        asked = self._codes.pop(form.get("code", ""), None)
        name, secret = CLIENT, "a+secret+%2F+with%3A+signs"
        right = "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
        if proof != right and (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri") or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]} | self.person
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(self.tamper(claims))}

    def about(self) -> Claims:
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys", "token_endpoint_auth_methods_supported": self.methods,
        }  # fmt: skip

    def keys(self) -> Claims:
        return dict(KeySet([self.key]).as_dict())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/staff/authorize?"):  # a browser that came here itself
                    self._answer(302, {}, {"Location": provider.visited(provider.issuer.removesuffix("/staff") + self.path)})
                    return
                made = {"/staff/.well-known/openid-configuration": provider.about, "/staff/keys": provider.keys}.get(self.path)
                self._answer(*((200, made()) if made else (404, {})))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._answer(*provider.token(form, self.headers.get("Authorization", "")))

            def _answer(self, status: int, body: Claims, more: dict[str, str] | None = None) -> None:
                provider.asked.append(self.path)
                content, more = json.dumps(body).encode(), more or {}
                if self.path in provider.answers:
                    status, content, more = provider.answers[self.path]
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
