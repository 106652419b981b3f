"""The content of a call's page, assembled from its rows in the published copy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.core.published import Published, Row
from pipelines.i18n.wording import Wording
from pipelines.queries import timeline

VIEWS = {
    "turns": "turn_no",
    "holds": "start_s",
    "findings": "start_s, finding_no",
    "abuse_procedures": "call_id",
    "criterion_results": "scorecard_id, judge, criterion_id",
    "evaluations": "judge, evaluated_at desc",
    "coaching_clips": "start_s",
    "conversation_metrics": "call_id",
    "call_summaries": "sentence_no",
}
PLACEHOLDER = re.compile(r"\[([A-Z_]{3,20})\]")
_ORDER = {"fail": 0, "unsure": 1, "pass": 2, "na": 3}
_TONES = {
    "calmed": "pass", "ended_after_warning": "pass", "ended_without_warning": "fail", "ended_without_notice": "fail", "operator_at_fault": "fail",
    "tolerated": "unsure", "cannot_tell": "unsure",
}  # fmt: skip
# The steps (warning, client's answer, notice, end) by outcome: d(one), m(issing), n(ot needed or not reached), u(nknown).
_STEPS = {
    "calmed": "ddnn", "ended_after_warning": "dddd", "ended_without_warning": "mnnd", "ended_without_notice": "ddmd", "tolerated": "mnnn",
    "client_hung_up": "nnnd", "operator_at_fault": "nnnn", "cannot_tell": "uuuu",
}  # fmt: skip
_STATES = {"d": "done", "m": "missing", "n": "not", "u": "unknown"}


def views_of(published: Published) -> list[str]:
    """The `VIEWS` that a published copy has: one of an earlier version lacks those that came later."""
    return [view for view in VIEWS if published.has_view(view)]


def read_calls(published: Published, calls: Sequence[Row], batch: int = 200) -> Iterator[tuple[Row, dict[str, list[Row]]]]:
    """Each call with its rows of every view, read a few hundred calls at a time."""
    for first in range(0, len(calls), batch):
        some = calls[first : first + batch]
        ids = [call["call_id"] for call in some]
        rows: dict[str, dict[str, list[Row]]] = {call_id: {view: [] for view in VIEWS} for call_id in ids}
        for view in views_of(published):
            for row in published.of_calls(view, ids, f"call_id, {VIEWS[view]}"):
                rows[row["call_id"]][view].append(row)
        for call in some:
            yield call, rows[call["call_id"]]


def versions_of(published: Published, call_ids: Sequence[str]) -> dict[str, str]:
    """The version of the scorecard that judged each of some calls; calls without an evaluation are left out."""
    rows = published.of_calls("evaluations", list(dict.fromkeys(call_ids)), "call_id", "call_id, scorecard_version", "judge = 'machine'")
    return {row["call_id"]: row["scorecard_version"] for row in rows}


def show(call: Row, rows: Mapping[str, list[Row]], w: Wording, titles: Mapping[str, str]) -> dict[str, Any]:
    """The values of the template call.html for one graded call; `titles` are the names of the criteria in the page's language."""
    turns = rows["turns"]
    findings = [f for f in rows["findings"] if f.get("refuted_at") is None]
    refuted = [f for f in rows["findings"] if f.get("refuted_at") is not None]
    criteria = _criteria(rows["criterion_results"], titles, w)
    evaluation = next(iter(rows["evaluations"]), None)
    procedure = next(iter(rows["abuse_procedures"]), None) or {"outcome": "not_needed", "warned_at_s": None, "ended_notice_at_s": None}
    moments = [
        (name, procedure[key])
        for name, key in (("warned", "warned_at_s"), ("notice", "ended_notice_at_s"))
        if procedure.get(key) is not None
    ]
    placed = [c for c in criteria if c["verdict"] != "na" and c["quote"] and c["start_s"] is not None]
    line = timeline.draw(call["duration_s"] or 0.0, turns, rows["holds"], findings, moments, placed)
    return {
        "call": call,
        "evaluation": evaluation,
        "auto_fail_reason": _auto_fail(evaluation, criteria),
        "metrics": next(iter(rows["conversation_metrics"]), None),
        "summary": rows["call_summaries"],
        "turns": turns,
        "talk": list(_talk(turns, rows["holds"], findings)),
        "line": line,
        "mark_kinds": [kind for kind in timeline.MARKED if any(m.data["kind"] == kind for m in line.marks)],
        "findings": [f for f in (*findings, *refuted) if f["kind"] in timeline.MARKED],
        "procedure": _procedure(procedure, call, findings, w),
        "criteria": [c for c in criteria if c["verdict"] != "na"],
        "not_applicable": [c for c in criteria if c["verdict"] == "na"],
        "counts": {verdict: sum(c["verdict"] == verdict for c in criteria) for verdict in _ORDER},
        "unsure_count": sum(c["verdict"] == "unsure" for c in criteria),
    }


def parts_of(text: str, marked: Sequence[str]) -> list[Row]:
    """A turn's text in parts: plain words, words to underline (each quote found in it), and placeholders of masked personal data."""
    spans = sorted((at, at + len(quote)) for quote in marked if quote and (at := text.find(quote)) >= 0)
    pieces: list[Row] = []
    done = 0
    for start, end in spans:
        if start < done:
            continue
        pieces += _with_chips(text[done:start], False) + _with_chips(text[start:end], True)
        done = end
    return pieces + _with_chips(text[done:], False)


def _with_chips(text: str, is_marked: bool) -> list[Row]:
    pieces: list[Row] = []
    for n, part in enumerate(PLACEHOLDER.split(text)):
        if part:
            pieces.append({"chip": part if n % 2 else None, "text": part, "mark": is_marked})
    return pieces


def _talk(turns: Sequence[Row], holds: Sequence[Row], findings: Sequence[Row]) -> Iterator[Row]:
    """Turns and holds in the order of their start."""
    said: dict[int, list[str]] = {}
    for finding in findings:
        if finding["kind"] in ("abuse", "forbidden_phrase") and finding["turn_no"] is not None and finding["quote"]:
            said.setdefault(finding["turn_no"], []).append(finding["quote"])
    items: list[tuple[float, Row]] = [
        (t["start_s"], {"hold": None, "turn": t, "parts": parts_of(t["text"] or "", said.get(t["turn_no"], []))}) for t in turns
    ]
    items += [(h["start_s"], {"hold": h}) for h in holds]
    return (item for _, item in sorted(items, key=lambda pair: pair[0]))


def _criteria(results: Sequence[Row], titles: Mapping[str, str], w: Wording) -> list[Row]:
    """One row per criterion, failed ones first; a human verdict replaces the automatic one."""
    first: dict[tuple[str, str], Row] = {}
    for row in sorted(results, key=lambda r: r["judge"] != "human"):
        first.setdefault((row["scorecard_id"], row["criterion_id"]), row)
    named = [
        row
        | {
            "title": titles.get(row["criterion_id"]) or w.label("criteria", row["criterion_id"]),
            "explanation": w.explain(row["explanation_json"], row["explanation"]),
        }
        for row in first.values()
    ]
    return sorted(named, key=lambda r: (_ORDER.get(r["verdict"], 9), -(r["max_points"] or 0), r["criterion_id"]))


def _auto_fail(evaluation: Row | None, criteria: Sequence[Row]) -> str:
    """The reason for a zero score: the criterion's name and explanation in the page's language, or the text stored with the evaluation."""
    if evaluation is None or not evaluation["auto_fail"]:
        return ""
    cause = next((c for c in criteria if c["criterion_id"] == evaluation["auto_fail_criterion_id"] and c["verdict"] == "fail"), None)
    return f"{cause['title']}: {cause['explanation']}" if cause else evaluation["auto_fail_reason"] or ""


def _procedure(procedure: Row, call: Row, findings: Sequence[Row], w: Wording) -> Row:
    """The procedure as its states with times: abuse, warning, the client's answer, notice, end."""
    outcome = procedure["outcome"]
    shown: Row = {"outcome": outcome, "tone": _TONES.get(outcome, ""), "confidence": None, "steps": []} | procedure
    shown["explanation"] = w.explain(procedure.get("explanation_json"), procedure.get("explanation"))
    if outcome == "not_needed":
        return shown
    abuse = next((f for f in findings if f["kind"] == "abuse"), None)
    codes = _STEPS.get(outcome, "uuuu")
    times = {
        "warned": procedure.get("warned_at_s"),
        "reaction": None,
        "notice": procedure.get("ended_notice_at_s"),
        "end": call["duration_s"],
    }
    by_operator = outcome == "operator_at_fault"
    steps = [{
        "name": w("step_operator_abuse") if by_operator else w("step_abuse"),
        "at_s": abuse["start_s"] if abuse else None,
        "state": "missing" if by_operator else "done" if abuse else "unknown",
        "remark": w.label("severities", abuse["severity"]) if abuse and abuse["severity"] else None,
    }]  # fmt: skip
    for code, name in zip(codes, ("warned", "reaction", "notice", "end"), strict=True):
        at_s = times[name]
        state = "done" if name in ("warned", "notice") and at_s is not None else _STATES[code]
        remark = None
        if name == "reaction" and state == "done":
            remark = w("step_stopped") if outcome == "calmed" else w("step_went_on")
        elif name == "end":
            remark = w.label("parties", call["disconnect_party"])
            state = "missing" if outcome == "ended_without_warning" else "unknown" if call["disconnect_party"] == "unknown" else "done"
        elif at_s is None:
            remark = w("state_" + state)
        steps.append({"name": w("step_" + name), "at_s": at_s, "state": state, "remark": remark})
    return shown | {"steps": steps}
