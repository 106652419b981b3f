"""An operator plays the packs made for them, and no others; each playback is recorded."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.coaching import packs
from pipelines.core.settings import Settings
from tests.web.people import People
from tests.web.test_call_routes import share_of_tone
from tests.web.test_packs import exported
from tests.web.test_trainer import moment_ids, new_pack


def new_pack_for(people: People, operator_id: str, *keys: str) -> str:
    """The id of a new pack for an operator."""
    trainer = people.person("trainer")
    path = new_pack(trainer, *keys, title=f"For {operator_id}")
    trainer.send(path, title=f"For {operator_id}", notes="For the leader's eyes.", operator=operator_id)
    trainer.send(f"{path}/moments/{moment_ids(trainer.get(path))[0]}", notes="Slower, please.", kind="good_example")
    return path.rpartition("/")[2]


def test_an_operator_plays_a_pack_addressed_to_them(people: People, tmp_path: Path) -> None:
    pack_id = new_pack_for(people, "op-1", "criterion:solution_given:kyiv-1", "criterion:hold_thanked:kyiv-2")
    operator = people.person("op-1")
    listed = operator.get("/my-packs").text
    assert f'href="/my-packs/{pack_id}"' in listed and "For op-1" in listed and 'href="/my-packs" aria-current="page"' in listed
    page = operator.get(f"/my-packs/{pack_id}")
    own, colleagues = moment_ids(page)
    assert "Slower, please." in page.text and "For the leader" not in page.text
    assert 'href="/calls/kyiv-1"' in page.text and "kyiv-2" not in page.text and "op-2" not in page.text  # a good example, not whose
    assert (
        '<span class="chip" lang="en">account</span>' in page.text
        and "<form" not in page.text.partition("<main")[2].partition("</main>")[0]
    )
    for moment_id, call_id in ((own, "kyiv-1"), (colleagues, "kyiv-2")):
        heard = operator.get(f"/my-packs/{pack_id}/sound/{moment_id}")
        assert heard.status_code == 200 and heard.headers["accept-ranges"] == "bytes"
        assert people.last_note() == {
            "account_name": "op-1", "action": "heard_clip", "outcome": "done", "subject": f"{pack_id}/{moment_id} {call_id}", "centre_id": "kyiv",
        }  # fmt: skip
    side = json.loads(exported(people, f"/trainer/packs/{pack_id}").read("pack.json"))["moments"][0]
    start_s, end_s = (t - side["start_s"] for t in side["beeps"][0])
    assert share_of_tone(operator.get(f"/my-packs/{pack_id}/sound/{own}").content, tmp_path, start_s + 0.05, end_s - 0.05) > 0.9
    assert operator.get("/calls/kyiv-2").status_code == 404  # the call itself stays somebody else's


@pytest.mark.parametrize("name", ["op-1", "trainer", "manager", "analyst", "admin"])
def test_a_pack_of_somebody_else_is_not_there_and_who_asks_is_noted(people: People, name: str) -> None:
    others, everybodys = new_pack_for(people, "op-2", "criterion:greeting:kyiv-1"), new_pack_for(people, "", "criterion:greeting:kyiv-1")
    inside = moment_ids(people.person("trainer").get(f"/trainer/packs/{others}"))[0]
    person = people.person(name)
    for path in (f"/my-packs/{others}", f"/my-packs/{others}/sound/{inside}", f"/my-packs/{everybodys}"):
        assert person.get(path).status_code == (404 if name == "op-1" else 403), path
        assert people.last_note()["outcome"] == "refused" and people.last_note()["account_name"] == name
    assert person.get(f"/my-packs/{others}/export.zip").status_code == 404  # there is none to be taken along
    assert people.last_note()["outcome"] == "refused" and people.last_note()["account_name"] == name
    own = new_pack_for(people, "op-1", "criterion:greeting:kyiv-1")
    if name == "op-1":
        assert person.get(f"/my-packs/{own}/sound/{inside}").status_code == 404  # a moment of another pack
        assert others not in person.get("/my-packs").text
    else:
        assert person.get("/my-packs").status_code == 403


def test_it_is_gone_after_its_last_day(people: People, site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pack_id = new_pack_for(people, "op-1", "criterion:greeting:kyiv-1")
    operator = people.person("op-1")
    inside = moment_ids(operator.get(f"/my-packs/{pack_id}"))[0]
    later = packs.end_of(date.today() + timedelta(days=packs.DAYS_KEPT + 1)) + 60
    monkeypatch.setattr(packs, "present", lambda: later)
    assert pack_id not in operator.get("/my-packs").text
    for path in (f"/my-packs/{pack_id}", f"/my-packs/{pack_id}/sound/{inside}"):
        assert operator.get(path).status_code == 404
