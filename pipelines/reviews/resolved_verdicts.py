"""Resolved verdicts of a call: human verdicts replace automatic ones, and the score follows by the same formula.

What people corrected of a call counts too: verdicts that rest on refuted findings stand no longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pipelines.app_db.database import AppDatabase
from pipelines.centres.profile import Centre, centre_in_version
from pipelines.centres.scorecard import Criterion
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Published, Row
from pipelines.core.records import Call, CallRoles, Procedure, Verdict
from pipelines.queries import call_details, masking
from pipelines.reviews import corrections, resolved_corrections
from pipelines.reviews.human_verdicts import Standing, standing
from pipelines.score.step import evaluate


def read(published: Published, store: AppDatabase, call: Row, *, is_masked: bool) -> dict[str, list[Row]]:
    """The rows of a call's page (`call_details.VIEWS`) with resolved verdicts and findings.

    Raw text is masked for readers who may not see it.
    """
    _, rows = next(call_details.read_calls(published, [call]))
    if is_masked and call["text_kept"] == "raw":
        masking.mask(published, call["call_id"], rows)
    ids = [call["call_id"]]
    return put_in(call, rows, standing(store, ids).get(ids[0], {}), corrections.latest(store, ids).get(ids[0], []))


def put_in(call: Row, rows: dict[str, list[Row]], people: Standing, records: Sequence[Row]) -> dict[str, list[Row]]:
    """The same rows with the current human verdicts, which replace earlier published ones, and the latest corrections."""
    rows, people = with_corrections(call, rows, people, records)
    if not people:
        return rows
    results, evaluations = by_people(call, rows, people)
    own = {(r["scorecard_id"], r["criterion_id"]) for r in results}
    cards = {e["scorecard_id"] for e in evaluations}
    others = [r for r in rows["criterion_results"] if r["judge"] == "machine" or (r["scorecard_id"], r["criterion_id"]) not in own]
    kept = [e for e in rows["evaluations"] if e["judge"] == "machine" or e["scorecard_id"] not in cards]
    return rows | {"criterion_results": results + others, "evaluations": evaluations + kept}


def with_corrections(
    call: Row, rows: dict[str, list[Row]], people: Standing, records: Sequence[Row]
) -> tuple[dict[str, list[Row]], Standing]:
    """The rows with resolved findings, and the verdicts that people gave with those that follow from refuted findings.

    Published human rows are left out where anything was ever corrected: they may follow from a correction that was withdrawn since.
    """
    if not records:
        return rows, people
    rows = resolved_corrections.put_in(rows, records)
    rows |= {view: [row for row in rows[view] if row["judge"] == "machine"] for view in ("criterion_results", "evaluations")}
    return rows, resolved_corrections.implied(rows, _profile(call, rows)) | people


def by_people(call: Row, rows: Mapping[str, Sequence[Row]], people: Standing) -> tuple[list[Row], list[Row]]:
    """A row of criterion_results per criterion with a human verdict, and one of evaluations per scorecard with such a criterion."""
    machine = {(r["scorecard_id"], r["criterion_id"]): r for r in rows["criterion_results"] if r["judge"] == "machine"}
    profile = _profile(call, rows)
    results = [_result(machine[key], said, profile) for key, said in people.items() if key in machine]
    evaluations = []
    for evaluation in rows["evaluations"]:
        card = evaluation["scorecard_id"]
        own = {r["criterion_id"]: r for r in results if r["scorecard_id"] == card}
        if evaluation["judge"] == "machine" and own:
            counted = [own.get(r["criterion_id"], r) for r in machine.values() if r["scorecard_id"] == card]
            evaluations.append(_evaluation(call, rows, profile, evaluation, counted))
    return results, evaluations


def of_list(published: Published, store: AppDatabase, listed: Sequence[Row]) -> list[Row]:
    """The rows of a list of calls with resolved scores, topics and outcomes; `people` names the reviewers, if any."""
    ids = [row["call_id"] for row in listed]
    people, records = standing(store, ids), corrections.latest(store, ids)
    calls = published.of_calls("calls", sorted({*people, *records}), "call_id")
    found = {}
    for call, rows in call_details.read_calls(published, calls):
        own, corrected = people.get(call["call_id"], {}), records.get(call["call_id"], [])
        found[call["call_id"]] = resolved_corrections.of_call(call, corrected), put_in(call, rows, own, corrected)
    return [_listed(row, *found[row["call_id"]]) if row["call_id"] in found else row | {"people": []} for row in listed]


def _listed(row: Row, call: Row, rows: Mapping[str, Sequence[Row]]) -> Row:
    best = {e["scorecard_id"]: e for e in reversed(rows["evaluations"])}.values()  # human ones come before automatic ones
    scores = [e["score_pct"] for e in best if e["score_pct"] is not None]
    coverages = [e["coverage_pct"] for e in best if e["coverage_pct"] is not None]
    changed: Row = {
        "score_pct": sum(scores) / len(scores) if scores else None,
        "coverage_pct": sum(coverages) / len(coverages) if coverages else None,
        "auto_fail": any(e["auto_fail"] for e in best),
        "needs_review": any(e["needs_review"] for e in best),
        "people": sorted({r["person"] for r in rows["criterion_results"] if r["judge"] == "human" and r.get("person")}),
    }
    if "topic" in row:
        changed["topic"] = call["topic"]
    if "outcome" in row and rows["abuse_procedures"]:
        outcome = rows["abuse_procedures"][0]["outcome"]
        changed |= {"outcome": outcome, "abusive": outcome != "not_needed"}
    if "unsure" in row:
        verdicts = {(r["scorecard_id"], r["criterion_id"]): r for r in reversed(rows["criterion_results"])}.values()
        open_points = sorted((r for r in verdicts if r["verdict"] == "unsure"), key=lambda r: (-r["max_points"], r["criterion_id"]))
        changed["unsure"] = [r["criterion_id"] for r in open_points]
    return row | changed


def _result(machine: Row, said: Row, profile: Centre | None) -> Row:
    criterion = _criterion(profile, machine["criterion_id"])
    weight = machine["max_points"] or (criterion.weight if criterion else 0.0)
    return machine | {
        "verdict": said["verdict"], "confidence": 1.0, "points": weight if said["verdict"] == "pass" else 0.0,
        "max_points": 0.0 if said["verdict"] == "na" else weight, "quote": said["quote"], "role": said["role"], "turn_no": said["turn_no"],
        "start_s": said["start_s"], "end_s": said["end_s"], "judge": "human", "explanation": said["note"],
        "explanation_json": said.get("explanation_json", "{}"),
        "person": said["person"], "at": said["at"], "is_disputed": said["dispute_id"] is not None, "is_whole": said["evaluation_id"] is not None,
        "machine_verdict": machine["verdict"],
    }  # fmt: skip


def _evaluation(call: Row, rows: Mapping[str, Sequence[Row]], profile: Centre | None, machine: Row, counted: Sequence[Row]) -> Row:
    """The evaluation that follows from the resolved verdicts."""
    people = [r for r in counted if r["judge"] == "human"]
    changed: Row = {"judge": "human", "evaluated_at": datetime.fromtimestamp(max(r["at"] for r in people), UTC)}
    if profile is None:  # the weights of its criteria are unknown
        return machine | changed
    outcome = next((p["outcome"] for p in rows["abuse_procedures"]), "not_needed")
    verdicts = [Verdict(**{name: row[name] for name in Verdict.__slots__}) for row in counted]
    card = profile.scorecard.model_copy(
        update={"criteria": tuple(_criterion(profile, v.criterion_id) or _gone(v, machine) for v in verdicts)}
    )
    found = evaluate(
        Call(call["call_id"], call["centre_id"], "", "", 0, None),
        profile.model_copy(update={"scorecard": card}),
        verdicts,
        Procedure(call["call_id"], outcome, None, None, 0.0, ""),
        CallRoles(call["call_id"], call["role_confidence"] or 0.0, "", bool(call["is_mapping_suspect"])),
    )
    cause = next((r for r in counted if r["criterion_id"] == found.auto_fail_criterion_id), None)
    return machine | changed | {
        "score_pct": found.score_pct, "coverage_pct": found.coverage_pct, "auto_fail": found.is_auto_fail,
        "auto_fail_reason": found.auto_fail_reason, "auto_fail_criterion_id": found.auto_fail_criterion_id,
        # a submitted form covers the whole call; a decided dispute answers one point only
        "needs_review": not any(r["is_whole"] for r in people) and found.needs_review and not (cause is not None and cause in people),
    }  # fmt: skip


def _profile(call: Row, rows: Mapping[str, Sequence[Row]]) -> Centre | None:
    """The profile in the version that judged the call; None for a centre without one."""
    version = next((evaluation["scorecard_version"] for evaluation in rows["evaluations"] if evaluation["judge"] == "machine"), None)
    return centre_in_version(call["centre_id"], version) if call["centre_id"] in centre_ids() else None


def _criterion(profile: Centre | None, criterion_id: str) -> Criterion | None:
    return next((c for c in profile.scorecard.criteria if c.criterion_id == criterion_id), None) if profile else None


def _gone(verdict: Verdict, machine: Row) -> Criterion:
    """A criterion that the scorecard had when the call was judged, but no longer has."""
    is_cause = machine["auto_fail_criterion_id"] == verdict.criterion_id
    return Criterion.model_construct(
        criterion_id=verdict.criterion_id, rule="said", weight=verdict.max_points, title={}, description={}, is_auto_fail=is_cause
    )
