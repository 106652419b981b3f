"""Listening is recorded by what was played, not by what was opened."""

from __future__ import annotations

import pytest

from pipelines.reviews import listening
from tests.web.people import People

CALL = "kyiv-1"


@pytest.fixture(autouse=True)
def no_listenings(people: People) -> None:
    with people.store.writing() as db:
        db.execute("delete from listenings")


def is_listened(people: People) -> bool:
    admin = people.person("admin")
    on_page = "Listened to by manager" in admin.get(f"/calls/{CALL}").text
    assert on_page == ("Listened to by manager" in admin.get("/centres/kyiv/queue?kind=sample").text)
    return on_page


def test_opening_fetching_or_saying_so_is_not_listening(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = people.person("manager")
    page = manager.get(f"/calls/{CALL}").text
    assert 'preload="none"' in page and "I have listened" not in page
    assert manager.send("/listened", call_id=CALL, seconds="60").json() == {"listened": False}  # no sound was sent
    assert not is_listened(people)
    assert manager.get(f"/sound/{CALL}", headers={"range": "bytes=0-1"}).status_code == 206
    assert not is_listened(people)
    assert manager.send("/listened", call_id=CALL, seconds="3600").json() == {"listened": False}  # that much cannot have passed
    manager.send("/reviewed", call_id=CALL)
    assert not is_listened(people)


def test_seconds_that_played_count_as_listening(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    manager, now = people.person("manager"), listening.present()
    manager.get(f"/sound/{CALL}")
    monkeypatch.setattr(listening, "present", lambda: now + 5)
    assert manager.send("/listened", call_id=CALL, seconds="1.0").json() == {"listened": False} and not is_listened(people)
    monkeypatch.setattr(listening, "present", lambda: now + 60)
    assert manager.send("/listened", call_id=CALL, seconds="12").json() == {"listened": True} and is_listened(people)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-5", "0", "1e400"])
def test_seconds_that_are_none_add_nothing(people: People, seconds: str) -> None:
    manager = people.person("manager")
    manager.get(f"/sound/{CALL}")
    assert manager.send("/listened", call_id=CALL, seconds=seconds).json() == {"listened": False}
    assert people.store.rows("select played_s from listenings") == [{"played_s": 0}]


def test_who_reviews_nothing_or_sees_no_such_call_reports_nothing(people: People) -> None:
    assert people.person("manager").send("/listened", call_id=CALL, seconds="soon").status_code == 400
    for name in ("trainer", "analyst", "op-1"):
        people.person(name).get(f"/sound/{CALL}")
        assert people.person(name).send("/listened", call_id=CALL, seconds="60").status_code == 403
    assert people.person("manager").send("/listened", call_id="odesa-1", seconds="60").status_code == 404
    assert people.store.rows("select 1 from listenings") == []


@pytest.mark.parametrize(("duration_s", "least_s"), [(None, 10.0), (0.0, 10.0), (5.0, 4.0), (12.5, 10.0), (600.0, 10.0)])
def test_of_a_short_call_most_has_to_be_played(duration_s: float | None, least_s: float) -> None:
    assert listening.least_s(duration_s) == least_s
