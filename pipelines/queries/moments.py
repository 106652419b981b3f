"""Search for moments of calls by scorecard points, acts, findings and spoken words; the results are masked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from models.languages.dictionaries import lemmas
from models.languages.language import languages_of_script, words_of
from pipelines.core.grouping import by_call
from pipelines.core.published import Published, Row
from pipelines.core.records import SPEECH_ACTS
from pipelines.queries.moment_query import CALL, MOMENT, VIEWS, Condition, MomentQuery, points
from pipelines.queries.quotes import quoted, texts

MOST_SHOWN = 60
_LOOKED_AT_FIRST = 100  # calls searched first for such a point, the newest, before all calls are searched
_LOOKED_AT = 1500  # the same for one criterion or act, and for words: there the newest calls that contain them in any form
_READ_FIRST = 80  # turns checked first for readable words; twice as many each time after that
_BY_NUMBER = (
    "criterion",
    "act",
)  # views in the order of calls, so that rows of the newest calls are found without reading the others
KINDS = ("good_example", "to_improve")


def search(published: Published, wanted: MomentQuery, *, hears_personal_data: bool = False) -> list[Row]:
    """The moments that match all criteria, newest first, at most `MOST_SHOWN`; each with its key and its readable quote.

    The newest calls are searched first, because most searches find enough there; for words, at most the newest few thousand calls that
    contain them are searched.
    """
    said = words_of(wanted.text)
    if wanted.text and not said:
        return []
    found = _by_words(published, wanted, said, hears_personal_data) if said else _by_marks(published, wanted)
    shown = quoted(published, found[:MOST_SHOWN], hears_personal_data=hears_personal_data)
    return [row | {"key": key_of(wanted.source, row)} for row in shown]


def _by_marks(published: Published, wanted: MomentQuery) -> list[Row]:
    """Moments by verdict, act or finding: from the newest calls if they have enough, else from one scan of all calls."""
    if wanted.source in _BY_NUMBER:
        size = _LOOKED_AT if wanted.criterion_id or wanted.act else _LOOKED_AT_FIRST
        calls = _newest(published, wanted)[:size]
        found = _of(calls, _marked_in(published, wanted, calls, size))
        if len(found) >= MOST_SHOWN or len(calls) < size:
            return found
    return _within_calls(published, wanted, _with_marks(published, wanted))


def _by_words(published: Published, wanted: MomentQuery, said: list[str], hears_personal_data: bool) -> list[Row]:
    """Moments by spoken words, in the newest calls that contain all of them in any form.

    The view lemmas finds the turns without reading them.
    """
    wanted_forms = [word_forms(part) for word in said for part in word.split("-")]
    rows = published.rows("from lemmas_said(?)", sorted(frozenset[str]().union(*wanted_forms)))
    ever_said = {row["lemma"] for row in rows}
    forms = [sorted(one & ever_said) for one in wanted_forms]
    if not all(forms):
        return []
    newest = _newest(published, wanted)
    found = _said_in(published, wanted, newest, forms, said, hears_personal_data)
    if len(found) < MOST_SHOWN and len(newest) == _LOOKED_AT:
        found = _said_in(published, wanted, _newest_with(published, wanted, forms), forms, said, hears_personal_data)
    return found


def _said_in(
    published: Published,
    wanted: MomentQuery,
    calls: Sequence[Row],
    forms: Sequence[Sequence[str]],
    said: list[str],
    hears_personal_data: bool,
) -> list[Row]:
    """The moments of these calls that contain the words, as far as the reader may see them; reads no more turns than are displayed."""
    turns = _with_words(published, calls, forms)
    calls = [call for call in calls if call["call_id"] in turns]
    found: list[Row] = []
    some: list[Row] = []
    most, turns_of_some = _READ_FIRST, 0
    for call in calls:
        some.append(call)
        turns_of_some += len(turns[call["call_id"]])
        if turns_of_some >= most or call is calls[-1]:
            rows = _within_calls(published, wanted, some, turns)
            found += _really_said(published, rows, said, wanted, hears_personal_data)
            if len(found) >= MOST_SHOWN:
                break
            some, most, turns_of_some = [], 2 * most, 0
    return found


def _newest(published: Published, wanted: MomentQuery) -> list[Row]:
    """The newest calls that meet the conditions on calls; for whole centres, cached per published copy."""
    if not wanted.is_of_any_call:
        return _newest_with(published, wanted)
    return published.once(("newest calls", wanted.centres), lambda: _newest_with(published, wanted))


def _newest_with(published: Published, wanted: MomentQuery, forms: Sequence[Sequence[str]] = ()) -> list[Row]:
    """The newest calls that may contain such moments; with `forms`, those that contain all words in some form, and every criterion."""
    sql, values = _newest_of(wanted, forms)
    return published.rows(f"select {CALL} {sql}", *values, _LOOKED_AT)


def _newest_of(wanted: MomentQuery, forms: Sequence[Sequence[str]] = ()) -> tuple[str, list[Any]]:
    """The part of a query for the newest calls after its columns; the last parameter is the limit."""
    held, values = wanted.of_calls()
    where = [held]
    if forms:
        all_marks, more = wanted.of_their_calls()
        where.append(all_marks)
        values += more
    for one in forms:
        # each form has its own subquery, for which DuckDB skips more rows than for a list of forms
        where.append(f"call_no in ({' union all '.join(['select call_no from lemmas where lemma = ?'] * len(one))})")
        values += one
    return f"from calls as c where {' and '.join(where)} order by c.started_local desc nulls last, c.call_id limit ?", values


def _marked_in(published: Published, wanted: MomentQuery, calls: Sequence[Row], size: int) -> list[Row]:
    """The matching rows of the newest calls.

    Calls of whole centres are adjacent, and DuckDB finds them fastest by a list of their numbers (23 instead of 60 ms). Those of one
    operator are scattered: DuckDB reads less when it selects the calls itself (80 instead of 300 ms).
    """
    if wanted.is_of_any_call:
        numbers: Condition = "select unnest(?)", [[call["call_no"] for call in calls]]
    else:
        newest, of_calls = _newest_of(wanted)
        numbers = f"select call_no {newest}", [*of_calls, size]
    held, values = wanted.of_rows()
    also, more = wanted.of_their_calls(numbers)
    sql = f"""select call_id, {MOMENT[wanted.source]} from {VIEWS[wanted.source]}
              where call_no in ({numbers[0]}) and {held} and {also} order by start_s"""
    return published.rows(sql, *numbers[1], *values, *more)


def _with_words(published: Published, calls: Sequence[Row], forms: Sequence[Sequence[str]]) -> dict[str, set[int]]:
    """By call, the turns that contain all words in some form; calls without such a turn are left out."""
    turns_of: dict[str, dict[int, set[int]]] = defaultdict(dict)
    wanted = sorted({form for one in forms for form in one})
    for row in published.rows("from lemmas_in_calls(?, ?)", wanted, [call["call_no"] for call in calls]):
        turns_of[row["lemma"]][row["call_no"]] = set(row["turn_nos"])
    found = {}
    for call in calls:
        turns_of_words = [set[int]().union(*(turns_of[form].get(call["call_no"], ()) for form in one)) for one in forms]
        if turns := set.intersection(*turns_of_words):
            found[call["call_id"]] = turns
    return found


def _within_calls(
    published: Published, wanted: MomentQuery, calls: Sequence[Row], turns: Mapping[str, set[int]] | None = None
) -> list[Row]:
    """The moments of some calls that match all criteria but the words, in the order of the calls; `turns` limits them to these turns."""
    held, values = wanted.of_rows()
    also, others = wanted.of_their_calls(("select unnest(?)", [[call["call_no"] for call in calls]]))
    more, values = f"{held} and {also}", [*values, *others]
    columns = f"call_id, {MOMENT[wanted.source]}{', language' if wanted.source == 'turn' else ''}"
    ids = [call["call_id"] for call in calls]
    if turns is not None:
        places = [f"{call_id} {number}" for call_id in ids for number in turns[call_id]]
        more, values = f"list_contains(?, call_id || ' ' || turn_no) and {more}", [places, *values]
    return _of(calls, published.of_calls(VIEWS[wanted.source], ids, "start_s", columns, more, values))


def _of(calls: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """The rows with the columns of their calls, in the order of the calls."""
    found = by_call(rows)
    return [call | row for call in calls for row in found[call["call_id"]]]


def _with_marks(published: Published, wanted: MomentQuery) -> list[Row]:
    """The newest calls that contain such moments, as many as are displayed."""
    where, values = wanted.of_calls()
    held, of_rows = wanted.of_rows()
    also, of_others = wanted.of_their_calls()
    sql = f"""select {CALL} from calls as c where {where} and c.call_id in (select call_id from {VIEWS[wanted.source]} where {held}) and {also}
              order by c.started_local desc nulls last, c.call_id limit ?"""
    return published.rows(sql, *values, *of_rows, *of_others, MOST_SHOWN)


def key_of(source: str, row: Row) -> str:
    """The form value that names a moment. It grants no access: the moment is looked up again."""
    return f"{source}:{row['number']}:{row['call_id']}"


def call_of(key: str) -> str:
    """The call that a key names; empty for an invalid key."""
    return key.split(":", 2)[2] if key.count(":") >= 2 else ""


def found(published: Published, key: str) -> Row | None:
    """The moment of a key, in a call that was looked up before."""
    source, _, rest = key.partition(":")
    number, _, call_id = rest.partition(":")
    if source == "criterion":
        more, values = points(number)
    else:
        number, _, act = number.partition(".")
        if (
            source not in VIEWS
            or not (number.isascii() and number.isdigit() and len(number) < 7)
            or (source == "act") != (act in SPEECH_ACTS)
        ):
            return None
        more, values = f"{'finding_no' if source == 'finding' else 'turn_no'} = ? and end_s > start_s", list[Any]([int(number)])
        if act:
            more, values = f"{more} and act = ?", [*values, act]
    calls = published.of_calls("calls", [call_id], "call_id", CALL)
    rows = published.of_calls(VIEWS[source], [call_id], "start_s", MOMENT[source], more, values)
    return calls[0] | rows[0] if calls and rows else None


def _really_said(published: Published, rows: list[Row], said: list[str], wanted: MomentQuery, hears_personal_data: bool) -> list[Row]:
    """The first rows whose turn contains every word; words that a reader may not see do not match."""
    forms_of = [word_forms(word) for word in said]
    is_text = wanted.source == "turn" and (hears_personal_data or all(row["text_kept"] != "raw" for row in rows))
    readable = {} if is_text else texts(published, rows, hears_personal_data)
    kept: list[Row] = []
    for row in rows:
        turned = {"text": row["quote"], "language": row["language"]} if is_text else readable.get((row["call_id"], row["turn_no"]))
        if turned is None:
            continue
        words = words_of(turned["text"])
        if wanted.is_exact:
            fits = any(words[n : n + len(said)] == said for n in range(len(words)))
        else:
            forms = {form for word in words for form in (word, *lemmas(word, turned["language"] or ""))}
            fits = all(forms & one for one in forms_of)
        if fits:
            kept.append(row)
            if len(kept) == MOST_SHOWN:
                break
    return kept


@lru_cache(maxsize=2000)
def word_forms(word: str) -> frozenset[str]:
    """A word and its dictionary forms in the languages of its script, as the index of words spells them."""
    return frozenset({word, *(form.replace("ё", "е") for language in languages_of_script(word) for form in lemmas(word, language))})
