"""The users of the tests: an account of every role, and each one's browser."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pipelines.app_db import accounts
from pipelines.app_db.database import AppDatabase
from pipelines.app_db.rate_limit import Limits, Rate

HOST = "127.0.0.1:8750"
PASSWORD = "seven green lamps at noon"
LIMITS = Limits(*[Rate(burst=1e9, per_s=1e9)] * len(fields(Limits)))  # tests ask faster than people, all from one address
ACCOUNTS: dict[str, tuple[str, list[str], str | None]] = {
    "admin": ("administrator", ["*"], None),
    "manager": ("manager", ["kyiv", "irkutsk"], None),
    "whole": ("manager", ["kyiv"], None),
    "trainer": ("trainer", ["kyiv"], None),
    "analyst": ("analyst", ["kyiv"], None),
    "op-1": ("operator", ["kyiv"], "op-1"),
}


class Person:
    """One browser: it keeps its cookies, and sends forms with the token of a page it was shown."""

    def __init__(self, app: FastAPI, language: str = "en") -> None:
        self.client = TestClient(app, base_url=f"http://{HOST}", follow_redirects=False, headers={"accept-language": language})

    def get(self, path: str, **more: Any) -> httpx2.Response:
        return self.client.get(path, **more)

    def send(self, path: str, page: str = "/me", token: str | None = None, **fields: Any) -> httpx2.Response:
        """Send a form, with the token that stands on a page unless another is given."""
        return self.client.post(path, data=fields | {"token": token if token is not None else token_of(self.get(page).text)})


class People:
    """The application and who uses it."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.store: AppDatabase = app.state.site.store

    def stranger(self) -> Person:
        """Somebody who has not signed in."""
        return Person(self.app)

    def person(self, name: str, password: str = PASSWORD) -> Person:
        """Somebody who has, and reads English whatever language an earlier test chose for the account."""
        person = self.stranger()
        accounts.set_language(self.store, accounts.named(self.store, name), None)
        answer = person.send("/sign-in", "/sign-in", name=name, password=password, next="")
        assert answer.status_code == 303, answer.text
        return person

    def show_results(self, *names: str) -> None:
        """Let accounts see the machine's results of every call, as if they had judged the samples already."""
        with self.app.state.site.snapshot.read() as published, self.store.writing() as db:
            for row in published.rows("select call_id from calls where status = 'graded'"):
                for name in names:
                    db.execute(
                        "insert into seen_verdicts select ?, account_id, 0 from accounts where name = ? on conflict do nothing",
                        [row["call_id"], name],
                    )

    def last_note(self) -> dict[str, Any]:
        """The newest line of the audit."""
        return self.store.rows("select account_name, action, outcome, subject, centre_id from audit order by audit_id desc limit 1")[0]


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="(\w+)"', page)
    assert found, page[:300]
    return found[1]


def title_of(answer: httpx2.Response) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", answer.text, re.S)
    return re.sub(r"<.*?>", "", found[1]).strip() if found else ""
