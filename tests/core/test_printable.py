"""Invisible characters in names: ids with them are rejected, and in all other displayed, logged or written texts they are escaped."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import sys
import unicodedata
import wave
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from markupsafe import Markup
from rich.console import Console

from pipelines import flow
from pipelines.__main__ import main
from pipelines.alerts import channels
from pipelines.alerts.rules import Channel
from pipelines.app_db import accounts
from pipelines.app_db.openid_settings import OpenIdSettings
from pipelines.cli import progress
from pipelines.core.errors import BadRecordingError, MisconfiguredError
from pipelines.core.printable import normalise_id, printable, quoted, skeleton
from pipelines.core.records import Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings
from pipelines.i18n.wording import wording
from pipelines.intake.folder import Intake, read_folder
from pipelines.intake.ids import id_problem
from pipelines.reports import excel, pack_export, pdf_layout
from pipelines.reports.templating import environment

RLO, ESC, ZWSP = "\u202e", "\x1b", "\u200b"
HOSTILE = [
    "\u202a", "\u202e", "\u2066", "\u2069", "\u200b", "\u200d", "\u200f", "\ufeff", "\x00", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029",
    "\ud800", "\xad", "\u034f", "\u3164", "\u2800", "\U000e0041",
]  # fmt: skip
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@pytest.mark.parametrize("character", HOSTILE, ids=lambda c: f"U+{ord(c):04X}")
def test_an_invisible_character_is_escaped_and_no_part_of_an_id(character: str) -> None:
    shown = printable(f"a{character}b")
    assert re.fullmatch(r"a\\[xuU][0-9a-f]+b", shown)
    shown.encode("utf-8")
    assert f"U+{ord(character):04X}" in str(id_problem(f"a{character}b"))


def test_every_control_or_format_character_of_unicode_is_escaped() -> None:
    every = (chr(n) for n in range(sys.maxunicode + 1))
    missed = [c for c in every if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and printable(c + "x") == c + "x"]
    assert missed == []


@pytest.mark.parametrize("text", ["op-17", "Иванова Оксана", "Őr Ágnes", "a.b@c_d", "c\u00a01", "👩\u200d👧 ❤\ufe0f", "قسم"])
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("character", HOSTILE, ids=lambda c: f"U+{ord(c):04X}")
def test_an_invisible_character_is_no_part_of_an_account_name(character: str) -> None:
    assert accounts.NAME.fullmatch("Оксана.k-1@example")
    assert not accounts.NAME.fullmatch(accounts.fold(f"ann{character}a"))


def test_ids_that_look_the_same_are_the_same() -> None:
    assert normalise_id(" \u00a0O\u0301rs\u2009\u3000 1\u202f") == "Órs 1"
    assert id_problem("Órs 1") is None
    assert "200" in str(id_problem("x" * 201))
    assert "address of a page" in str(id_problem(".."))


def test_ids_that_look_alike_share_a_skeleton() -> None:
    assert len({skeleton(text) for text in ("OP-17", "op-17", "ор-17", "ΟΡ-17", "0P\u201117", "ｏｐ-17")}) == 1
    assert skeleton("op-17") != skeleton("op-18")


HEADER = ("call_id", "centre", "recording", "started_at", "line", "queue", "operator_id", "client_ref", "note\u202e")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder whose log and files carry hostile names; no call in it can be graded."""
    folder = tmp_path / "in"
    folder.mkdir()
    with wave.open(str(folder / f"a{RLO}vaw.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    (folder / f"b{ESC}]0;title\x07.wav").write_bytes(b"no sound")
    (folder / f"c\nINFO 9 calls graded{ZWSP}.wav").write_bytes(b"none either")
    rows = [
        (f"c-1{RLO}", "irkutsk", "x.wav", "2024-10-21 08:47", "first", "q", "op-1", "k-1", ""),
        ("c-2", "irkutsk", "x.wav", "2024-10-21 08:47", "first", "q", f"op-1{ZWSP}", "k-1", ""),
        ("c-3", "irkutsk", "x.wav", "2024-10-21 08:47", "first", "q", "op-1", f"k-1{ESC}[2J", ""),
        ("c-4", "irkutsk", f"a{RLO}vaw.wav", "2024-10-21 08:47", f"=1+{RLO}1", f"q{ESC}[31m", " OP-1\u00a0", "k-4", f"said{RLO}"),
        ("c-5", f"irk{ESC}[2J", "x.wav", "2024-10-21 08:47", "first", "q", "op-1", "k-5", ""),
        ("c-6", "irkutsk", f"../{RLO}x.wav", "2024-10-21 08:47", "first", "q", "op-1", "k-6", ""),
    ]
    with (folder / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return folder


@pytest.fixture
def intake(hostile: Path) -> Intake:
    return read_folder(hostile)


def test_rows_with_such_ids_are_rejected_with_the_reason_and_the_others_go_on(intake: Intake) -> None:
    reasons = {line: next(p.reason for p in intake.rejected if f"calls.csv line {line}:" in p.reason) for line in (2, 3, 4, 6, 7)}
    assert "call_id 'c-1\\u202e' holds the invisible character U+202E (RIGHT-TO-LEFT OVERRIDE)" in reasons[2]
    assert "operator_id 'op-1\\u200b' holds the invisible character U+200B (ZERO WIDTH SPACE)" in reasons[3]
    assert "client_ref holds the invisible character U+001B (control character)" in reasons[4]
    assert "k-1" not in reasons[4]  # no reason names a client
    (call,) = intake.calls
    assert (call.call_id, call.operator_id) == ("c-4", "OP-1")
    assert (call.line, call.queue) == ("=1+\\u202e1", "q\\x1b[31m")
    assert json.loads(call.extra_json) == {"note\\u202e": "said\\u202e"}
    assert Path(call.recording).name == f"a{RLO}vaw.wav"  # the file is found all the same
    shown = [text for p in intake.rejected for text in (p.call_id, p.reason, p.recording or "")]
    assert not [text for text in shown if HIDDEN.search(text) or "\n" in text]


def test_a_name_that_is_a_call_id_is_rejected_where_there_is_no_log(hostile: Path) -> None:
    (hostile / "calls.csv").unlink()
    intake = read_folder(hostile, centre="irkutsk")
    assert intake.calls == []
    assert any(
        "a\\u202evaw.wav: its name holds the invisible character U+202E" in p.reason and "Rename the file" in p.reason
        for p in intake.rejected
    )


def test_ids_of_one_log_that_look_alike_are_noted(tmp_path: Path) -> None:
    for name in "xyz":
        (tmp_path / f"{name}.wav").write_bytes(name.encode())
    rows = [
        f"c-{n},irkutsk,{name}.wav,2024-10-21 08:47,{operator},k{operator}"
        for n, (name, operator) in enumerate(zip("xyz", ("op-1", "ор-1", "op-1"), strict=True))
    ]
    (tmp_path / "calls.csv").write_text("\n".join(["call_id,centre,recording,started_at,operator_id,client_ref", *rows]), encoding="utf-8")
    notes = [note for note in read_folder(tmp_path).notes if "look alike" in note]
    assert notes[0].startswith("calls.csv lines 2 and 3: operator_id 'op-1' and 'ор-1' look alike but differ")
    assert notes[1].startswith("calls.csv lines 2 and 3: client_ref look alike but differ")
    assert len(notes) == 2


def test_the_same_operator_written_in_two_ways_is_one(tmp_path: Path) -> None:
    for name in "xy":
        (tmp_path / f"{name}.wav").write_bytes(name.encode())
    rows = [
        "c-1,irkutsk,x.wav,2024-10-21 08:47,Ágnes Őr",
        f"c-2,irkutsk,y.wav,2024-10-21 08:47,{unicodedata.normalize('NFD', 'Ágnes')}\u00a0Őr",
    ]
    (tmp_path / "calls.csv").write_text("\n".join(["call_id,centre,recording,started_at,operator_id", *rows]), encoding="utf-8")
    assert {call.operator_id for call in read_folder(tmp_path).calls} == {"Ágnes Őr"}


def test_the_output_of_a_run_its_views_pages_and_sheets_show_every_character(
    hostile: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    warehouse = tmp_path / "calls.duckdb"
    assert main(["grade", str(hostile), "--warehouse", str(warehouse)]) == 0
    printed = capfd.readouterr()
    assert "c\\nINFO 9 calls graded\\u200b.wav" in printed.out
    assert not HIDDEN.search(printed.out + printed.err)
    assert not [line for line in (printed.out + printed.err).splitlines() if line.startswith("INFO")]

    site = warehouse.with_suffix(".callgrade")
    with duckdb.connect(str(site / "published" / "calls.duckdb"), read_only=True) as db:
        views = [
            row[0] for row in db.execute("select view_name from duckdb_views() where not internal and schema_name = 'main'").fetchall()
        ]
        texts = [text for view in views for row in db.execute(f"from {view}").fetchall() for text in row if isinstance(text, str)]
    assert not [text for text in texts if HIDDEN.search(text)]
    assert any("op-1\\u200b" in text for text in texts)

    pages = list(site.rglob("*.html"))
    assert pages
    assert not [page for page in pages if HIDDEN.search(page.read_text(encoding="utf-8"))]
    assert not [path for path in site.rglob("*") if HIDDEN.search(str(path.relative_to(site)))]

    assert main(["export", "intake_ledger", str(tmp_path / "ledger.xlsx"), "--warehouse", str(warehouse)]) == 0
    with zipfile.ZipFile(tmp_path / "ledger.xlsx") as archive_file:
        assert not [name for name in archive_file.namelist() if HIDDEN.search(archive_file.read(name).decode("utf-8"))]


def test_an_error_message_cannot_control_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", str(tmp_path / f"no{ESC}[2Jwhere{RLO}"), "--warehouse", str(tmp_path / "w.duckdb")]) == 2
    said = capfd.readouterr().err
    assert "no\\x1b[2Jwhere\\u202e" in said
    assert not HIDDEN.search(said)


def test_what_is_logged_is_escaped_for_every_handler() -> None:
    logger, stream = logging.getLogger("callgrade"), io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        logger.warning("intake 1/2 %s", f"a{ESC}[2J\nINFO forged{RLO}")
        try:
            raise ValueError(f"b{ESC}[2J")
        except ValueError:
            logger.warning("failed", exc_info=True)
    finally:
        logger.removeHandler(handler)
    assert "intake 1/2 a\\x1b[2J\\nINFO forged\\u202e\n" in stream.getvalue()
    assert "ValueError: b\\x1b[2J" in stream.getvalue()


def test_the_progress_bar_shows_brackets_in_a_name_as_they_are() -> None:
    handler = progress._BarHandler()
    try:
        handler.emit(logging.LogRecord("callgrade", logging.INFO, "", 0, "audio 1/2 [/bold]c-1[red]", (), None))
        console = Console(file=io.StringIO(), width=160)
        console.print(handler._progress.get_renderable())
    finally:
        handler.close()
    assert "[/bold]c-1[red]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_template_shows_what_is_hidden_and_keeps_markup_and_line_ends() -> None:
    page = environment().from_string("<p title='{{ name }}'>{{ name }} {{ html }}</p>")
    assert page.render(name=f"a{RLO}<b>\n", html=Markup("<i>x</i>")) == "<p title='a\\u202e&lt;b&gt;\n'>a\\u202e&lt;b&gt;\n <i>x</i></p>"


def test_a_printed_page_shows_what_is_hidden() -> None:
    import pypdf

    content = pdf_layout.document(
        f"T{RLO}", "en", f"head{ESC}", "foot", [pdf_layout.text(f"name{RLO}<x>"), pdf_layout.key([("fail", f"k{ZWSP}")], "after")]
    )
    document = pypdf.PdfReader(io.BytesIO(content))
    said = document.pages[0].extract_text()
    assert "name\\u202e<x>" in said
    assert "k\\u200b" in said
    assert document.metadata is not None
    assert document.metadata.title == "T\\u202e"


def test_a_sheet_shows_what_is_hidden_and_never_a_formula() -> None:
    rows: list[dict[str, Any]] = [{"name": f"=1+1{RLO}"}, {"name": "\t=2"}, {"name": "@x"}]
    with zipfile.ZipFile(io.BytesIO(excel.workbook({"calls": (("name",), rows)}))) as archive_file:
        texts = archive_file.read("xl/sharedStrings.xml").decode()
        cells = archive_file.read("xl/worksheets/sheet1.xml").decode()
    assert "=1+1\\u202e" in texts
    assert "<f>" not in cells


def test_a_download_has_a_plain_file_name() -> None:
    header = excel.download(b"", f'a{RLO}"\r\nX: y/..\\é.pdf').headers["content-disposition"]
    assert re.fullmatch(r'attachment; filename="callgrade-[A-Za-z0-9_-]+\.pdf"', header)


def test_the_archive_of_a_pack_has_plain_names_and_shows_what_is_hidden() -> None:
    pack = {
        "pack_id": "p1", "title": f"Title{RLO}", "centre_id": "irkutsk", "notes": f"a{ZWSP}\nb", "is_disguised": 0,
        "expires_at": datetime(2026, 1, 1, tzinfo=UTC).timestamp(), "made_by": "somebody", "language": "en",
    }  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(pack_export.archive(pack, [], f"Centre{ESC}", wording("en")))) as archive_file:
        assert all(re.fullmatch(r"[a-z0-9/._-]+", name) for name in archive_file.namelist())
        transcript, page = archive_file.read("transcript.txt").decode(), archive_file.read("index.html").decode()
    assert transcript.startswith("Title\\u202e\nCentre\\x1b\n")
    assert not HIDDEN.search(transcript + page)


def test_an_error_escapes_what_it_names_and_keeps_its_lines() -> None:
    assert str(MisconfiguredError(f"a{RLO}: wrong\nAllowed: b")) == "a\\u202e: wrong\nAllowed: b"
    reason = Reason(Key.NO_ROW_AND_MORE, file=f"a{RLO}.wav", place="log", reason=Reason(Key.EMPTY, file=f"{ESC}.wav"))
    assert not HIDDEN.search(str(BadRecordingError(reason)) + reason.text("ru") + reason.values_json)
    assert Rejection(f"c{ZWSP}", "audio", "quarantined", f"a{RLO}", None, f"{ESC}.wav") == Rejection(
        "c\\u200b", "audio", "quarantined", "a\\u202e", None, "\\x1b.wav"
    )


def test_a_message_to_a_channel_is_one_header_line_and_shows_what_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(channels, "_mail", lambda _, alert_id, subject, text: sent.append((subject, text)))
    channel = Channel.model_validate(
        {"email": {"server": "mail.example", "security": "none", "from": "a@example.org", "to": ["b@example.org"]}}
    )
    channels.send(channel, "1", f"Centre\r\nBcc: x{RLO}", f"one{ESC}\ntwo", {})
    assert sent == [("Centre\\r\\nBcc: x\\u202e", "one\\x1b\ntwo")]


def test_an_operator_of_an_openid_provider_is_found_as_the_intake_writes_the_id() -> None:
    let_in = [{"group": "agents", "role": "operator", "centres": ["irkutsk"]}]
    rules = OpenIdSettings.model_validate({"issuer": "https://id.example", "client_id": "callgrade", "let_in": let_in})
    granted = rules.granted({"groups": "agents", "operator_id": unicodedata.normalize("NFD", "Ágnes\u00a01")})
    assert granted is not None
    assert granted.operator_id == "Ágnes 1"


def test_a_client_is_erased_as_the_intake_writes_the_reference(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    erased: list[str] = []
    monkeypatch.setattr("pipelines.warehouse.erase_client", lambda _, ref, elsewhere: erased.append(ref))
    flow.erase_client(settings, " k\u00a01 ")
    assert "k 1" in erased


def test_a_value_in_a_message_is_quoted_and_cut() -> None:
    assert quoted("it's") == '"it\'s"'
    assert quoted("x" * 100) == f"'{'x' * 57}...'"
