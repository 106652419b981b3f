"""Contents of a coaching pack: no personal data in text or sound, a disguised voice where requested, and nothing after its last day."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asr import loading
from models.languages.language import words_of
from pipelines import warehouse
from pipelines.__main__ import main
from pipelines.app_db.accounts import Account
from pipelines.app_db.database import open_store
from pipelines.audio import step as audio
from pipelines.coaching import pack_sound, packs, proposals, voice_disguise
from pipelines.coaching.call_sound import CallSounds, NoSoundError
from pipelines.coaching.packs import Balance
from pipelines.core.published import open_published
from pipelines.core.records import Call, Turn
from pipelines.core.settings import Settings
from pipelines.i18n.wording import wording
from pipelines.queries import moments, quotes
from pipelines.queries.moment_query import MomentQuery
from pipelines.reports import pack_export, static_pages
from pipelines.transcribe import step as transcribe
from tests.web.made_calls import Made, load_and_publish, record, some_calls
from tests.web.people import People
from tests.web.test_call_routes import share_of_tone
from tests.web.test_trainer import HTML, moment_ids, new_pack


class RawMade(Made):
    """A call whose words were kept raw."""

    def turns(self) -> list[Turn]:
        return [
            replace(t, tokens=tuple(replace(o, raw="12345") if o.text == "[ACCOUNT]" else o for o in t.tokens)) for t in super().turns()
        ]


TRAINER = Account(1, "trainer", "trainer", frozenset({"*"}))


class Asked(HTMLParser):
    """What a page refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.of: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.of += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data", "poster", "background")]


def exported(people: People, path: str) -> zipfile.ZipFile:
    answer = people.person("trainer").get(f"{path}/export.zip")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="callgrade-pack-\w+\.zip"', answer.headers["content-disposition"])
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_an_export_opens_offline_and_holds_sounds_transcript_and_side_car(people: People, tmp_path: Path) -> None:
    trainer = people.person("trainer")
    path = new_pack(trainer, "criterion:solution_given:kyiv-1", "criterion:company_named:kyiv-2", title="../../etc <b>")
    trainer.send(path, title="../../etc <b>", notes=HTML)
    trainer.send(f"{path}/moments/{moment_ids(trainer.get(path))[0]}", notes=HTML, kind="good_example")
    archive_file = exported(people, path)
    assert people.last_note() == {"account_name": "trainer", "action": "exported", "outcome": "done", "subject": f"{path.split('/')[-1]}.zip", "centre_id": "kyiv"}  # fmt: skip
    assert archive_file.namelist() == ["index.html", "transcript.txt", "pack.json", "audio/01-good-example.ogg", "audio/02-to-improve.ogg"]
    page = archive_file.read("index.html").decode()
    asked = Asked(page)
    assert asked.of == ["audio/01-good-example.ogg", "audio/02-to-improve.ogg"]  # no network, no server
    assert not {"script", "img", "link", "iframe"} & set(asked.tags) and "default-src 'none'" in page and "url(http" not in page
    side = json.loads(archive_file.read("pack.json"))
    first = side["moments"][0]
    assert first["audio"] == "audio/01-good-example.ogg" and first["beeps"] and first["turns"] and side["title"] == "../../etc <b>"
    assert "op-1" not in page + json.dumps(side)  # a pack names no operator
    transcript = archive_file.read("transcript.txt").decode()
    assert "переплата" in transcript and "[ACCOUNT]" in transcript
    start_s, end_s = (t - first["start_s"] for t in first["beeps"][0])
    heard = archive_file.read(first["audio"])
    assert share_of_tone(heard, tmp_path, start_s + 0.05, end_s - 0.05) > 0.9


def test_personal_data_in_titles_and_notes_is_masked_before_it_is_stored(people: People) -> None:
    """In whichever language it is typed; lines stay as they were written."""
    trainer = people.person("trainer")
    path = new_pack(trainer, "criterion:solution_given:kyiv-1", title="Іванов Петро, тариф")
    pack_id = path.split("/")[-1]
    assert people.store.rows("select title from packs where pack_id = ?", pack_id) == [{"title": "[NAME] тариф"}]
    trainer.send(
        path,
        title="Call back Maria Smith at 067 123 45 67",
        notes="Слушать вдвоём:\nклиент Иванов Пётр, счёт 8123456789\n\nmail john@hill.com",
    )
    trainer.send(
        f"{path}/moments/{moment_ids(trainer.get(path))[0]}", notes="Kovács István vagyok mondja\ntel. 06 30 123 4567", kind="good_example"
    )
    (pack,) = people.store.rows("select title, notes from packs where pack_id = ?", pack_id)
    assert pack == {"title": "Call back [NAME] at [PHONE]", "notes": "Слушать вдвоём:\nклиент [NAME] счёт [ACCOUNT]\n\nmail [EMAIL]"}
    (moment,) = packs.moments_of(people.store, pack_id)
    assert moment["notes"] == "[NAME] vagyok mondja\ntel. [PHONE]"
    archive_file = exported(people, path)
    everything = (
        "".join(archive_file.read(name).decode() for name in ("index.html", "transcript.txt", "pack.json")) + trainer.get(path).text
    )
    for personal in ("Smith", "123 45 67", "Иванов", "8123456789", "hill", "Kovács", "4567"):
        assert personal not in everything, personal


def test_a_pack_whose_moment_is_refused_is_not_made(people: People) -> None:
    before = people.store.rows("select count(*) as n from packs")
    assert people.person("trainer").send("/trainer/packs", title="x", moment=["turn:999:kyiv-1"]).status_code == 404
    assert people.store.rows("select count(*) as n from packs") == before


def test_moments_are_beeped_for_everybody_and_served_in_ranges(people: People, tmp_path: Path) -> None:
    path = new_pack(people.person("trainer"), "turn:2:kyiv-1")
    inside = moment_ids(people.person("trainer").get(path))[0]
    page = people.person("whole").get(path)  # may access personal data elsewhere
    assert "[ACCOUNT]" not in page.text
    for name in ("trainer", "whole"):
        person = people.person(name)
        sound = person.get(f"{path}/sound/{inside}")
        assert sound.status_code == 200 and sound.headers["accept-ranges"] == "bytes"
        assert people.last_note()["action"] == "heard_clip" and inside in str(people.last_note()["subject"])
        side = json.loads(zipfile.ZipFile(io.BytesIO(person.get(f"{path}/export.zip").content)).read("pack.json"))["moments"][0]
        start_s, end_s = (t - side["start_s"] for t in side["beeps"][0])
        assert share_of_tone(sound.content, tmp_path, start_s + 0.05, end_s - 0.05) > 0.9
    assert person.get(f"{path}/sound/{inside}", headers={"range": "bytes=10-19"}).status_code == 206


def test_a_pack_is_gone_after_its_last_day_and_its_files_with_it(people: People, site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = people.person("trainer")
    path = new_pack(trainer, "criterion:greeting:kyiv-1")
    inside = moment_ids(trainer.get(path))[0]
    assert trainer.get(f"{path}/sound/{inside}").status_code == 200
    folder = packs.folder(site) / path.split("/")[-1]
    assert len(list(folder.iterdir())) == 1
    later = packs.end_of(date.today() + timedelta(days=packs.DAYS_KEPT + 1)) + 60
    with monkeypatch.context() as time:
        time.setattr(packs, "present", lambda: later)
        for get in (path, f"{path}/sound/{inside}", f"{path}/export.zip"):
            assert trainer.get(get).status_code == 404
        assert path not in trainer.get("/trainer").text
        static_pages.publish_pages(site)
    assert not folder.exists()
    assert not people.store.rows("select * from pack_moments where pack_id = ?", path.split("/")[-1])


def test_a_moment_of_a_forgotten_or_exchanged_call_is_not_played(tmp_path: Path) -> None:
    settings = Settings.from_environment(warehouse=tmp_path / "w.duckdb")
    calls = some_calls()[:2]
    for one in calls:
        record(one, tmp_path / "recordings")
    load_and_publish(settings, calls, recordings=tmp_path / "recordings")
    store, sounds = open_store(settings), CallSounds(settings)
    pack_id = packs.make(store, TRAINER, "kyiv", "A pack", packs.last_day(settings))
    pack = packs.find(store, TRAINER, pack_id)
    assert pack is not None
    with open_published(settings) as published:
        call = published.rows("select * from calls where call_id = 'kyiv-1'")[0]
        assert packs.add(store, pack, [row for key in ("turn:1:kyiv-1", "turn:1:kyiv-2") if (row := moments.found(published, key))]) == 2
        moment = packs.moments_of(store, pack_id)[0]
        wanted = pack_sound.piece(settings, published, pack, moment, call)
        assert pack_sound.cut(sounds, published, moment, call, wanted).exists()
        with pytest.raises(NoSoundError, match="sound_gone"):
            pack_sound.cut(sounds, published, moment, call | {"recording_sha256": "f" * 64}, wanted)
    warehouse.erase_client(settings, "c-1")
    warehouse.publish(settings)
    static_pages.publish_pages(settings)
    assert packs.moments_of(store, pack_id) == [] and not list(packs.folder(settings).rglob("*.ogg"))


def test_a_pack_of_a_warehouse_that_kept_words_raw_is_masked_all_the_same(tmp_path: Path) -> None:
    settings = Settings.from_environment(warehouse=tmp_path / "raw.duckdb", keep_text="raw")
    made_call = some_calls()[0]
    raw = RawMade(made_call.call_id, made_call.centre_id, made_call.language, made_call.lines)
    record(raw, tmp_path / "recordings")
    load_and_publish(settings, [raw], recordings=tmp_path / "recordings")
    with open_published(settings) as published:
        wanted = MomentQuery(("kyiv",), text="12345", is_exact=True)
        assert moments.search(published, wanted) == []  # what may not be read is not found either
        assert len(moments.search(published, wanted, hears_personal_data=True)) == 1
        others = moments.search(published, MomentQuery(("kyiv",), text="рахунок"))
        assert others and all("12345" not in row["quote"] for row in others)
    everything = b"".join(content for _, content in packed(settings, ["turn:2:kyiv-1"], "en"))
    assert b"12345" not in everything and b"[ACCOUNT]" in everything


def packed(settings: Settings, keys: Iterable[str], language: str, *, is_disguised: bool = False) -> list[tuple[str, bytes]]:
    """The files of the export of a pack made of these moments."""
    store, sounds = open_store(settings), CallSounds(settings)
    with open_published(settings) as published:
        found = [row for key in keys if (row := moments.found(published, key))]
        pack_id = packs.make(store, TRAINER, found[0]["centre_id"], "A pack", packs.last_day(settings))
        packs.change(
            store, pack_id, title="A pack", notes="", operator_id=None, is_disguised=is_disguised, expires=packs.last_day(settings)
        )
        pack = packs.find(store, TRAINER, pack_id)
        assert pack is not None and packs.add(store, pack, found) == len(found)
        rows = []
        for moment in packs.moments_of(store, pack_id):
            call = published.rows("select * from calls where call_id = ?", moment["call_id"])[0]
            piece = pack_sound.piece(settings, published, pack, moment, call)
            talk = [t | {"pieces": [t["text"]], "is_it": True} for t in quotes.context(published, call["call_id"], *piece.span)]
            rows.append(
                moment | {"title": "x", "piece": piece, "talk": talk, "file": pack_sound.cut(sounds, published, moment, call, piece)}
            )
        archive_file = zipfile.ZipFile(io.BytesIO(pack_export.archive(pack, rows, "centre", wording(language))))
    return [(name, archive_file.read(name)) for name in archive_file.namelist()]


def recognise(file: Path, language_of: str, settings: Settings) -> str:
    """What the real engine understands of a sound."""
    call = Call(language_of, language_of.split("-")[0], str(file), "", 0, None)
    one = transcribe.prepare(call, audio.facts_of(call.call_id, audio.decode(file)))
    transcribe.listen([one], loading.get_recogniser("offline", settings.models_dir))
    return " ".join(w.text for w in one.words)


@pytest.mark.slow
def test_nothing_personal_is_readable_or_audible_in_the_pack_of_a_real_call(calls_folder: Path, tmp_path: Path) -> None:
    """The exported sound is heard again by the engine that hears calls; the same piece without beeps shows that it would understand."""
    name = "irkutsk-ru-001"
    reference = json.loads((calls_folder / "reference" / f"{name}.json").read_text(encoding="utf-8"))
    with (calls_folder / "calls.csv").open(encoding="utf-8", newline="") as log:
        rows = [row for row in csv.DictReader(log) if row["call_id"] == name]
    folder = tmp_path / "calls"
    folder.mkdir()
    turn = next(t for t in reference["turns"] if t["pii"])
    audio.cut_clip(calls_folder / "audio" / f"{name}.ogg", 0.0, turn["end_s"] + 3.0, [], folder / f"{name}.ogg")
    with (folder / "calls.csv").open("w", encoding="utf-8", newline="") as log:
        writer = csv.DictWriter(log, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    settings = Settings.from_environment(warehouse=tmp_path / "w.duckdb")
    assert main(["grade", str(folder), "--warehouse", str(settings.warehouse)]) == 0

    with open_published(settings) as published:
        said = published.rows("select turn_no from turns where start_s < ? and end_s > ?", turn["end_s"] - 0.5, turn["start_s"] + 0.5)
    files = dict(packed(settings, [f"turn:{row['turn_no']}:{name}" for row in said], "ru"))
    bare = audio.cut_clip(folder / f"{name}.ogg", turn["start_s"] - 1, turn["end_s"] + 1, [], tmp_path / "bare.ogg")
    usual = {
        w for t in reference["turns"] for w in words_of(re.sub("|".join(re.escape(p["text"]) for p in t["pii"]) or "$", " ", t["text"]))
    }
    written = {w for p in turn["pii"] for w in words_of(p["text"])} - usual
    audible = set(words_of(recognise(bare, name, settings))) - usual  # the engine writes numbers in digits
    assert len(written) > 5 and len(audible) > 5
    for file in ("index.html", "transcript.txt", "pack.json"):
        assert not written & set(words_of(re.sub("<style>.*</style>", "", files[file].decode(), flags=re.S))), file
    heard = ""
    for file, content in files.items():
        if file.endswith(".ogg"):
            (tmp_path / "again.ogg").write_bytes(content)
            heard += " " + recognise(tmp_path / "again.ogg", name, settings)
    assert len(words_of(heard)) > 5  # the rest is still understood
    assert not (written | audible) & set(words_of(heard)), heard


def sung(pitch_hz: float, seconds: float = 2.0) -> np.ndarray:
    """A voice-like sound: pulses of the throat through two resonances, a little noise."""
    from scipy.signal import lfilter

    count = int(seconds * audio.RATE_HZ)
    pulses = np.zeros(count)
    pulses[np.arange(0, count, audio.RATE_HZ / pitch_hz).astype(int)] = 1.0
    for at_hz, width_hz in ((600, 80), (1400, 110)):
        r = np.exp(-np.pi * width_hz / audio.RATE_HZ)
        pulses = lfilter([1.0], [1.0, -2 * r * np.cos(2 * np.pi * at_hz / audio.RATE_HZ), r * r], pulses)
    return (0.3 * pulses / np.abs(pulses).max() + 0.0005 * np.random.default_rng(1).standard_normal(count)).astype(np.float32)


@pytest.mark.parametrize("pitch_hz", [95.0, 130.0, 165.0, 220.0, 260.0])
def test_another_voice_has_another_pitch_and_as_long_a_sound(pitch_hz: float) -> None:
    before = sung(pitch_hz)
    after = voice_disguise.disguise(before, np.random.default_rng(5))
    assert after.shape == before.shape and after.dtype == np.float32 and np.abs(after).max() <= 1
    assert voice_disguise._pitch_hz(before.astype(float)) == pytest.approx(pitch_hz, rel=0.03)
    change = voice_disguise._pitch_hz(after.astype(float)) / pitch_hz
    assert 1.12 < max(change, 1 / change) < 1.6


def test_only_the_operators_own_words_keep_their_voice() -> None:
    turns = [
        {"role": "operator", "track": 0, "start_s": 10.0, "end_s": 12.0}, {"role": "client", "track": 0, "start_s": 11.5, "end_s": 13.0},
        {"role": "operator", "track": 0, "start_s": 13.5, "end_s": 14.0},
    ]  # fmt: skip
    mixed = np.stack([sung(120, 4.5)])
    changed = voice_disguise.disguise_client(mixed, turns, 10.0)
    same = [
        bool(np.array_equal(mixed[0, a:b], changed[0, a:b]))
        for a, b in ((1000, 23000), (24500, 47000), (48500, 55000), (57500, 63000), (65000, 71000))
    ]
    assert same == [True, False, False, True, False]  # over both, in the client's turn, outside all turns
    stereo = np.stack([sung(120), sung(200)])
    by_track = [turn | {"track": int(turn["role"] == "client")} for turn in turns]
    changed = voice_disguise.disguise_client(stereo, by_track, 10.0)
    assert np.array_equal(changed[0], stereo[0]) and not np.allclose(changed[1], stereo[1], atol=0.05)
    unknown = voice_disguise.disguise_client(stereo, [turn | {"role": "unknown"} for turn in turns], 10.0)
    assert not np.allclose(unknown[0], stereo[0], atol=0.05) and not np.allclose(unknown[1], stereo[1], atol=0.05)


@hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 4), st.floats(0.7, 1.0)), max_size=12))
def test_a_proposed_pack_is_as_balanced_as_its_calls_allow(some: list[tuple[bool, int, int, float]]) -> None:
    rows = [
        {
            "kind": "good_example" if good else "to_improve",
            "call_id": f"c{call}",
            "criterion_id": f"k{point}",
            "confidence": sure,
            "start_s": float(n),
        }
        for n, (good, call, point, sure) in enumerate(some)
    ]
    kinds = [row["kind"] for row in rows]
    picked = [row["kind"] for row in proposals.chosen(rows)]
    good, other = picked.count("good_example"), picked.count("to_improve")
    if {"good_example", "to_improve"} <= set(kinds):
        assert (
            good == other == min(proposals.OF_A_KIND, kinds.count("good_example"), kinds.count("to_improve"))
            and Balance(good, other).is_balanced
        )
    else:
        assert len(picked) == min(proposals.OF_A_KIND, len(rows))


def test_balance_asks_for_both_kinds() -> None:
    assert [Balance(*pair).is_balanced for pair in ((1, 1), (2, 1), (1, 2), (3, 1), (0, 1), (4, 0), (0, 0))] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]
