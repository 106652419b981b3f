"""Cookies of the web application: set and deleted with the same path and flags, because browsers ignore a differing deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi import Request, Response


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie: its name, the paths it is sent to, and its lifetime in seconds (None: until the browser is closed)."""

    name: str
    path: str = "/"
    samesite: Literal["lax", "strict"] = "lax"
    max_age_s: float | None = None

    def read(self, request: Request) -> str:
        """The value that the browser sent; empty when it sent none."""
        return request.cookies.get(self.name, "")

    def set(self, answer: Response, value: str, *, is_https: bool) -> None:
        """Set the cookie on a response: never readable by scripts, and over https never sent in clear text."""
        answer.set_cookie(
            self.name,
            value,
            max_age=None if self.max_age_s is None else int(self.max_age_s),
            path=self.path,
            secure=is_https,
            httponly=True,
            samesite=self.samesite,
        )

    def delete(self, answer: Response, *, is_https: bool) -> None:
        """Delete the cookie in the browser."""
        answer.delete_cookie(self.name, path=self.path, secure=is_https, httponly=True, samesite=self.samesite)
