from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core.errors import MisconfiguredError
from pipelines.intake.call_log import COLUMNS, CallLog, read_log

CENTRES = ("irkutsk", "motiv")
ZONES = {"irkutsk": ZoneInfo("Asia/Irkutsk"), "motiv": ZoneInfo("Asia/Yekaterinburg")}
HEADER = "call_id,centre,recording,started_at,wait_s,direction,disconnect_party,operator_channel,language,note"


def read(path: Path, content: bytes | str, centre: str | None = None) -> CallLog:
    file = path / "calls.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_log(file, CENTRES, ZONES.__getitem__, centre)


def one(path: Path, row: str) -> CallLog:
    return read(path, f"{HEADER}\n{row}\n")


def test_a_whole_row_becomes_a_call_with_unknown_columns_kept(tmp_path: Path) -> None:
    log = one(tmp_path, ' c-1 , Irkutsk,a/x.wav,2024-10-21T08:47:00+08:00,"1,5",Callback,client,0,ru-RU,"two\nlines"')

    (row,) = log.rows
    assert (row.line_no, row.call.call_id, row.call.centre_id, row.call.recording) == (2, "c-1", "irkutsk", "a/x.wav")
    assert row.call.started_at == datetime(2024, 10, 21, 0, 47, tzinfo=UTC)
    assert (row.call.wait_s, row.call.direction, row.call.operator_channel, row.call.language) == (1.5, "callback", 0, "ru")
    assert json.loads(row.call.extra_json) == {"note": "two\nlines"}
    assert len(log.notes) == 1


def test_optional_columns_may_be_missing(tmp_path: Path) -> None:
    log = read(tmp_path, "Recording;Call ID\nx.wav;c-1\n", centre="motiv")

    (row,) = log.rows
    assert (row.call.centre_id, row.call.started_at, row.call.disconnect_party, row.call.wait_s) == ("motiv", None, "unknown", None)


@pytest.mark.parametrize(
    "written", ["2024-10-21 08:47", "2024-10-21T08:47:00", "21.10.2024 8:47", "2024.10.21. 08:47:00", "2024-10-21T00:47:00Z"]
)
def test_a_start_without_offset_is_local_to_the_centre(tmp_path: Path, written: str) -> None:
    (row,) = one(tmp_path, f"c-1,irkutsk,x.wav,{written},,,,,,").rows

    assert row.call.started_at == datetime(2024, 10, 21, 0, 47, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",irkutsk,x.wav,2024-10-21 08:47,,,,,,", ["line 2", "call_id is empty"]),
        ("c-1,irkutsk,,2024-10-21 08:47,,,,,,", ["recording is empty"]),
        ("c-1,irkutks,x.wav,2024-10-21 08:47,,,,,,", ["'irkutks'", "did you mean irkutsk", "irkutsk, motiv"]),
        ("c-1,,x.wav,2024-10-21 08:47,,,,,,", ["centre is empty"]),
        ("c-1,irkutsk,x.wav,2024-10-21,,,,,,", ["started_at '2024-10-21'", "date with a time"]),
        ("c-1,irkutsk,x.wav,0001-01-01 00:00,,,,,,", ["started_at"]),
        ("c-1,irkutsk,x.wav,10/21/2024 08:47,,,,,,", ["started_at"]),
        ("c-1,irkutsk,x.wav", ["3 values", "10 columns"]),
        ("c-1,irkutsk,x.wav,2024-10-21 08:47,,,,,,note, with a comma", ["11 values", "10 columns"]),
        (
            "c\u202e1,irkutsk,x.wav,2024-10-21 08:47,,,,,,",
            ["call_id 'c\\u202e1' holds the invisible character U+202E (RIGHT-TO-LEFT OVERRIDE)"],
        ),
    ],
)
def test_a_broken_essential_rejects_the_row_and_says_what_is_allowed(tmp_path: Path, row: str, words: list[str]) -> None:
    log = one(tmp_path, f"{row}\nc-2,irkutsk,y.wav,2024-10-21 08:47,,,,,,")

    (broken,) = log.broken
    assert all(word in str(broken.reason) for word in words), str(broken.reason)
    assert [r.call.call_id for r in log.rows] == ["c-2"]


@pytest.mark.parametrize(
    ("values", "column"),
    [("-5,,,,", "wait_s"), ("soon,,,,", "wait_s"), ("nan,,,,", "wait_s"), (",sideways,,,", "direction"), (",,nobody,,", "disconnect_party"),
     (",,,2,", "operator_channel"), (",,,,xx", "language")],
)  # fmt: skip
def test_a_broken_optional_value_costs_a_note_and_not_the_call(tmp_path: Path, values: str, column: str) -> None:
    log = one(tmp_path, f"c-1,irkutsk,x.wav,2024-10-21 08:47,{values},")

    assert (log.rows[0].call.wait_s, log.rows[0].call.direction, log.rows[0].call.disconnect_party) == (None, "inbound", "unknown")
    assert (log.rows[0].call.operator_channel, log.rows[0].call.language) == (None, None)
    assert len(log.notes) == 2 and "line 2" in log.notes[1] and column in log.notes[1]


@pytest.mark.parametrize(
    ("encoding", "said", "text"),
    [
        ("utf-8", "utf-8", "оператор Анна, ő"), ("utf-8-sig", "utf-8", "ґанок і їжа"), ("utf-16", "utf-16", "лічильник"),
        ("utf-16-le", "utf-16-le", "лічильник"), ("cp1251", "cp1251", "Звонок клиента № 5 id-лічильник"), ("cp1250", "cp1250", "jó napot, működő fűtés őrült"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encoding_and_delimiter_are_detected_and_reported(tmp_path: Path, encoding: str, said: str, text: str, delimiter: str) -> None:
    lines = [HEADER.split(","), ["c-1", "irkutsk", "x.wav", "2024-10-21 08:47", "", "", "", "", "", f'"{text}"']]
    content = "\r\n".join(delimiter.join(line) for line in lines)

    log = read(tmp_path, content.encode(encoding))

    assert (log.encoding, log.delimiter) == (said, delimiter)
    assert json.loads(log.rows[0].call.extra_json) == {"note": text}


def test_a_broken_byte_does_not_turn_a_utf8_log_into_another_encoding(tmp_path: Path) -> None:
    row = "c-1,irkutsk,x.wav,2024-10-21 08:47,,,,,,много хороших букв подряд".encode()

    log = read(tmp_path, HEADER.encode() + b"\n" + row + b"\xff\n")

    assert log.encoding == "utf-8"
    assert any("U+FFFD" in note for note in log.notes)


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    good = "c-{},irkutsk,x{}.wav,2024-10-21 08:47,,,,,,\n"
    log = read(tmp_path, f'{HEADER}\nbad,irkutsk,"x.wav,2024-10-21 08:47,,,,,,\n' + "".join(good.format(n, n) for n in range(200)))

    assert [b.line_no for b in log.broken] == [2]
    assert len(log.rows) == 200


def test_nul_bytes_and_a_spreadsheet_separator_line_are_no_obstacle(tmp_path: Path) -> None:
    log = read(tmp_path, f"sep=,\n{HEADER},,\nc\0-1,irkutsk,x.wav,2024-10-21 08:47,,,,,,,,\n,,,,,,,,,,,\n\n")

    assert [(r.line_no, r.call.call_id) for r in log.rows] == [(3, "c-1")]
    assert not log.broken


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n,,,\n", "is empty"),
        (b"a,b\n1,2\n", "no column call_id"),
        (b"PK\x03\x04" + bytes(range(256)) * 2000, "no column call_id"),
    ],
)
def test_a_file_that_is_no_call_log_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(MisconfiguredError, match=words):
        read(tmp_path, content)


def test_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="--log"):
        read_log(tmp_path / "none.csv", CENTRES, ZONES.__getitem__)


_values = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "irkutsk", "c-1", "x.wav", "2024-10-21 08:47", "-1", "0", '"', '""', "\0", "\n", "a\r\nb", ",;\t", "9999-12-31T23:59:59-12:00"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.lists(_values, max_size=12), max_size=8), mark=st.sampled_from(",;\t"))
def test_whatever_stands_in_a_log_each_line_is_a_call_or_rejected(
    rows: list[list[str]], mark: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "\n".join([mark.join(COLUMNS), *(mark.join(row) for row in rows)])

    log = read(tmp_path_factory.mktemp("log"), text.encode("utf-8", "replace"))

    lines = [r.line_no for r in log.rows] + [b.line_no for b in log.broken]
    assert len(lines) == len(set(lines))
    assert all(0 < len(str(b.reason)) < 1000 for b in log.broken)
    assert all(r.call.call_id and r.call.recording and r.call.centre_id in CENTRES for r in log.rows)


@settings(max_examples=150, deadline=None)
@given(
    cells=st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), min_size=10, max_size=10),
        max_size=6,
    )
)
def test_quoted_values_of_any_kind_are_each_one_row(cells: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [",".join('"' + c.replace('"', '""').replace("\r", " ").replace("\n", " ") + '"' for c in row) for row in cells]

    log = read(tmp_path_factory.mktemp("log"), "\n".join([HEADER, *rows]))

    not_blank = [row for row in cells if any(c.strip() for c in row)]
    assert len(log.rows) + len(log.broken) == len(not_blank)


@settings(max_examples=150, deadline=None)
@given(garbage=st.binary(max_size=300))
def test_garbage_bytes_never_raise_anything_but_a_message(garbage: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = read(tmp_path_factory.mktemp("log"), HEADER.encode() + b"\n" + garbage)

    assert all(r.call.centre_id in CENTRES for r in log.rows)
    try:
        read(tmp_path_factory.mktemp("log"), garbage)
    except MisconfiguredError as error:
        assert "calls.csv" in str(error)
