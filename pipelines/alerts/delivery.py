"""Alert delivery: each event once per channel, stored in the application database and retried until it is accepted or too old."""

from __future__ import annotations

import datetime
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.alerts.channels import UndeliveredError, send
from pipelines.alerts.conditions import AlertEvent, notice
from pipelines.alerts.rules import Channel, Rulebook, read_rulebook, rulebook_path
from pipelines.app_db.database import AppDatabase, Row, open_store, present
from pipelines.core.errors import MisconfiguredError
from pipelines.core.published import open_published
from pipelines.core.settings import Settings, now
from pipelines.i18n.wording import Wording, wording

log = logging.getLogger("callgrade")

WAITS_S = (1.0, 4.0)  # before the second and third attempt of one run
LATER_S = (300.0, 900.0, 3600.0)  # before the attempts of later runs
TOO_OLD_S = 48 * 3600.0
HELD_S = 600.0  # claimed by the sending run; other runs skip it for that long
MOST_IDS = 20
# the values displayed in a message and their formats; the webhook payload has the raw values
_SHOWN: Mapping[str, Callable[[Wording, Any], str]] = {
    "count": Wording.number, "calls": Wording.number, "usual": lambda w, calls: w.number(calls, 1),
    "now": lambda w, pct: w.pct(pct, 1), "before": lambda w, pct: w.pct(pct, 1), "topic": lambda w, topic: w.label("topics", topic),
    "day": lambda w, day: w.date(datetime.date.fromisoformat(day)), "hour": lambda w, hour: w.hour(datetime.time(hour)),
}  # fmt: skip


@dataclass
class DeliveryReport:
    """The results of one run."""

    sent: int = 0
    waiting: int = 0
    given_up: int = 0
    problems: list[str] = field(default_factory=list)


def run(settings: Settings) -> DeliveryReport | None:
    """Find new events in the published copy and report them; None when no alerts are configured for this site.

    Raises MisconfiguredError when alerts.yaml is invalid. An unreachable channel is no error here: see `DeliveryReport.problems`.
    """
    path = rulebook_path(settings)
    if not path.exists():
        if settings.alerts is not None:
            raise MisconfiguredError(f"CALLGRADE_ALERTS names {path}, which does not exist.")
        return None
    rulebook = read_rulebook(path)
    with open_published(settings) as published:
        events = notice(published, rulebook, now())
    store = open_store(settings)
    put(store, rulebook, events)
    return deliver(store, rulebook)


def try_channels(settings: Settings) -> DeliveryReport:
    """Send a test message to every channel. Raises MisconfiguredError when no alerts are configured."""
    path = rulebook_path(settings)
    if not path.exists():
        raise MisconfiguredError(f"No alerts are configured: create {path}; see docs/alerts.md.")
    report = DeliveryReport()
    for name, channel in read_rulebook(path).channels.items():
        w = wording(channel.language)
        try:
            _send_now(channel, secrets.token_hex(16), f"Callgrade: {w('alert_test')}", w("alert_test_text"), {"kind": "test"})
        except (UndeliveredError, MisconfiguredError) as error:
            report.problems.append(f"{name}: {error}")
        else:
            report.sent += 1
    return report


def put(store: AppDatabase, rulebook: Rulebook, events: Sequence[AlertEvent]) -> int:
    """Store the events not reported before, all of them or none; return the number of messages."""
    made = 0
    with store.writing() as db:
        for event in events:
            for channel in event.rule.to:
                alert_id = secrets.token_hex(16)
                subjects: list[tuple[str, ...]]
                if event.call_ids:
                    known = {
                        row[0]
                        for row in db.execute(
                            "select call_id from alerted_calls where rule_id = ? and channel = ?", [event.rule_id, channel]
                        )
                    }
                    fresh = [call_id for call_id in event.call_ids if call_id not in known]
                    table, subjects = (
                        "alerted_calls (rule_id, channel, call_id, alert_id)",
                        [(event.rule_id, channel, one, alert_id) for one in fresh],
                    )
                else:
                    fresh = []
                    table = "alerted_times (rule_id, channel, centre_id, about, alert_id)"
                    key = (event.rule_id, channel, event.centre_id, event.about)
                    already_sent = db.execute(
                        "select 1 from alerted_times where rule_id = ? and channel = ? and centre_id = ? and about = ?", key
                    ).fetchone()
                    subjects = [] if already_sent else [(*key, alert_id)]
                if not subjects:
                    continue
                db.execute(
                    "insert into alerts (alert_id, rule_id, channel, centre_id, made_at, body) values (?, ?, ?, ?, ?, ?)",
                    [
                        alert_id,
                        event.rule_id,
                        channel,
                        event.centre_id,
                        present(),
                        json.dumps(_body(rulebook, event, fresh, alert_id)),
                    ],
                )
                db.executemany(f"insert into {table} values ({', '.join('?' * len(subjects[0]))})", subjects)
                made += 1
    return made


def deliver(store: AppDatabase, rulebook: Rulebook) -> DeliveryReport:
    """Send the stored messages that are due."""
    report = DeliveryReport()
    for row in store.rows(
        "select * from alerts where sent_at is null and given_up_at is null and try_after <= ? order by made_at", present()
    ):
        if not _take(store, row):
            continue  # another run sends it
        channel = rulebook.channels.get(row["channel"])
        try:
            if channel is None:
                raise UndeliveredError("this channel is no longer in alerts.yaml")
            body = json.loads(row["body"])
            subject, text = _written(wording(channel.language), body)
            _send_now(channel, row["alert_id"], subject, text, body)
        except (UndeliveredError, MisconfiguredError) as error:
            _failed(store, row, str(error), report)
            continue
        with store.writing() as db:
            db.execute("update alerts set sent_at = ?, body = '', error = null where alert_id = ?", [present(), row["alert_id"]])
        report.sent += 1
        log.info("alert %s of rule %s sent to %s", row["alert_id"], row["rule_id"], row["channel"])
    report.waiting = store.rows("select count(*) as n from alerts where sent_at is null and given_up_at is null")[0]["n"]
    return report


def _send_now(channel: Channel, alert_id: str, subject: str, text: str, body: dict[str, Any]) -> None:
    """Send with a few attempts. Raises the UndeliveredError of the last one."""
    for wait_s in (*WAITS_S, None):
        try:
            send(channel, alert_id, subject, text, body)
            return
        except UndeliveredError as error:
            if error.is_final or wait_s is None:
                raise
            time.sleep(wait_s)


def _take(store: AppDatabase, row: Row) -> bool:
    with store.writing() as db:
        return db.execute(
            "update alerts set try_after = ?, tries = tries + 1 where alert_id = ? and tries = ? and sent_at is null", [present() + HELD_S, row["alert_id"], row["tries"]]
        ).rowcount == 1  # fmt: skip


def _failed(store: AppDatabase, row: Row, why: str, report: DeliveryReport) -> None:
    at = present()
    is_over = at - row["made_at"] > TOO_OLD_S
    later_s = LATER_S[min(row["tries"], len(LATER_S) - 1)]
    with store.writing() as db:
        db.execute(
            "update alerts set error = ?, try_after = ?, given_up_at = ?, body = iif(?, '', body) where alert_id = ?",
            [why[:500], at + later_s, at if is_over else None, is_over, row["alert_id"]],
        )
    report.given_up += is_over
    report.problems.append(f"{row['channel']}: {why}" + ("; given up after two days" if is_over else ""))
    log.warning("alert %s of rule %s was not sent to %s: %s", row["alert_id"], row["rule_id"], row["channel"], why)


def _body(rulebook: Rulebook, event: AlertEvent, fresh: Sequence[str], alert_id: str) -> dict[str, Any]:
    """The data that may be sent: ids, counts, a link."""
    return {
        "alert_id": alert_id, "rule": event.rule_id, "kind": event.rule.kind, "centre_id": event.centre_id, "count": len(fresh) or event.values.get("calls", 1),
        **({"call_ids": list(fresh[:MOST_IDS])} if fresh and rulebook.with_ids else {}), **event.values,
        **({"link": rulebook.link + event.path} if rulebook.link else {}),
    }  # fmt: skip


def _written(w: Wording, body: dict[str, Any]) -> tuple[str, str]:
    """The subject and the text of a message."""
    said = w(f"alert_{body['kind']}", **{name: show(w, body[name]) for name, show in _SHOWN.items() if name in body})
    lines = [said, "", f"{w('centre')}: {body['centre_id']}"]
    if ids := body.get("call_ids"):
        more = body["count"] - len(ids)
        lines.append(f"{w('calls')}: {', '.join(ids)}" + (f" (+{more})" if more else ""))
    lines += [body["link"]] if "link" in body else []
    lines += ["", w("alert_foot")]
    return f"Callgrade, {body['centre_id']}: {said}", "\n".join(lines) + "\n"
