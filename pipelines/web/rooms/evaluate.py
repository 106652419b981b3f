"""A person fills in the form that the machine filled in: blind while he has not seen what it said, and compares afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.published import Row
from pipelines.web import call_page, effective, people_verdicts, reviewing
from pipelines.web.masking import mask_typed
from pipelines.web.people_verdicts import LONGEST_NOTE, LONGEST_QUOTE, VERDICTS, NoEvidenceError, Said
from pipelines.web.shown import Shown
from pipelines.web.visit import Visit, call_path, may

router = APIRouter()
FIELDS = ("verdict", "turn", "quote", "note")


@router.get("/evaluate/{call_id:path}")
def form(call_id: str, visit: Annotated[Visit, may("review")]) -> HTMLResponse:
    """The form of a call, with its words and its sound."""
    return _form(visit, visit.call(call_id))


@router.post("/evaluate")
def keep(visit: Annotated[Visit, may("review")]) -> Response:
    """Keep a filled form and go on to the comparison; what does not fit is told beside its criterion."""
    call = visit.call(visit.given("call_id"), "evaluated")
    machine, turns = _machine(visit, call), _turns(visit, call)
    answers: list[Said] = []
    problems: dict[str, str] = {}
    for row in machine:
        name = row["criterion_id"]
        verdict, turn, quote, note = (visit.given(f"{field}_{name}", 4000) for field in FIELDS)
        if not verdict and not (turn or quote or note):
            continue
        try:
            answer = people_verdicts.said(name, verdict, turn, quote, note, turns, call["duration_s"] or 0.0)
            answers.append(replace(answer, note=mask_typed(answer.note)))
        except NoEvidenceError as error:
            problems[name] = visit.w(str(error), quote=LONGEST_QUOTE, note=LONGEST_NOTE)
    if problems or not answers:
        return _form(visit, call, problems, 400)
    said = {row["criterion_id"]: row["verdict"] for row in machine}
    people_verdicts.keep_evaluation(visit.store, visit.account, call, machine[0], answers, said)
    reviewing.mark_reviewed(visit.store, visit.account, call["call_id"])
    visit.note("evaluated", call["call_id"], call["centre_id"])
    return visit.go("/compared/" + call_path(call["call_id"]).removeprefix("calls/"))


@router.get("/compared/{call_id:path}")
def compared(call_id: str, visit: Annotated[Visit, may("review")]) -> HTMLResponse:
    """What the machine and each person said of a call, and what counts."""
    call = visit.call(call_id)
    people_verdicts.note_seen(visit.store, visit.account, call["call_id"])
    shown, machine = visit.shown(call["centre_id"]), _machine(visit, call)
    everything = people_verdicts.everything(visit.store, [call["call_id"]])
    stands = people_verdicts.standing(visit.store, [call["call_id"]]).get(call["call_id"], {})
    lines = [
        row | {
            "title": shown.title(row["criterion_id"]),
            "people": [v for v in everything if (v["scorecard_id"], v["criterion_id"]) == (row["scorecard_id"], row["criterion_id"])],
            "stands": stands.get((row["scorecard_id"], row["criterion_id"])),
        }
        for row in machine
    ]  # fmt: skip
    listed = effective.of_list(visit.published, visit.store, _score(visit, call))[0]
    return visit.page("rooms/compared.html", **_head(visit, shown, call), lines=lines, before=_score(visit, call)[0], now=listed)


def _form(visit: Visit, call: Row, problems: dict[str, str] | None = None, status: int = 200) -> HTMLResponse:
    shown, machine = visit.shown(call["centre_id"]), _machine(visit, call)
    has_seen = people_verdicts.has_seen(visit.store, visit.account, call["call_id"])
    described = {c.criterion_id: c for c in shown.profile.scorecard.criteria} if shown.profile else {}
    criteria = [
        {
            "criterion_id": row["criterion_id"],
            "title": shown.title(row["criterion_id"]),
            "description": _in_language(described.get(row["criterion_id"]), visit.w.code),
            "machine_verdict": row["verdict"] if has_seen else None,
            "problem": (problems or {}).get(row["criterion_id"]),
        }
        | {field: visit.given(f"{field}_{row['criterion_id']}") for field in FIELDS}
        for row in machine
    ]
    talk = [{"turn": turn, "parts": call_page.parts_of(turn["text"], ())} for turn in _turns(visit, call)]
    return visit.page(
        "rooms/evaluate.html", status, **_head(visit, shown, call), criteria=criteria, talk=talk, verdicts=VERDICTS, has_seen=has_seen,
        problems=problems, longest={"quote": LONGEST_QUOTE, "note": LONGEST_NOTE},
    )  # fmt: skip


def _head(visit: Visit, shown: Shown, call: Row) -> dict[str, Any]:
    return {"call": call, "centre": shown.centre, "when": visit.w.time(call["started_local"])}


def _machine(visit: Visit, call: Row) -> list[Row]:
    """What the machine said of a call's first scorecard, in the order of the scorecard: an order by verdict would tell it."""
    rows = visit.published.of_calls("criterion_results", [call["call_id"]], "scorecard_id, criterion_id", more="judge = 'machine'")
    profile = visit.shown(call["centre_id"]).profile
    order = {c.criterion_id: n for n, c in enumerate(profile.scorecard.criteria)} if profile else {}
    first = [row for row in rows if row["scorecard_id"] == rows[0]["scorecard_id"]]
    if not first:
        visit.refuse(404, "opened", call["call_id"], call["centre_id"])
    return sorted(first, key=lambda row: order.get(row["criterion_id"], len(order)))


def _turns(visit: Visit, call: Row) -> list[Row]:
    """The turns as they may be quoted: masked for everybody, because quotes are kept."""
    return effective.read(visit.published, visit.store, call, is_masked=True)["turns"]


def _score(visit: Visit, call: Row) -> list[Row]:
    columns = "call_id, score_pct, auto_fail, needs_review"
    rows = visit.published.of_calls("evaluations", [call["call_id"]], "scorecard_id", columns, "judge = 'machine'")
    return rows[:1] or [{"call_id": call["call_id"], "score_pct": None, "auto_fail": False, "needs_review": False}]


def _in_language(criterion: Any, code: str) -> str:
    return "" if criterion is None else criterion.description.get(code) or criterion.description.get("en", "")
