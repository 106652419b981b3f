"""Operator wellbeing: exposure to abuse and rests due, considerate clients, and threats.

For support only; it affects no score.
"""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.registry import sha256_of
from pipelines.core.published import Published, Row
from pipelines.i18n.wording import LANGUAGES, Wording
from pipelines.queries import quotes
from pipelines.reports.pack_export import write
from pipelines.reports.templating import environment, style_and_script

DAYS = 45
PAUSE_MIN = 5  # a gap this long between two calls counts as a pause; rests are not recorded anywhere
SHIFTS_SHOWN, THANKS_SHOWN, THREATS_SHOWN = 60, 24, 50
_LATEST = f"(select max(started_local) - interval {DAYS} days from calls where centre_id = ?)"


def shifts(published: Published, centre_id: str) -> list[Row]:
    """The shifts with abuse in the latest weeks, newest first; each with the calls taken without a pause after an abusive one."""
    rows = published.rows(
        f"""select * from operator_shifts where centre_id = ? and (abusive_calls > 0 or rest_due_local is not null) and shift_start_local >= {_LATEST}
            order by shift_start_local desc, operator_id""",
        centre_id, centre_id,
    )  # fmt: skip
    streaks = _straight_on(published, centre_id)
    for row in rows:
        inside = [
            s["calls_after"] for s in streaks
            if s["operator_id"] == row["operator_id"] and row["shift_start_local"] <= s["abuse_local"] <= row["shift_end_local"]
        ]  # fmt: skip
        row["calls_straight_on"] = max(inside, default=0)
    return rows


def by_person(rows: list[Row]) -> list[Row]:
    """Shifts summed by operator, the longest exposure first."""
    people: dict[str, Row] = {}
    for row in rows:
        one = people.setdefault(
            row["operator_id"],
            {"operator_id": row["operator_id"], "shifts": 0, "abusive_calls": 0, "abuse_exposure_s": 0.0, "in_a_row": 0, "straight_on": 0, "rests_due": 0, "after_due": 0},
        )  # fmt: skip
        one["shifts"] += 1
        one["abusive_calls"] += row["abusive_calls"]
        one["abuse_exposure_s"] += row["abuse_exposure_s"]
        one["in_a_row"] = max(one["in_a_row"], row["abusive_in_a_row"])
        one["straight_on"] = max(one["straight_on"], row["calls_straight_on"])
        one["rests_due"] += row["rest_due_local"] is not None
        one["after_due"] += row["calls_after_rest_due"]
    return sorted(people.values(), key=lambda one: (-one["abuse_exposure_s"], one["operator_id"]))


def rule(published: Published, centre_id: str) -> Row | None:
    """The centre's rule for rests."""
    return next(iter(published.rows("select * from rest_rules where centre_id = ?", centre_id)), None)


def hours(published: Published, centre_id: str) -> list[Row]:
    """Calls and abusive calls by hour of the day, in the latest weeks."""
    return published.rows(
        f"""select hour, cast(sum(calls) as int) as calls, cast(sum(abusive_calls) as int) as abusive
            from hourly_load where centre_id = ? and day >= {_LATEST} group by hour order by hour""",
        centre_id, centre_id,
    )  # fmt: skip


def considerate(published: Published, centre_id: str) -> list[Row]:
    """Calls of the latest weeks that the client ended with kind words, the kindest first; each with those words, personal data masked."""
    return quotes.quoted(published, published.rows(
        f"""
        with kind as (
            select c.call_id, c.operator_id, c.started_local, c.topic, c.text_kept, m.client_sentiment_end
            from calls c
            join conversation_metrics m using (call_id)
            where c.centre_id = ? and c.status = 'graded' and m.client_sentiment_end > 0 and c.started_local >= {_LATEST}
                and not exists (select 1 from findings f where f.call_id = c.call_id and f.kind = 'abuse' and f.refuted_at is null)
        )
        select k.*, t.turn_no, t.start_s, t.end_s, t.text as quote
        from kind k
        join turns t using (call_id)
        where t.role = 'client' and t.sentiment = 'positive'
        qualify row_number() over (partition by call_id order by t.turn_no desc) = 1
        order by k.client_sentiment_end desc, t.sentiment_confidence desc, k.call_id
        limit ?
        """,
        centre_id, centre_id, THANKS_SHOWN,
    ))  # fmt: skip


def threats(published: Published, centre_id: str) -> list[Row]:
    """The calls in which a client threatened somebody, newest first."""
    return published.rows(
        """
        select c.call_id, any_value(c.operator_id) as operator_id, any_value(c.started_local) as started_local, count(*) as threats,
            min(f.start_s) as start_s, max(f.confidence) as confidence
        from findings f
        join calls c using (call_id)
        where c.centre_id = ? and c.status = 'graded' and f.kind = 'abuse' and f.severity = 'threat' and f.role <> 'operator' and f.refuted_at is null
        group by c.call_id
        order by started_local desc nulls last, c.call_id
        limit ?
        """,
        centre_id, THREATS_SHOWN,
    )  # fmt: skip


def evidence(published: Published, call: Row, *, hears_personal_data: bool) -> Row:
    """The evidence of abuse in a call: its words with times, the context before and after, and the rest of the call."""
    columns = "finding_no, severity, target, role, turn_no, start_s, end_s, quote, confidence"
    found = published.of_calls("findings", [call["call_id"]], "start_s", columns, "kind = 'abuse' and refuted_at is null")
    quoted = quotes.quoted(
        published,
        [f | {"call_id": call["call_id"], "text_kept": call["text_kept"]} for f in found],
        hears_personal_data=hears_personal_data,
    )
    numbers = [f["turn_no"] for f in found if f["severity"] == "threat" and f["turn_no"]]
    shown = sorted({n for number in numbers for n in range(number - 2, number + 3)})
    columns = "turn_no, role, start_s, end_s, text"
    turns = published.of_calls("turns", [call["call_id"]], "turn_no", columns, "list_contains(?, turn_no)", [shown])
    if call["text_kept"] == "raw" and not hears_personal_data:
        masked = {t["turn_no"]: t["text"] for t in quotes.context(published, call["call_id"], 0.0, call["duration_s"] or 1e9)}
        turns = [t | {"text": masked.get(t["turn_no"], "[…]")} for t in turns]
    procedure = published.of_calls("abuse_procedures", [call["call_id"]], "outcome", "outcome, warned_at_s, ended_notice_at_s")
    return {
        "call_id": call["call_id"], "centre_id": call["centre_id"], "operator_id": call["operator_id"], "client_ref": call["client_ref"],
        "started_at": call["started_at"], "started_local": call["started_local"], "duration_s": call["duration_s"], "disconnect_party": call["disconnect_party"],
        "recording_sha256": call["recording_sha256"], "procedure": next(iter(procedure), None),
        "findings": [{key: q[key] for key in found[0]} for q in quoted] if found else [], "turns": turns, "threatening_turns": numbers,
    }  # fmt: skip


def archive(said: Row, sound: Path | None, centre: str, w: Wording, *, is_whole: bool) -> bytes:
    """The evidence as a zip: an offline page, a machine-readable file, and the sound where it still exists."""
    out = io.BytesIO()
    taken_at = datetime.now(UTC)
    values: dict[str, Any] = said | {"is_whole": is_whole, "taken_at": taken_at.isoformat(timespec="seconds")}
    for key in ("started_at", "started_local"):
        values[key] = values[key].isoformat() if values[key] else None
    if sound is not None:
        values["sound"] = {"file": "call.ogg", "sha256": sha256_of(sound)}
    page = environment().get_template("app/evidence_offline.html").render(
        w=w, languages=LANGUAGES, style=style_and_script()[0], said=said, centre=centre, is_whole=is_whole, has_sound=sound is not None,
        when=w.time(said["started_local"]),
    )  # fmt: skip
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive_file:
        write(archive_file, "index.html", page.encode())
        write(archive_file, "evidence.json", (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode())
        if sound is not None:
            write(archive_file, "call.ogg", sound.read_bytes(), zipfile.ZIP_STORED)
    return out.getvalue()


def _straight_on(published: Published, centre_id: str) -> list[Row]:
    """Periods of work without a pause in which a client was abusive: their time, and the number of calls after it without a pause."""
    return published.rows(
        f"""
        with work as (
            select operator_id, call_id, started_local, is_abusive,
                started_local + to_microseconds(cast(coalesce(duration_s, 0) * 1000000 as bigint)) as ended_local
            from call_facts
            where centre_id = ? and operator_id is not null and started_local >= {_LATEST}
        ),
        begun as (
            select *, coalesce(started_local - lag(ended_local) over (partition by operator_id order by started_local, call_id) >= interval {PAUSE_MIN} minutes, true) as begins
            from work
        ),
        stretches as (
            select *, sum(cast(begins as int)) over (partition by operator_id order by started_local, call_id) as stretch
            from begun
        ),
        after as (
            select *, count(*) filter (where is_abusive) over (
                partition by operator_id, stretch order by started_local, call_id rows between unbounded preceding and 1 preceding
            ) as abuse_before
            from stretches
        )
        select operator_id, min(started_local) filter (where is_abusive) as abuse_local, count(*) filter (where abuse_before > 0) as calls_after
        from after
        group by operator_id, stretch
        having bool_or(is_abusive)
        """,
        centre_id, centre_id,
    )  # fmt: skip
