"""Resolved topics, client types and findings of a call: corrections replace the automatic results, and what rests on refuted findings follows.

Without abuse that counts, no procedure was needed. An outcome or a fail that blames the operator for a refuted finding stands no longer: it
is left to a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.centres.profile import Centre
from pipelines.core.intervals import overlap_s
from pipelines.core.published import Row
from pipelines.reviews.corrections import CLIENT_TYPE, CONFIRMED, FINDING, REFUTED, TOPIC, FindingIdentity, find
from pipelines.reviews.human_verdicts import Standing
from pipelines.score.explanations import why
from pipelines.score.procedure import ACCUSING


def of_call(call: Row, records: Sequence[Row]) -> Row:
    """A row of the view calls with its resolved topic and client type.

    `records` are the latest ones of the call (`corrections.latest`). The record on each stands beside it in topic_correction and
    client_type_correction, withdrawn ones included; None where there is none.
    """
    changed: Row = {}
    for kind in (TOPIC, CLIENT_TYPE):
        record = find(records, kind)
        machine = call.get(f"machine_{kind}", call[kind])  # a copy of an earlier version has automatic values only
        is_corrected = record is not None and record["value"] is not None
        changed |= {
            kind: record["value"] if record and is_corrected else machine,
            f"machine_{kind}": machine,
            f"{kind}_judge": "human" if is_corrected else "machine",
            f"{kind}_correction": record,
        }
    return call | changed


def put_in(rows: Mapping[str, list[Row]], records: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of a call by view with resolved findings and the resolved outcome of the procedure, whatever is published of both."""
    found = _judged(rows["findings"], records)
    return {**rows, "findings": found, "abuse_procedures": [_procedure(row, found) for row in rows["abuse_procedures"]]}


def implied(rows: Mapping[str, Sequence[Row]], profile: Centre | None) -> Standing:
    """The verdicts that follow from refuted findings, in the form of human ones; `rows` come from `put_in`.

    Where no abuse remains, the criterion on the procedure does not apply. A fail for a refuted finding is unsure.
    """
    refuted = [finding for finding in rows["findings"] if finding["refuted_at"] is not None]
    last = max(refuted, key=lambda finding: finding["refuted_at"], default=None)
    if last is None:
        return {}
    outcome = next((row["outcome"] for row in rows["abuse_procedures"] if row["judge"] == "human"), None)
    on_procedure = {c.criterion_id for c in profile.scorecard.criteria if c.rule == "abuse_procedure"} if profile else {"abuse_procedure"}
    found: Standing = {}
    for point in rows["criterion_results"]:
        if point["judge"] != "machine" or point["verdict"] == "na":
            continue
        cause = next((f for f in refuted if point["verdict"] == "fail" and _is_evidence(f, point)), None)
        verdict = "unsure"
        if outcome is not None and point["criterion_id"] in on_procedure:
            cause, verdict = last, "na" if outcome == "not_needed" else "unsure"
        if cause is not None and verdict != point["verdict"]:
            found[point["scorecard_id"], point["criterion_id"]] = _verdict(verdict, cause)
    return found


def for_warehouse(call: Row, rows: Mapping[str, Sequence[Row]], records: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of core.corrected_calls (none or one) and of core.judged_findings of one call; `rows` come from `put_in`."""
    resolved = of_call(call, records)
    corrected: Row = {kind: resolved[kind] if resolved[f"{kind}_judge"] == "human" else None for kind in (TOPIC, CLIENT_TYPE)}
    corrected["outcome"] = next((row["outcome"] for row in rows["abuse_procedures"] if row["judge"] == "human"), None)
    judged = [
        {"call_id": call["call_id"], "finding_no": f["finding_no"], "start_s": f["start_s"], "judged_at": f["correction"]["at"],
         "is_refuted": f["refuted_at"] is not None}
        for f in rows["findings"] if f["judge"] == "human"
    ]  # fmt: skip
    return ([corrected | {"call_id": call["call_id"]}] if any(corrected.values()) else []), judged


def values_of(profile: Centre | None) -> dict[str, tuple[str, ...]]:
    """The values that a person may choose of each kind, in the order of the centre's profile; none without a profile."""
    if profile is None:
        return {}
    return {TOPIC: profile.topic_ids, CLIENT_TYPE: tuple(kind.type_id for kind in profile.client_types)}


def _judged(findings: Sequence[Row], records: Sequence[Row]) -> list[Row]:
    """The findings with the latest record on each; a record is about the one finding that fits it best."""
    identities = [FindingIdentity.of_finding(row) for row in findings]
    by_place: dict[int, Row] = {}
    for record in sorted((r for r in records if r["kind"] == FINDING), key=lambda r: -int(r["correction_id"])):
        place = FindingIdentity.of_record(record).best_among(identities)
        if place is not None:
            by_place.setdefault(place, record)
    return [row | _verdict_on_finding(by_place.get(n)) for n, row in enumerate(findings)]


def _verdict_on_finding(record: Row | None) -> Row:
    value = record["value"] if record else None
    return {
        "judge": "human" if value in (CONFIRMED, REFUTED) else "machine",
        "refuted_at": datetime.fromtimestamp(record["at"], UTC) if record and value == REFUTED else None,
        "correction": record,
    }


def _procedure(row: Row, findings: Sequence[Row]) -> Row:
    machine = str(row.get("machine_outcome", row["outcome"]))
    if row.get("judge") == "human":  # as published, from earlier corrections; its words are those of the refutation
        row = row | {"explanation": None, "explanation_json": None}
    outcome = _outcome(machine, findings)
    if outcome is None:
        return row | {"outcome": machine, "judge": "machine", "machine_outcome": machine}
    reason = why("abuse_refuted" if outcome == "not_needed" else "abuse_partly_refuted")
    return row | {
        "outcome": outcome, "judge": "human", "machine_outcome": machine, "confidence": None, "explanation": reason.text,
        "explanation_json": reason.as_json,
    }  # fmt: skip


def _outcome(machine: str, findings: Sequence[Row]) -> str | None:
    """The outcome where it differs from the automatic one because of refuted abuse."""
    abuse = [f for f in findings if f["kind"] == "abuse"]
    by_client = [f for f in abuse if f["role"] != "operator" and f["target"] in ("operator", "company")]
    by_operator = [f for f in abuse if f["role"] == "operator" and f["target"] == "client"]
    if machine == "not_needed" or all(f["refuted_at"] is None for f in (*by_client, *by_operator)):
        return None
    if all(f["refuted_at"] is not None for f in (*by_client, *by_operator)):
        return "not_needed"
    blamed_for = by_operator if machine == "operator_at_fault" else by_client
    return "cannot_tell" if machine in ACCUSING and any(f["refuted_at"] is not None for f in blamed_for) else None


def _is_evidence(finding: Row, point: Row) -> bool:
    """Whether a verdict has its evidence in the words of a finding."""
    if point["quote"] is None or point["turn_no"] != finding["turn_no"]:
        return False
    return overlap_s((finding["start_s"], finding["end_s"]), (point["start_s"], point["end_s"])) > 0


def _verdict(verdict: str, finding: Row) -> dict[str, Any]:
    """A row of `human_verdicts.standing` that nobody gave, but that follows from a refuted finding."""
    record, reason = finding["correction"], why("finding_refuted")
    return {
        "verdict": verdict, "quote": None, "role": None, "turn_no": None, "start_s": None, "end_s": None, "note": reason.text, "person": record["person"],
        "at": record["at"], "dispute_id": None, "evaluation_id": None, "explanation_json": reason.as_json,
    }  # fmt: skip
