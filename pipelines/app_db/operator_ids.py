"""Operator ids in published calls, so that accounts and packs are not created for operators who do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from itertools import islice

from pipelines.app_db.accounts import EVERY_CENTRE, Account, AccountError
from pipelines.app_db.database import Row
from pipelines.core.published import Published

LONGEST = 200
MOST_NEAR = 3
MOST_OFFERED = 2000  # a longer list would make the page slow; any id may still be typed


def known(published: Published) -> dict[str, frozenset[str]]:
    """The operators of each centre, by their ids in the call log."""
    return published.once("operator_ids", lambda: _known(published))


def check(known: dict[str, frozenset[str]], operator_id: str, centres: Collection[str]) -> None:
    """Check that an id occurs in a call of each of these centres. Raises AccountError, with the most similar ids, otherwise."""
    missing = sorted(centre_id for centre_id in centres if operator_id not in known.get(centre_id, frozenset()))
    if not missing:
        return
    near = nearest(operator_id, {one for centre_id in missing for one in known.get(centre_id, frozenset())})
    where, hint = ", ".join(missing), f" Did you mean {', '.join(near)}?" if near else ""
    raise AccountError(
        "operator_unknown_near" if near else "operator_unknown",
        f"No published call of {where} has the operator {operator_id!r}.{hint} For an operator without calls, add --new-operator.",
        operator=operator_id, centres=where, near=", ".join(near),
    )  # fmt: skip


def check_for_pack(known: dict[str, frozenset[str]], accounts: Iterable[Account], operator_id: str, centre_id: str) -> None:
    """Check that a pack's operator occurs in a call, or has an account, of its centre. Raises AccountError otherwise."""
    ids = known.get(centre_id, frozenset()) | {a.operator_id for a in accounts if a.operator_id and a.sees_centre(centre_id)}
    if operator_id not in ids:
        near = nearest(operator_id, ids)
        raise AccountError(
            "pack_operator_unknown_near" if near else "pack_operator_unknown", f"{centre_id} has no operator {operator_id!r}.",
            centres=centre_id, operator=operator_id, near=", ".join(near),
        )  # fmt: skip


def nearest(operator_id: str, ids: Iterable[str]) -> list[str]:
    """The ids most similar to this one, ignoring case; the nearest first."""
    by_folded = {one.casefold(): one for one in sorted(ids)}
    return [by_folded[found] for found in difflib.get_close_matches(operator_id.casefold(), by_folded, n=MOST_NEAR)]


def offered(known: dict[str, frozenset[str]], centres: Collection[str], accounts: Iterable[Account]) -> list[Row]:
    """The ids to choose from in some centres, each with its centres and the names of its accounts."""
    names: dict[str, list[str]] = {}
    for account in accounts:
        if account.operator_id and (account.centres & set(centres)):
            names.setdefault(account.operator_id, []).append(account.name)
    found: dict[str, list[str]] = {}
    for centre_id in sorted(centres):
        for operator_id in known.get(centre_id, frozenset()):
            found.setdefault(operator_id, []).append(centre_id)
    return [
        {"operator_id": operator_id, "centres": found[operator_id], "names": sorted(names.get(operator_id, []))}
        for operator_id in islice(sorted(found), MOST_OFFERED)
    ]


def own_centres(known: dict[str, frozenset[str]], account: Account) -> list[str]:
    """The centres with known operators that an account has access to."""
    return sorted(known) if EVERY_CENTRE in account.centres else sorted(account.centres & set(known))


def _known(published: Published) -> dict[str, frozenset[str]]:
    rows = published.rows("select distinct centre_id, operator_id from calls where centre_id is not null and operator_id is not null")
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["centre_id"], set()).add(row["operator_id"])
    return {centre_id: frozenset(ids) for centre_id, ids in found.items()}
