"""Versions of a profile by date: activation, undo, changes by hand, and regrading of a span."""

from __future__ import annotations

import stat
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.app_db.database import AppDatabase
from pipelines.centres.profile import CENTRES, load_centre
from pipelines.core import profile_history, staleness, versions
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.core.staging import PENDING, Batch
from pipelines.i18n.wording import wording
from pipelines.reports.presenters import Links, Presenter
from pipelines.scorecards import activation, drafts
from pipelines.scorecards.editing import RemoveCriterion, SetCriterion, edit
from pipelines.scorecards.errors import ConflictError
from tests.scorecards.conftest import TODAY, rescore

ID = "irkutsk"
YESTERDAY, TODAYS, TOMORROW = (TODAY.date() + timedelta(days=days) for days in (-1, 0, 1))
LIGHTER = SetCriterion("greeting", "weight", 1)


def changed(settings: Settings, db: AppDatabase, day: date, *changes: Any) -> str:
    drafts.save_draft(db, ID, edit(drafts.current_text(ID), changes or [LIGHTER]), "anna")
    return activation.activate(settings, db, ID, day, "anna")


def products(settings: Settings) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (settings.stage / "yesterday").rglob("*") if path.is_file()}


def weight(day: date | None) -> float:
    return load_centre(ID, day).scorecard.criteria[0].weight


def test_an_activation_from_tomorrow_changes_no_verdict_and_no_digest_of_yesterday(scored: Settings, db: AppDatabase) -> None:
    before, scored_by = products(scored), versions.graded_by("offline", ID, YESTERDAY)
    assert changed(scored, db, TOMORROW) == "2"
    assert [stale.batch_id for stale in staleness.stale(scored) if stale.step == "score"] == ["tomorrow"]
    assert (scored.stage / "tomorrow" / PENDING).exists()
    assert rescore(scored) == {"yesterday": "1", "tomorrow": "2"}
    assert products(scored) == before and versions.graded_by("offline", ID, YESTERDAY) == scored_by
    assert versions.graded_by("offline", ID, TOMORROW) != scored_by
    assert (weight(YESTERDAY), weight(TODAYS), weight(TOMORROW), weight(None)) == (5, 5, 1, 1)


def test_a_first_activation_of_a_packaged_centre_changes_no_digest(scored: Settings, db: AppDatabase, profiles: Path) -> None:
    (profiles / "irkutsk.yaml").unlink()
    before = products(scored)
    assert "score" not in [stale.step for stale in staleness.stale(scored)]
    changed(scored, db, TOMORROW)
    assert (profiles / "irkutsk.yaml").is_file()
    rescore(scored)
    assert products(scored) == before


def test_a_digest_of_the_packaged_profile_that_an_older_version_stored_is_known(scored: Settings) -> None:
    batch = Batch(scored.stage / "yesterday")
    stored = batch.version_of("score") or {}
    batch.set_version("score", {name.replace("centres/irkutsk", "pipelines/centres/packaged/irkutsk"): one for name, one in stored.items()})
    assert staleness.is_current("score", batch, scored.profile)


def test_a_file_changed_by_hand_is_read_and_scores_its_calls_again(scored: Settings, db: AppDatabase, profiles: Path) -> None:
    file = profiles / "irkutsk.yaml"
    file.write_text(edit(file.read_text(encoding="utf-8"), [SetCriterion("greeting", "weight", 2)]), encoding="utf-8")
    assert sorted(s.batch_id for s in staleness.stale(scored) if s.step == "score") == [
        "tomorrow",
        "yesterday",
    ]  # one version, for every day
    changed(scored, db, TOMORROW)
    file.write_text(edit(file.read_text(encoding="utf-8"), [SetCriterion("greeting", "weight", 3)]), encoding="utf-8")
    assert (weight(YESTERDAY), weight(TOMORROW)) == (2, 3)
    newer = file.read_text(encoding="utf-8").replace('version: "2"', 'version: "by hand"').replace("2026-03-11", "2026-03-20")
    file.write_text(edit(newer, [SetCriterion("greeting", "weight", 4)]), encoding="utf-8")
    assert (weight(YESTERDAY), weight(TOMORROW), weight(date(2026, 3, 20))) == (2, 1, 4)  # version 2 as it was activated
    assert [one.version for one in activation.history(scored, ID)] == ["by hand", "2", "1"]


def test_an_activation_is_undone_and_the_undoing_too(scored: Settings, db: AppDatabase) -> None:
    with pytest.raises(MisconfiguredError, match="Nothing can be undone: “irkutsk” has no version before 1"):
        activation.undo(scored, db, ID, "anna")
    changed(scored, db, TOMORROW)
    assert activation.undo(scored, db, ID, "boris") == "3"
    assert (weight(YESTERDAY), weight(TOMORROW)) == (5, 5)
    newest = activation.history(scored, ID)[0]
    assert (newest.version, newest.effective_from, newest.activated_by, newest.is_current) == ("3", TOMORROW, "boris", True)
    assert activation.undo(scored, db, ID, "boris") == "4" and weight(TOMORROW) == 1
    assert [one.version for one in activation.history(scored, ID)] == ["4", "3", "2", "1"]
    assert activation.load_version(ID, "2").scorecard.version == "2"


def test_a_span_is_regraded_once_approved_and_stays_so(scored: Settings, db: AppDatabase) -> None:
    changed(scored, db, TOMORROW)
    rescore(scored)
    request = activation.request_regrade(scored, db, ID, YESTERDAY, YESTERDAY, "anna")
    assert rescore(scored)["yesterday"] == "1"  # nothing happens before it is approved
    activation.approve_regrade(scored, db, request, "boris")
    activation.note_regraded(scored, db)
    assert activation.regrade_requests(db, ID)[0].done_at is None and (scored.stage / "yesterday" / PENDING).exists()
    assert rescore(scored) == {"yesterday": "2", "tomorrow": "2"}
    activation.note_regraded(scored, db)
    found = activation.regrade_requests(db, ID)[0]
    assert (found.requested_by, found.approved_by, found.done_at is None) == ("anna", "boris", False)
    activation.undo(scored, db, ID, "anna")
    assert rescore(scored) == {"yesterday": "2", "tomorrow": "3"}  # a later run does not turn yesterday back
    with pytest.raises(MisconfiguredError, match="decided already"):
        activation.approve_regrade(scored, db, request, "boris")


def test_a_request_for_a_version_that_is_no_longer_the_newest_is_not_approved(scored: Settings, db: AppDatabase) -> None:
    changed(scored, db, TOMORROW)
    request = activation.request_regrade(scored, db, ID, YESTERDAY, YESTERDAY, "anna")
    activation.undo(scored, db, ID, "anna")
    with pytest.raises(MisconfiguredError, match="for version 2, but 3 is the newest"):
        activation.approve_regrade(scored, db, request, "boris")
    activation.decline_regrade(db, request, "boris")
    found = activation.regrade_requests(db, ID)[0]
    assert found.approved_at is None and found.done_at is not None


def test_the_second_of_two_editors_gets_a_conflict_and_loses_nothing(scored: Settings, db: AppDatabase, profiles: Path) -> None:
    first = drafts.save_draft(db, ID, edit(drafts.current_text(ID), [LIGHTER]), "anna")
    drafts.save_draft(db, ID, edit(first.text, [RemoveCriterion("farewell")]), "boris", seen_at=first.edited_at)
    with pytest.raises(ConflictError, match="boris changed the draft"):
        drafts.save_draft(db, ID, first.text, "anna", seen_at=first.edited_at)
    file = profiles / "irkutsk.yaml"
    file.write_text(edit(file.read_text(encoding="utf-8"), [SetCriterion("greeting", "weight", 9)]), encoding="utf-8")  # by hand
    with pytest.raises(ConflictError, match="from version 1, and the file of that version was changed since"):
        activation.activate(scored, db, ID, TOMORROW, "boris")
    kept = drafts.load_draft(db, ID)
    assert kept is not None and kept.edited_by == "boris" and weight(None) == 9
    drafts.save_draft(db, ID, kept.text, "boris", based_on_version="1")  # compared with it
    assert activation.activate(scored, db, ID, TOMORROW, "boris") == "2" and drafts.load_draft(db, ID) is None


def test_a_wrong_draft_is_refused_with_line_value_and_nearest(db: AppDatabase, profiles: Path) -> None:
    with pytest.raises(MisconfiguredError, match=r"irkutsk.yaml line \d+: .*'sad' is not known. Did you mean 'said'"):
        drafts.save_draft(db, ID, edit(drafts.current_text(ID), [SetCriterion("greeting", "rule", "sad")]), "anna")
    assert drafts.load_draft(db, ID) is None


def test_what_cannot_be_activated_says_what_to_do(scored: Settings, db: AppDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MisconfiguredError, match="There is no draft of “irkutsk”"):
        activation.activate(scored, db, ID, TOMORROW, "anna")
    with pytest.raises(MisconfiguredError, match=r"in the past\. The nearest possible day is 2026-03-10"):
        changed(scored, db, YESTERDAY)
    monkeypatch.delenv("CALLGRADE_CENTRES")
    with pytest.raises(MisconfiguredError, match="Set CALLGRADE_CENTRES"):
        changed(scored, db, TOMORROW)


def test_the_files_are_plain_yaml_that_git_follows(scored: Settings, db: AppDatabase, profiles: Path) -> None:
    before = (CENTRES / "irkutsk.yaml").read_text(encoding="utf-8").splitlines()
    changed(scored, db, TOMORROW)
    now = (profiles / "irkutsk.yaml").read_text(encoding="utf-8").splitlines()
    assert sum(one != other for one, other in zip(before, now, strict=True)) == 3  # the weight, the version, the day
    assert sorted(path.name for path in (profiles / "irkutsk.versions").iterdir()) == ["1.yaml", "2.yaml", "history.yml"]
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in profiles.rglob("*.y*ml") if path.parent != profiles} == {0}
    (profiles / "irkutsk.versions" / "1.yaml").unlink()
    with pytest.raises(MisconfiguredError, match=r"1\.yaml is missing"):
        load_centre(ID, YESTERDAY)


def test_a_run_killed_before_the_log_is_written_judges_as_it_would_after(
    scored: Settings, db: AppDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []

    def killed(path: Path, log: list[profile_history.Entry]) -> None:
        written.append(log)
        if len(written) == 2:
            raise KeyboardInterrupt
        original(path, log)

    original = activation._write_log
    monkeypatch.setattr(activation, "_write_log", killed)
    with pytest.raises(KeyboardInterrupt):
        changed(scored, db, TOMORROW)
    assert (weight(YESTERDAY), weight(TOMORROW)) == (5, 1)


def test_the_command_lists_versions_and_undoes_the_newest(
    scored: Settings, db: AppDatabase, profiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--warehouse", str(scored.warehouse), "--centres", str(profiles)]
    assert main(["centre", "undo", ID, *where]) == 2
    assert "Nothing can be undone" in capsys.readouterr().err
    changed(scored, db, TOMORROW)
    assert main(["centre", "undo", ID, *where]) == 0
    assert "version 3, the same as before" in capsys.readouterr().out
    assert main(["centre", "history", ID, *where]) == 0
    newest, second, first = capsys.readouterr().out.splitlines()
    assert newest.startswith(f"3 (newest): from {TOMORROW}, activated 2026-03-10 06:00 UTC by callgrade centre; ")
    assert second.startswith(f"2: from {TOMORROW}, activated 2026-03-10 06:00 UTC by anna; ") and "written by hand" in first
    (note,) = db.rows("select action, subject, account_id from audit")
    assert note == {"action": "scorecard_undone", "subject": "irkutsk 3", "account_id": None}


def test_a_page_of_an_old_call_names_criteria_as_when_it_was_judged(scored: Settings, db: AppDatabase) -> None:
    changed(scored, db, TOMORROW, SetCriterion("greeting", "title", {"en": "Says hello"}))
    links = Links(*[lambda *_: ""] * 4)  # type: ignore[list-item]
    shown = Presenter(ID, wording("en"), links)
    assert shown.title("greeting") == "Says hello"
    assert shown.in_version("1").title("greeting") == "Greeting" and shown.in_version("gone").title("greeting") == "Says hello"
