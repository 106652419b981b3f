"""Role assignment: operator, client or unknown, from small pieces of evidence added up to a confidence.

Each speaker gets log odds of being an operator from their words and the time when they speak (`WEIGHTS`); the odds of all assignments
of the two roles, with at least one operator and one client, give each speaker's confidence. So a call with three voices (a transfer, a
helper in the background) needs no other rule. In a stereo recording the call log gives the operator's channel: strong evidence, but
words that clearly contradict it take precedence, and the mapping is reported as suspect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import yaml

from models.languages import language as languages
from models.languages.phrases import LOADER
from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Call, CallRoles, Role, Turn
from pipelines.turns.spoken_numbers import number_runs
from pipelines.turns.words import items_of, vocabulary_for

PHRASES = languages.FOLDER / "roles"
KINDS = ("service", "offer", "ask", "manage", "need", "address", "reaction")
OPERATOR_ACTS = (
    "company", "self_name", "offer_help", "identify", "self_service", "hold_ask", "hold_thanks", "anything_else", "warn_abuse", "end_notice",
    "night_notice", "redirect", "callback_intro",
)  # fmt: skip

# Log odds of being the operator, per unit of each feature (see `features`). Fitted by logistic regression with a strong prior on the
# reference transcripts of the development calls, plain and with simulated recognition errors, checked by leaving calls out, then rounded.
WEIGHTS: Mapping[str, float] = {
    "company": 0.8,  # says the company's name in their first two turns
    "own_name": 0.5,  # says a first name in their first turn
    "acts": 0.5,  # different acts of an operator, at most 6
    "service": 0.5,  # different phrases of each kind in models/languages/roles, at most 4
    "offer": 0.7,
    "ask": 0.7,
    "manage": 0.7,
    "need": -0.7,
    "address": -0.7,
    "reaction": -0.7,
    "first": 0.7,  # spoke first and received the call
    "first_callee": -0.5,  # spoke first and was the one called (outbound, callback)
    "numbers": -0.5,  # dictates a number of six digits or more
}
# The prior keeps the weights small, so that their sum is too modest. Over 546 speakers of the development calls, whole, mixed to one
# channel and cut to 15 to 30 s, a logistic fit of the true role on the sum has slope 2.1 and offset 0.0; without one centre at a time 1.9
# to 2.4.
EVIDENCE_SCALE = 2.0
LEAST_CONFIDENCE = 0.9  # below it a speaker's role is unknown; in those pieces of 15 to 30 s 1.4 % of the roles given were wrong
CHANNEL_LOG_ODDS = 4.0  # the log has the right channel in about 98 of 100 recordings
SUSPECT_LOG_ODDS = -3.0  # the words alone contradict the log this strongly: about 95 to 5


# A sentence whose words indicate the other role this strongly was assigned to the wrong voice by the diarization. Of the 1,700 sentences of
# the development calls, spoken and recognised, none of a client reaches the first and none of an operator the second.
OPERATOR_SENTENCE_LOG_ODDS = 1.6
CLIENT_SENTENCE_LOG_ODDS = -1.5
SURE = 0.988  # the roles must have this confidence before sentences are moved


@dataclass(frozen=True, slots=True)
class StraySentence:
    """A sentence that the diarization assigned to the wrong speaker."""

    call_id: str
    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class RoleDecision:
    """The role and confidence of each speaker, and the call's summary."""

    of: Mapping[str, tuple[Role, float]]
    summary: CallRoles


def decide_roles(call: Call, turns: Sequence[Turn], stereo: bool) -> RoleDecision:
    """Operator, client or unknown for every speaker of the turns, from the words and, in stereo, the log's operator channel."""
    speakers = sorted({t.speaker for t in turns})
    seen = {s: features(call, turns, s) for s in speakers}
    said = {s: EVIDENCE_SCALE * sum(WEIGHTS[name] * value for name, value in seen[s].items()) for s in speakers}
    odds, is_suspect = dict(said), False
    named = stereo and call.operator_channel is not None and len({t.track for t in turns}) > 1
    if named:
        sign = {t.speaker: 1.0 if t.track == call.operator_channel else -1.0 for t in turns}
        if len(set(sign.values())) == 2:
            is_suspect = _difference(said, sign) < SUSPECT_LOG_ODDS
            odds = {s: said[s] + sign[s] * CHANNEL_LOG_ODDS / 2 for s in speakers}
    # one voice in a mono recording is two that were not separated
    chance = operator_chances(odds) if stereo or len(speakers) > 1 else dict.fromkeys(speakers, 0.5)
    of: dict[str, tuple[Role, float]] = {}
    for speaker, p in chance.items():
        confidence = max(p, 1 - p)
        role: Role = "unknown" if confidence < LEAST_CONFIDENCE else ("operator" if p > 0.5 else "client")
        of[speaker] = (role, round(confidence, 3))
    time = {s: sum(t.end_s - t.start_s for t in turns if t.speaker == s) for s in speakers}
    total = sum(time.values())
    confidence = sum(of[s][1] * time[s] for s in speakers) / total if total else 0.0
    return RoleDecision(of, CallRoles(call.call_id, round(confidence, 3), _explain(seen, chance, bool(named), is_suspect), is_suspect))


def mistaken_stretches(call: Call, turns: Sequence[Turn], decided: RoleDecision) -> list[StraySentence]:
    """The sentences of a mono call that clearly belong to the other side: operator phrases in a client's turn, or the reverse."""
    talk = {s: sum(t.end_s - t.start_s for t in turns if t.speaker == s) for s in decided.of}
    sides = {role: [s for s, (r, sure) in decided.of.items() if r == role and sure >= SURE] for role in ("operator", "client")}
    if not sides["operator"] or not sides["client"]:
        return []
    operator, client = (max(sides[role], key=lambda s: talk[s]) for role in ("operator", "client"))
    found: list[StraySentence] = []
    for turn in turns:
        for said in _sentences(turn):
            odds = _sentence_odds(call, said)
            to = None
            if turn.speaker == client and odds >= OPERATOR_SENTENCE_LOG_ODDS:
                to = operator
            elif turn.speaker == operator and odds <= CLIENT_SENTENCE_LOG_ODDS:
                to = client
            if to:
                found.append(StraySentence(call.call_id, said.start_s, said.end_s, to))
    return found


def _sentences(turn: Turn) -> list[Turn]:
    """The turn's sentences, each as a turn of its own."""
    out: list[Turn] = []
    at = 0
    for n, token in enumerate(turn.tokens, 1):
        if n == len(turn.tokens) or token.text.endswith((".", "?", "!", "…")):
            said = turn.tokens[at:n]
            out.append(replace(turn, tokens=said, start_s=said[0].start_s, end_s=max(t.end_s for t in said)))
            at = n
    return out


def _sentence_odds(call: Call, said: Turn) -> float:
    seen = features(call, [replace(said, speaker="", tokens=()), said], said.speaker)
    return sum(WEIGHTS[name] * value for name, value in seen.items())


def operator_chances(odds: Mapping[str, float]) -> dict[str, float]:
    """The probability of each speaker to be an operator, given that (with two or more) at least one is and one is not."""
    names = list(odds)[:12]
    if len(names) < 2:
        return {name: _sigmoid(odds[name]) for name in names}
    total, of = 0.0, dict.fromkeys(odds, 0.0)
    highest = sum(max(0.0, odds[n]) for n in names)
    for roles in product((False, True), repeat=len(names)):
        if any(roles) and not all(roles):
            weight = math.exp(sum(odds[n] for n, is_operator in zip(names, roles, strict=True) if is_operator) - highest)
            total += weight
            for name, is_operator in zip(names, roles, strict=True):
                of[name] += weight * is_operator
    return {name: of[name] / total if name in names and total else 0.5 for name in odds}


def features(call: Call, turns: Sequence[Turn], speaker: str) -> dict[str, float]:
    """The evidence about one speaker: the value of each feature of `WEIGHTS`."""
    own = [t for t in turns if t.speaker == speaker]
    spoken = [(languages.words_of(t.text), t.language) for t in own if t.language in languages.LANGUAGES]
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    acts: set[str] = set()
    for words, code in spoken:
        masked = ["[NAME]" if languages.is_first_name(w, code) else w for w in words]
        for kind, phrases in _role_phrases(code).items():
            found[kind] |= {p for p in phrases if p not in found[kind] and languages.find_phrase(masked, p, code)}
        for act in OPERATOR_ACTS:
            if act not in acts and any(languages.find_phrase(words, p, code) for p in languages.load(code).acts.get(act, ())):
                acts.add(act)
    spoke_first = bool(turns) and turns[0].speaker == speaker
    was_called = call.direction == "inbound"
    return {
        "company": float(any(_names_company(call, words, code) for words, code in spoken[:2])),
        "own_name": float(any(languages.is_first_name(w, code) for words, code in spoken[:1] for w in words)),
        "acts": float(min(len(acts), 6)),
        **{kind: float(min(len(found[kind]), 4)) for kind in KINDS},
        "first": float(spoke_first and was_called),
        "first_callee": float(spoke_first and not was_called),
        "numbers": float(any(_dictates(t) for t in own)),
    }


def _dictates(turn: Turn) -> bool:
    items = items_of([t.text for t in turn.tokens])
    return any(len(run.digits) >= 6 and not run.is_amount for run in number_runs(items, vocabulary_for(items, turn.language)))


def _names_company(call: Call, words: Sequence[str], code: str) -> bool:
    names = _company_names(call)
    return any(languages.find_phrase(words, name, c) for c in {code, *names} & set(languages.LANGUAGES) for name in names.get(c, ()))


def _company_names(call: Call) -> Mapping[str, Sequence[str]]:
    """By language; empty for a centre without a profile."""
    from pipelines.centres.profile import centre_of
    from pipelines.core.profile_files import profile_file

    return centre_of(call).company_names if profile_file(call.centre_id) is not None else {}


@cache
def _role_phrases(code: str) -> dict[str, tuple[str, ...]]:
    path = PHRASES / f"{code}.yaml"
    data = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    for kind, phrases in data.items():
        if kind not in KINDS:
            raise MisconfiguredError(f"{path}: {kind!r} is not a kind of evidence; allowed are {', '.join(KINDS)}.")
        for phrase in phrases:
            try:
                languages.find_phrase((), phrase, code)
            except ValueError as error:
                raise MisconfiguredError(f"{path}: {kind}: {error}") from error
    return {kind: tuple(phrases) for kind, phrases in data.items()}


def _difference(said: Mapping[str, float], sign: Mapping[str, float]) -> float:
    return sum(sign[s] * value for s, value in said.items())


def _explain(seen: Mapping[str, Mapping[str, float]], chance: Mapping[str, float], named: bool, is_suspect: bool) -> str:
    if is_suspect:
        return "The words indicate that the operator is not on the channel given in the call log."
    parts = ["the call log gives the operator's channel"] if named else []
    top = max(chance, key=lambda s: chance[s])
    parts += [name for name, value in seen[top].items() if value * WEIGHTS[name] > 0]
    return ("Operator by: " + ", ".join(p.replace("_", " ") for p in parts)) if parts else "Nothing in the words distinguishes the roles."


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-max(min(x, 50.0), -50.0)))
