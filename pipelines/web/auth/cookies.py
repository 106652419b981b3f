"""Cookies of the web application: each is set and deleted with the same path and flags, because a browser ignores a deletion that differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi import Request, Response


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie: its name, the paths it is sent to, and for how many seconds a browser keeps it (None: until it is closed)."""

    name: str
    path: str = "/"
    samesite: Literal["lax", "strict"] = "lax"
    max_age_s: float | None = None

    def read(self, request: Request) -> str:
        """The value that the browser sent; empty when it sent none."""
        return request.cookies.get(self.name, "")

    def set(self, answer: Response, value: str, *, is_https: bool) -> None:
        """Set the cookie with an answer: never readable by scripts, and over https never sent in clear."""
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
        """Make the browser forget the cookie."""
        answer.delete_cookie(self.name, path=self.path, secure=is_https, httponly=True, samesite=self.samesite)
