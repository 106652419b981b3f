"""A call for accounts with access: its page, its sound with personal data beeped, its clips; and no access for all others."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines import warehouse
from pipelines.app_db import database
from pipelines.audio import step as audio
from pipelines.coaching import call_sound
from pipelines.coaching.call_sound import CallSounds
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.queries import call_details, masking
from pipelines.queries.snapshot import Snapshot
from pipelines.reports import static_pages
from tests.web.conftest import HOSTILE
from tests.web.made_calls import Made, load_and_publish, record, some_calls
from tests.web.people import People

TRAPS = [
    "/calls/irkutsk-1", "/calls/nobody-1", "/calls/kyiv-9", "/calls/", "/calls/..%2f..%2fpeople.sqlite3", "/calls/%00", "/calls/kyiv-1'%20or%20'1'='1",
    "/sound/irkutsk-1", "/sound/../../etc/passwd", "/sound/..%2f..%2frecordings%2fkyiv-1.wav", "/sound/kyiv-1.wav", "/peaks/irkutsk-1",
    "/clips/..%2fpeople.sqlite3", "/clips/nothing", "/clips/%2e%2e%2fclips.parquet", "/operators/irkutsk/op-1", "/operators/kyiv/op-99", "/centres/irkutsk", "/centres/xyz",
]  # fmt: skip


def of_call(people: People, call_id: str) -> dict[str, list[dict[str, object]]]:
    with people.app.state.site.snapshot.read() as published:
        return {view: published.rows(f"select * from {view} where call_id = ?", call_id) for view in ("personal_data", "coaching_clips")}


def share_of_tone(path_or_bytes: bytes, folder: Path, start_s: float, end_s: float) -> float:
    """How much of a stretch of the sound is the tone of 1000 Hz that covers personal data."""
    file = folder / "heard.ogg"
    file.write_bytes(path_or_bytes)
    samples = audio.decode(file).tracks[0][int(start_s * audio.RATE_HZ) : int(end_s * audio.RATE_HZ)]
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / audio.RATE_HZ)
    return float(power[(at > 950) & (at < 1050)].sum() / power.sum())


@pytest.mark.parametrize("path", TRAPS)
def test_what_is_not_of_ones_centres_is_answered_as_if_it_were_not_there(people: People, path: str) -> None:
    trainer = people.person("trainer")
    answer, nothing = trainer.get(path), trainer.get("/calls/no-such-call")
    assert answer.status_code == 404
    assert answer.text.replace(path, "") == nothing.text.replace("/calls/no-such-call", "")  # the answer does not reveal whether it exists
    assert people.last_note()["outcome"] == "refused"


def test_an_operator_sees_and_plays_own_calls_only(people: People) -> None:
    operator = people.person("op-1")
    assert operator.get("/").headers["location"] == "/operators/kyiv/op-1"
    assert "kyiv-1" in operator.get("/operators/kyiv/op-1").text
    assert operator.get("/calls/kyiv-1").status_code == 200 and operator.get("/sound/kyiv-1").status_code == 200
    for path in ("/calls/kyiv-2", "/sound/kyiv-2", "/peaks/kyiv-2", "/operators/kyiv/op-2", "/operators/odesa/op-1", "/calls/odesa-1"):
        assert operator.get(path).status_code == 404, path
        assert people.last_note()["account_name"] == "op-1" and people.last_note()["outcome"] == "refused"
    other = of_call(people, "kyiv-2")["coaching_clips"]
    assert other and all(operator.get(f"/clips/{clip['clip_id']}").status_code == 404 for clip in other)
    assert operator.get("/centres/kyiv").status_code == 403


def test_an_analyst_reads_but_plays_no_recording(people: People) -> None:
    analyst = people.person("analyst")
    page = analyst.get("/calls/kyiv-2")
    assert page.status_code == 200 and "<audio" not in page.text
    clip = of_call(people, "kyiv-2")["coaching_clips"][0]["clip_id"]
    assert {analyst.get(path).status_code for path in ("/sound/kyiv-2", "/peaks/kyiv-2", f"/clips/{clip}")} == {403}


def test_personal_data_is_beeped_for_all_who_have_no_right_to_hear_it(people: People, tmp_path: Path) -> None:
    span = of_call(people, "kyiv-1")["personal_data"][0]
    start_s, end_s = float(str(span["start_s"])), float(str(span["end_s"]))
    for name in ("trainer", "manager", "admin", "op-1"):
        heard = people.person(name).get("/sound/kyiv-1").content
        assert share_of_tone(heard, tmp_path, start_s, end_s) > 0.9, name
        assert share_of_tone(heard, tmp_path, start_s - 1.5, start_s - 0.5) < 0.1
    whole = people.person("whole").get("/sound/kyiv-1").content
    assert share_of_tone(whole, tmp_path, start_s, end_s) < 0.1


def test_sound_comes_in_ranges_and_each_listening_is_recorded_once(people: People) -> None:
    manager = people.person("manager")
    before = people.store.rows(
        "select count(*) as n from audit where action = 'heard' and account_name = 'manager' and subject = 'kyiv-2'"
    )[0]["n"]
    everything = manager.get("/sound/kyiv-2")
    assert (
        everything.status_code == 200
        and everything.headers["accept-ranges"] == "bytes"
        and everything.headers["content-type"] == "audio/ogg"
    )
    part = manager.get("/sound/kyiv-2", headers={"range": "bytes=100-299"})
    assert part.status_code == 206 and part.content == everything.content[100:300]
    assert manager.get("/sound/kyiv-2", headers={"range": "bytes=99999999-"}).status_code == 416
    after = people.store.rows("select centre_id from audit where action = 'heard' and account_name = 'manager' and subject = 'kyiv-2'")
    assert len(after) == before + 1 and after[-1]["centre_id"] == "kyiv"
    clip = of_call(people, "kyiv-2")["coaching_clips"][0]["clip_id"]
    assert manager.get(f"/clips/{clip}").headers["content-type"] == "audio/ogg"
    assert people.last_note() == {
        "account_name": "manager",
        "action": "heard_clip",
        "outcome": "done",
        "subject": clip,
        "centre_id": "kyiv",
    }


def test_the_drawing_shows_who_speaks_when(people: People) -> None:
    lanes = json.loads(people.person("manager").get("/peaks/kyiv-1").text)["lanes"]
    assert set(lanes) == {"operator", "client"} and {len(lane) for lane in lanes.values()} == {call_sound.PEAKS}
    with people.app.state.site.snapshot.read() as published:
        turn = published.rows(
            "select *, (select duration_s from calls where call_id = 'kyiv-1') as length from turns where call_id = 'kyiv-1' limit 1"
        )[0]
    middle = int((turn["start_s"] + turn["end_s"]) / 2 / turn["length"] * call_sound.PEAKS)
    assert lanes["operator"][middle] > 50 and lanes["client"][middle] == 0


def test_the_page_has_everything_of_the_call_at_its_time(people: People) -> None:
    page = people.person("manager").get("/calls/kyiv-2").text
    assert page.count("data-at=") > 15 and 'class="player"' in page and 'class="moment"' in page
    assert re.search(r'<g class="point fail"|<g class="point pass"', page) and "Rule version 1." in page
    assert 'class="chip"' in people.person("manager").get("/calls/kyiv-1").text


def test_what_a_client_says_never_becomes_part_of_a_page(people: People) -> None:
    admin = people.person("admin")
    path = "/calls/odesa%2F2%20%3Cb%3E"
    page = admin.get(path)
    assert page.status_code == 200 and HOSTILE not in page.text and "{{ 7*7 }}" in page.text.replace("&#39;", "'")
    assert page.text.count("<script") == 2 and "<img" not in page.text
    operator = re.search(r'href="(/operators/odesa/[^"]+)"', page.text)
    assert operator and admin.get(operator[1]).status_code == 200
    assert "%2F" in operator[1]


def test_a_recording_that_was_exchanged_is_not_played(settings: Settings, tmp_path: Path) -> None:
    made = some_calls()[0]
    file = record(made, tmp_path / "recordings")
    load_and_publish(settings, [made], recordings=tmp_path / "recordings")
    with open_published(settings) as published:
        call = published.rows("select * from calls")[0]
        spans = call_sound.personal_spans(published, made.call_id)
    other = record(Made("kyiv-77", "kyiv", "uk", made.lines), tmp_path)
    shutil.copy(other, file)
    with pytest.raises(call_sound.NoSoundError, match="sound_gone"):
        CallSounds(settings).rendering(call, spans, whole=False)
    file.unlink()
    with pytest.raises(call_sound.NoSoundError, match="sound_gone"):
        CallSounds(settings).rendering(call, spans, whole=False)


def test_what_was_rendered_and_noted_of_a_call_is_forgotten_with_it(settings: Settings, tmp_path: Path) -> None:
    calls = some_calls()[:2]
    for made in calls:
        record(made, tmp_path / "recordings")
    load_and_publish(settings, calls, recordings=tmp_path / "recordings")
    sounds, kept = CallSounds(settings), database.open_store(settings)
    with open_published(settings) as published:
        for row in published.rows("select * from calls"):
            sounds.rendering(row, call_sound.personal_spans(published, row["call_id"]), whole=False)
    with kept.writing() as db:
        db.execute("insert into accounts values (1, 'x', 'manager', '', null, 0, 1, null, 0)")
        db.executemany("insert into reviewed_calls values (?, 1, 0)", [(made.call_id,) for made in calls])
    assert len(list(sounds.folder.iterdir())) == 4
    warehouse.erase_client(settings, "c-1")
    warehouse.publish(settings)
    static_pages.publish_pages(settings)
    assert not list(sounds.folder.iterdir()) and not kept.rows("select * from reviewed_calls")


def test_the_server_reads_what_was_published_last(settings: Settings) -> None:
    load_and_publish(settings, some_calls()[:1])
    snapshot = Snapshot(settings)
    with snapshot.read() as before:
        assert before.once("n", lambda: before.rows("select count(*) as n from calls")[0]["n"]) == 1
        load_and_publish(settings, some_calls()[:3])
        with snapshot.read() as after:
            assert after.once("n", lambda: after.rows("select count(*) as n from calls")[0]["n"]) == 3
        assert before.rows("select count(*) as n from calls")[0]["n"] == 1  # a request that began before ends with what it began with
    snapshot.close()


def test_a_text_that_was_kept_raw_is_masked_for_who_may_not_read_it(people: People) -> None:
    personal = [{"kind": "account", "turn_no": 1, "start_s": 2.0, "end_s": 3.0}]
    words = [
        {"turn_no": 1, "text": text, "start_s": n * 0.5, "end_s": n * 0.5 + 0.4}
        for n, text in enumerate(["мой", "счёт", "номер", "это", "сорок", "два,", "да"])
    ]
    assert masking.masked(words, personal) == "мой счёт номер это [ACCOUNT] да"

    class Kept:
        def rows(self, sql: str, *_: object) -> list[dict[str, object]]:
            return personal if "personal_data" in sql else words

        of_calls = rows

    rows = {
        "turns": [{"turn_no": 1, "text": "мой счёт номер это сорок два, да"}],
        "criterion_results": [{"quote": "это сорок", "start_s": 1.5, "end_s": 2.4}, {"quote": "мой счёт", "start_s": 0.0, "end_s": 0.9}],
    }
    masking.mask(Kept(), "x", rows)  # type: ignore[arg-type]
    assert "сорок" not in str(rows) and rows["criterion_results"][1]["quote"] == "мой счёт"
    assert [p["chip"] for p in call_details.parts_of(str(rows["turns"][0]["text"]), []) if p["chip"]] == ["ACCOUNT"]
