"""Reference answers for calls: the right verdict of each criterion, and the outcome of the procedure.

A reference is a JSON file beside the recordings: turns with role, times, text and marks (labels of what the turn does), the call's
topic, its holds, who hung up, and the outcome of the abuse procedure. Of the centres' own criteria those are measured that are named like a
mark.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.centres.profile import load_centre

Reference = dict[str, Any]
# marks of the invented centres in tests/quality/centres
OWN_MARKS = frozenset(
    {
        "recording_notice",
        "asks_secret",
        "eta_given",
        "claim_read_back",
        "ticket_given",
        "symptoms_asked",
        "emergency_route",
        "safety_asked",
        "photo_asked",
    }
)
ENDED_BY_ABUSE = ("ended_after_warning", "ended_without_warning", "ended_without_notice", "client_hung_up")
_OF_PROCEDURE = {"calmed": "pass", "ended_after_warning": "pass", "not_needed": "na", "client_hung_up": "na", "cannot_tell": "unsure"}


def read_references(folder: Path) -> dict[str, Reference]:
    """The references of a folder of calls, by call id."""
    files = sorted((folder / "reference").glob("*.json"))
    return {reference["id"]: reference for reference in (json.loads(file.read_text(encoding="utf-8")) for file in files)}


def right_verdicts(reference: Reference) -> dict[str, str]:
    """pass, fail or na for each criterion with a mark; `unsure` where a deciding fact is missing from the call itself."""
    turns, topic = reference["turns"], reference["topic"]
    opening = [m for t in [t for t in turns if t["role"] == "operator"][:2] for m in t["marks"]]
    outcome = reference["truth"]["abuse_procedure"]
    is_ended_by_abuse = outcome in ENDED_BY_ABUSE
    said = {mark for t in turns if t["role"] == "operator" for mark in t["marks"]}
    upset = topic in ("complaint", "outage") or sum(t["role"] == "client" and t["sentiment"] == "negative" for t in turns) >= 2
    started = datetime.fromisoformat(reference["started_at"])
    is_night = load_centre(reference["centre"]).hours.is_night(started.hour) and topic not in ("outage", "heating")
    client_left = reference["disconnect_party"] == "client" and turns[-1]["role"] == "client"
    announced, thanked = _holds(reference)
    return {
        "greeting": _passed("greeting" in opening),
        "company_named": _passed("company" in opening),
        "operator_named": _passed("self_name" in opening),
        "client_identified": "fail" if "discloses" in said else "pass" if "identify" in said else "na",
        "hold_announced": announced,
        "hold_thanked": thanked,
        "empathy_shown": _passed("empathy" in said) if upset and not is_ended_by_abuse else "na",
        "solution_given": "na" if is_ended_by_abuse or topic in ("prank", "wrong_company") else _passed("solution" in said),
        "self_service_offered": _passed("self_service" in said)
        if topic in ("meter_reading", "balance", "payment") and not is_ended_by_abuse
        else "na",
        "anything_else": "na" if is_ended_by_abuse else _passed("anything_else" in said),
        "farewell": "pass" if said & {"farewell", "end_notice"} else "na" if client_left else "fail",
        "no_forbidden_words": _passed(not said & {"forbidden", "operator_abuse"}),
        "abuse_procedure": _OF_PROCEDURE.get(outcome, "fail"),
        "night_rule": _passed("night_notice" in said) if is_night else "na",
        "redirected": _passed("redirect" in said) if topic == "wrong_company" else "na",
        "callback_reason": _passed("callback_intro" in said) if reference["direction"] != "inbound" else "na",
    } | _own(reference, said, is_ended_by_abuse)


def _own(reference: Reference, said: set[str], is_ended_by_abuse: bool) -> dict[str, str]:
    """The verdicts of the centre's own criteria that are named like a mark; `na` where the right topic is not one that they apply to."""
    found = {}
    for criterion in load_centre(reference["centre"]).scorecard.criteria:
        if criterion.criterion_id in OWN_MARKS:
            applies, topic = criterion.applies, reference["topic"]
            is_spared = (applies.topics and topic not in applies.topics) or topic in applies.except_topics
            is_asked = not is_spared and not (applies.unless_ended_by_abuse and is_ended_by_abuse)
            is_right = (criterion.criterion_id in said) == (criterion.rule == "said")
            found[criterion.criterion_id] = _passed(is_right) if is_asked else "na"
    return found


def _holds(reference: Reference) -> tuple[str, str]:
    """Whether every hold was announced in the two operator turns before it, and thanked for in the first after it."""
    if not reference["holds"]:
        return "na", "na"
    spoken = [t for t in reference["turns"] if t["role"] == "operator"]
    before = [[t for t in spoken if t["start_s"] < h["start_s"]][-2:] for h in reference["holds"]]
    after = [next((t for t in spoken if t["start_s"] >= h["end_s"] - 0.5), None) for h in reference["holds"]]
    announced = _passed(all(any("hold_ask" in t["marks"] for t in turns) for turns in before))
    return announced, "na" if None in after else _passed(all("hold_thanks" in t["marks"] for t in after if t))


def _passed(is_kept: bool) -> str:
    return "pass" if is_kept else "fail"
