"""The weekly search on a published site: a planted reason is found, named, quoted, decided on, and forgotten with its calls."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from models.text.sentence_encoder import get_sentence_encoder
from models.training.topics import read_topics
from pipelines import flow
from pipelines.__main__ import main
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.core.errors import MisconfiguredError
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.discovery import reasons, weekly
from pipelines.discovery.names import distinguishing_words
from pipelines.discovery.openings import Opening
from pipelines.scorecards import drafts
from tests.web.made_calls import Made, load_and_publish

MONDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 8)
REASON = (
    "Прийшло повідомлення, що мій лічильник заблоковано через шахрайський сайт, що це таке?",
    "Добрий день, мені написали у вайбері, нібито лічильник заблоковано, це ви чи шахраї?",
    "Отримала повідомлення з посиланням, що лічильник заблоковано, просять картку. Це шахраї?",
    "Скажіть, це справді від вас повідомлення, що лічильник заблоковано? Схоже на шахраїв.",
    "Мамі надіслали повідомлення, ніби лічильник заблоковано і треба платити. Шахраї якісь?",
    "Дзвоню щодо повідомлення про заблокований лічильник, там посилання, боюся, що шахраї.",
    "У мене повідомлення: лічильник заблоковано, перейдіть за посиланням. Чи не шахраї це?",
)


def ordinary(number: int) -> list[str]:
    """What clients of many industries say first in Ukrainian."""
    said = [sentence for topic in read_topics() for sentence in topic.said.get("uk", ())]
    return random.Random(1).sample(said, number)


def call(number: int, day: date, text: str, topic: str = "other") -> Made:
    started_at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC) + timedelta(minutes=number % 400)
    return Made(
        f"k-{number:04d}", "kyiv", "uk", [("operator", "Добрий день, слухаю вас."), ("client", text), ("operator", "Зрозуміло.")],
        started_at=started_at, topic=topic,
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two weeks before with 150 ordinary calls, and a week with 40, in seven of which clients ask about a fraudulent message."""
    said = ordinary(190)
    calls = [call(n, MONDAY - timedelta(days=1 + n % 14), said[n]) for n in range(150)]
    calls += [call(150 + n, MONDAY + timedelta(days=n % 7), said[150 + n]) for n in range(40)]
    calls += [call(300 + n, MONDAY + timedelta(days=n % 7), text) for n, text in enumerate(REASON)]
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("discovery") / "w.duckdb")
    load_and_publish(settings, calls)
    return settings


@pytest.fixture
def store(built: Settings) -> AppDatabase:
    store = open_store(built)
    with store.writing() as db:
        db.execute("delete from new_reasons")
    return store


def search(built: Settings, last_day: date = SUNDAY) -> weekly.SearchedWeek:
    (found,) = weekly.discover(built, "kyiv", last_day)
    return found


def of_reason(calls: Sequence[tuple[str, int]]) -> int:
    return sum(call_id >= "k-0300" for call_id, _ in calls)


def test_a_new_reason_is_found_with_its_words_its_calls_and_its_share(built: Settings, store: AppDatabase) -> None:
    found = search(built)
    assert (found.calls, found.first_day, found.too_few) == (47, MONDAY, False)
    (reason,) = found.found
    assert of_reason(reason.calls) >= 6 and len(reason.calls) <= 8 and reason.earlier <= 1
    assert "лічильник" in reason.words or "заблокувати" in reason.words or "шахрай" in reason.words
    (row,) = reasons.listed(store, "kyiv")
    assert (row["calls"], row["compared"], row["status"]) == (len(reason.calls), 47, "new")
    with open_published(built) as published:
        quotes = reasons.quotes(published, reasons.calls_of(store, [row["reason_id"]])[: reasons.MOST_QUOTES])
    assert len(quotes) == 5 and {quote["text"] for quote in quotes} <= {*REASON} | {*ordinary(190)}
    assert all(quote["turn_no"] == 2 for quote in quotes)


def test_weeks_without_it_show_nothing_and_searching_again_changes_nothing(built: Settings, store: AppDatabase) -> None:
    assert search(built, MONDAY - timedelta(days=1)).found == ()
    first = search(built)
    assert search(built) == first and len(reasons.listed(store, "kyiv")) == 1


def test_a_week_with_too_few_calls_says_so(built: Settings, store: AppDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", "--warehouse", str(built.warehouse), "--centre", "kyiv", "--until", "2026-04-05"]) == 0
    assert "Too few calls" in capsys.readouterr().out
    assert main(["discover", "--warehouse", str(built.warehouse), "--centre", "kiyv"]) == 2
    assert "kyiv" in capsys.readouterr().err
    assert main(["discover", "--warehouse", str(built.warehouse), "--until", str(SUNDAY)]) == 0
    said = capsys.readouterr().out
    assert "kyiv, 2026-03-02 to 2026-03-08: 47 calls" in said and "% of calls, 0.0 % before" in said


def test_a_dismissed_reason_stays_away_until_it_doubles(built: Settings, store: AppDatabase) -> None:
    search(built)
    (row,) = reasons.listed(store, "kyiv")
    assert reasons.dismiss(store, row, "anna") and not reasons.dismiss(store, row, "boris")
    assert search(built).found == () and [one["status"] for one in reasons.listed(store, "kyiv")] == ["dismissed"]
    with store.writing() as db:  # as if it had been in fewer calls when it was dismissed
        db.execute("update new_reasons set calls = 2")
    assert len(search(built).found) == 1


def test_another_reason_that_was_dismissed_hides_nothing_but_the_same_one_of_another_week_does(built: Settings, store: AppDatabase) -> None:
    search(built)
    (row,) = reasons.listed(store, "kyiv")
    calls = [(one["call_id"], one["turn_no"]) for one in reasons.calls_of(store, [row["reason_id"]])]
    for before in ([(f"k-{n:04d}", 2) for n in range(len(calls))], calls):
        with store.writing() as db:
            db.execute("delete from new_reasons")
        day = MONDAY - timedelta(days=7)
        same = reasons.FoundReason(("інше",), tuple(before), row["compared"], 0, 400, 0.001)
        reasons.replace_week(store, "kyiv", day, day + timedelta(days=6), [same])
        found = search(built).found
        assert len(found) == (0 if before is calls else 1)


def test_a_reason_becomes_a_topic_of_the_draft(
    built: Settings, store: AppDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.core.profile_files import PACKAGED
    from pipelines.core.settings import ROOT

    monkeypatch.setenv("CALLGRADE_CENTRES", str(tmp_path))
    (tmp_path / "kyiv.yaml").write_bytes((ROOT / PACKAGED / "kyiv.yaml").read_bytes())
    search(built)
    (row,) = reasons.listed(store, "kyiv")
    with open_published(built) as published:
        topic_id = reasons.make_topic(store, published, row, "anna")
        with pytest.raises(MisconfiguredError, match="anna"):
            reasons.make_topic(store, published, reasons.listed(store, "kyiv")[0], "boris")
    draft = drafts.load_draft(store, "kyiv")
    assert draft is not None and draft.edited_by == "anna"
    topic = next(t for t in drafts.profile_of("kyiv", draft.text).topics if t.topic_id == topic_id)
    assert len(topic.examples) == 5 and set(topic.examples) <= {*REASON} | {*ordinary(190)}
    assert topic.title["uk"] == row["words"]
    assert search(built).found == ()  # it waits for activation
    drafts.discard_draft(store, "kyiv", "anna")


def test_calls_that_fit_a_topic_are_not_compared(built: Settings, tmp_path: Path) -> None:
    said = ordinary(150)
    calls = [call(n, MONDAY - timedelta(days=1 + n % 14), said[n]) for n in range(110)]
    calls += [call(150 + n, MONDAY + timedelta(days=n % 7), said[110 + n]) for n in range(40)]
    calls += [call(300 + n, MONDAY, text, topic="fraud_warning") for n, text in enumerate(REASON)]
    settings = Settings.from_environment(warehouse=tmp_path / "w.duckdb")
    load_and_publish(settings, calls)
    assert search(settings).found == ()


def test_a_forgotten_call_is_forgotten_here_too(built: Settings, store: AppDatabase, tmp_path: Path) -> None:
    search(built)
    (row,) = reasons.listed(store, "kyiv")
    before = reasons.calls_of(store, [row["reason_id"]])
    flow.forget_old(built.with_(retention_days=1))
    assert reasons.calls_of(store, [row["reason_id"]]) == [] != before


def test_names_are_words_of_several_calls() -> None:
    group = [Opening(f"c{n}", f"[NAME] купон не працює {word}", 2, "uk") for n, word in enumerate(("один", "удома", "вчора", "знову"))]
    others = [Opening(f"o{n}", "світло не працює удома", 2, "uk") for n in range(40)]
    assert distinguishing_words(group, others)[0] == "купон"
    assert not {"один", "вчора", "знову", "name"} & set(distinguishing_words(group, others))


def test_one_reason_in_other_words_is_nearer_than_another(built: Settings) -> None:
    vectors = get_sentence_encoder(built.profile, built.models_dir).vectors([REASON[0], REASON[1], ordinary(1)[0]])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
