"""Account administration: the list of accounts, a form for a new one, and a page to edit each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from pipelines.app_db import accounts, administration, audit, operator_ids
from pipelines.app_db.accounts import EVERY_CENTRE, Account, AccountError
from pipelines.app_db.administration import AccountFields, Change, NotAllowedError
from pipelines.app_db.database import Row
from pipelines.core.profile_files import centre_ids
from pipelines.web.request_context import NavItem, RequestContext, require_permission

router = APIRouter()
NAV = (NavItem("/accounts", "accounts", "manage_accounts"),)


@dataclass(frozen=True)
class FormValues:
    """The submitted values, with which a refused form is displayed again."""

    name: str = ""
    role: str = accounts.ROLES[0]
    centres: frozenset[str] = field(default_factory=frozenset)
    operator_id: str = ""
    hears_personal_data: bool = False
    is_active: bool = True
    is_new_operator: bool = False


@router.get("/accounts")
def account_list(context: Annotated[RequestContext, require_permission("manage_accounts")]) -> HTMLResponse:
    """The accounts that the administrator may change, and a form for a new one."""
    return _list_page(context)


@router.post("/accounts")
def add_account(context: Annotated[RequestContext, require_permission("manage_accounts")]) -> Response:
    """Add an account, with a password that is displayed once."""
    typed = _typed(context, FormValues(role=""))
    password = accounts.fresh_password(typed.name)
    try:
        fields = _fields(context, typed, None)
        made = administration.add(context.store, context.account, typed.name, fields, password)
    except AccountError as error:
        return _list_page(context, _status(context, error, "account_added", typed.name), error, typed=typed)
    _note(context, administration.added(made), made)
    return _list_page(context, made=made, password=password)


@router.get("/accounts/{account_id}")
def account_page(account_id: int, context: Annotated[RequestContext, require_permission("manage_accounts")]) -> HTMLResponse:
    """An account's page: role, centres, operator id and permissions."""
    return _page(context, _account(context, account_id))


@router.post("/accounts/{account_id}")
def change_account(account_id: int, context: Annotated[RequestContext, require_permission("manage_accounts")]) -> Response:
    """Change an account, close it, or give it a new password."""
    account = _account(context, account_id)
    if context.given("new_password") == "1":
        password = accounts.fresh_password(account.name)
        try:
            administration.reset_password(context.store, context.account, account_id, password)
        except AccountError as error:
            return _page(context, account, _status(context, error, "password_changed", account.name), error)
        _note(context, [("password_changed", account.name)], account)
        return _page(context, account, made=account, password=password)
    typed = _typed(context, FormValues(role=account.role, operator_id=account.operator_id or ""))
    try:
        before, after = administration.edit(context.store, context.account, account_id, _fields(context, typed, account))
    except AccountError as error:
        return _page(context, account, _status(context, error, "account_changed", account.name), error, typed=typed)
    _note(context, administration.changes(before, after), before, after)
    return context.go(f"/accounts/{account_id}?done=1")


def _account(context: RequestContext, account_id: int) -> Account:
    """An account that this administrator may change. Raises RefusedError otherwise, the same as for a missing one."""
    account = accounts.find(context.store, account_id) if abs(account_id) < 2**62 else None
    if account is None or not administration.may_manage(context.account, account):
        context.refuse(404, "account_changed", str(account_id)[:30])
    return account


def _typed(context: RequestContext, otherwise: FormValues) -> FormValues:
    """The values of the form; `otherwise` provides the role and operator id of a form without them."""
    role, operator_id = ("role" in context.form), ("operator_id" in context.form)
    return FormValues(
        context.given("name", accounts.LONGEST_TYPED + 1), context.given("role", 100) if role else otherwise.role, frozenset(context.all_given("centre")),
        context.given("operator_id", operator_ids.LONGEST) if operator_id else otherwise.operator_id, context.given("hears_personal_data") == "1",
        context.given("is_active") == "1", context.given("new_operator") == "1",
    )  # fmt: skip


def _fields(context: RequestContext, typed: FormValues, account: Account | None) -> AccountFields:
    """The requested fields of an account.

    Raises AccountError for an unknown centre, or an operator in no call who is not marked as new.
    """
    unknown = typed.centres - {*_known_centres(context), EVERY_CENTRE} - (account.centres if account else frozenset())
    if unknown:
        raise AccountError("account_centre_bad", f"There is no centre {min(unknown)[:64]!r}.", centre=min(unknown)[:64])
    operator_id = typed.operator_id if typed.role == "operator" else ""
    is_kept = account is not None and account.operator_id == operator_id
    new_centres = typed.centres - account.centres if account and is_kept else typed.centres
    if operator_id and EVERY_CENTRE not in typed.centres and not typed.is_new_operator:
        operator_ids.check(operator_ids.known(context.published), operator_id, new_centres)
    return AccountFields(typed.role, typed.centres, operator_id or None, typed.hears_personal_data, typed.is_active)


def _note(context: RequestContext, changes: list[Change], *states: Account) -> None:
    for action, subject in changes:
        context.note(action, subject, administration.centre_of(*states))


def _status(context: RequestContext, error: AccountError, action: str, name: str) -> int:
    """The status of a refused form: 400, or 403 for what exceeds this administrator's access, which the audit log records."""
    if not isinstance(error, NotAllowedError):
        return 400
    audit.write(context.store, context.account, context.address, action, accounts.canonical(name), outcome="refused")
    return 403


def _list_page(
    context: RequestContext,
    status: int = 200,
    error: AccountError | None = None,
    *,
    typed: FormValues | None = None,
    made: Account | None = None,
    password: str = "",
) -> HTMLResponse:
    everybody = [one for one in accounts.everybody(context.store) if administration.may_manage(context.account, one)]
    return context.page(
        "app/accounts.html", status, everybody=everybody, typed=typed or FormValues(), made=made, password=password, **_form(context, error)
    )  # fmt: skip


def _page(
    context: RequestContext,
    account: Account,
    status: int = 200,
    error: AccountError | None = None,
    *,
    typed: FormValues | None = None,
    made: Account | None = None,
    password: str = "",
) -> HTMLResponse:
    typed = typed or FormValues(
        account.name, account.role, account.centres, account.operator_id or "", account.hears_personal_data, account.is_active
    )
    done = context.request.query_params.get("done") == "1"
    values = _form(context, error)
    values["centres"] = sorted({*_own_centres(context), *(account.centres - {EVERY_CENTRE})})
    return context.page("app/account.html", status, one=account, typed=typed, made=made, password=password, done=done, **values)


def _form(context: RequestContext, error: AccountError | None) -> Row:
    """The choices of an account's fields, and the error."""
    account = context.account
    centres = _own_centres(context)
    known = operator_ids.known(context.published)
    roles = accounts.ROLES[: accounts.ROLES.index(account.role) + 1]
    return {
        "problem": context.w(error.key, **error.values) if error else "", "roles": roles, "centres": centres,
        "offers_every_centre": EVERY_CENTRE in account.centres, "offers_unmasked": account.hears_personal_data,
        "operators": operator_ids.offered(known, centres, accounts.everybody(context.store)),
    }  # fmt: skip


def _own_centres(context: RequestContext) -> list[str]:
    return [centre_id for centre_id in _known_centres(context) if context.account.sees_centre(centre_id)]


def _known_centres(context: RequestContext) -> list[str]:
    return sorted({*centre_ids(), *context.centres()})
