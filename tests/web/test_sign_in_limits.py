"""Password guessing: all spellings of a name count as one, networks count as one, and nobody can lock the owner of an account out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest

from pipelines.app_db import accounts, addresses, sessions
from pipelines.app_db.database import AppDatabase
from pipelines.web.auth import devices
from tests.attack import padded_names
from tests.web.people import PASSWORD, People, Person


@pytest.fixture
def store(people: People) -> Iterator[AppDatabase]:
    """The store of the site, without tries of other tests before and after."""
    for _ in range(2):
        with people.store.writing() as db:
            db.execute("delete from sign_in_attempts")
        if not _:
            yield people.store


def tried(store: AppDatabase, name: str, address: str, password: str = "wrong password", device: str | None = None) -> str:
    """What one try comes to: in, wrong, or wait."""
    try:
        return "in" if sessions.sign_in(store, name, password, address, device) else "wrong"
    except sessions.TooManySignInsError:
        return "wait"


def test_padding_a_name_gives_no_more_guesses(store: AppDatabase) -> None:
    checked = sum(tried(store, name, "203.0.113.5") == "wrong" for name in padded_names.spellings("trainer"))

    assert checked <= 2 * sessions.TRIES_PER_NAME  # those that are the name, and those that can be no name at all
    assert tried(store, "trainer", "203.0.113.5", PASSWORD) == "wait"


def test_the_attack_with_padded_names_gets_no_further_over_http(people: People, store: AppDatabase) -> None:
    stranger = people.stranger()

    def guess(name: str, password: str) -> int:
        return stranger.send("/sign-in", "/sign-in", name=name, password=password).status_code

    assert padded_names.guesses(guess, "trainer") <= 2 * sessions.TRIES_PER_NAME
    assert stranger.get("/me").status_code == 303


def test_a_name_is_looked_up_as_it_is_counted() -> None:
    for name in ("Olena", " OLENA ", "ＯＬＥＮＡ", "olena\u3000", "ﬁona", "Straße", "İrem", "ΣΊΣΥΦΟΣ", "é" * 40, "ﬁ" * 40):
        once = accounts.canonical(name)
        assert once is None or accounts.canonical(once) == once, name
    changing = (chr(n) for n in range(0x30000) if unicodedata.normalize("NFKC", chr(n)).casefold() != chr(n))
    assert all(accounts.fold(accounts.fold(f"a{c}b")) == accounts.fold(f"a{c}b") for c in changing)
    assert accounts.canonical("x" * 64) and accounts.canonical("x" * 65) is None  # refused, not cut
    assert accounts.canonical("olena" + " " * 1000) is None


def test_ten_wrong_guesses_elsewhere_do_not_keep_the_owner_out(people: People, store: AppDatabase) -> None:
    assert [tried(store, "trainer", "203.0.113.5") for _ in range(sessions.TRIES_PER_NAME + 1)][-1] == "wait"

    assert tried(store, "trainer", "198.51.100.7", PASSWORD) == "in"


def test_guesses_from_many_networks_leave_each_network_one_try(store: AppDatabase) -> None:
    outcomes = [tried(store, "trainer", f"203.0.113.{n // 10}") for n in range(sessions.TRIES_BEFORE_ONE_EACH)]
    assert set(outcomes) == {"wrong"}

    assert [tried(store, "trainer", "198.51.100.8") for _ in range(2)] == ["wrong", "wait"]
    assert tried(store, "trainer", "198.51.100.7", PASSWORD) == "in"  # the owner, from a place and a device that are both new
    assert tried(store, "analyst", "198.51.100.8") == "wrong"  # other names are not slowed down


def test_a_device_that_signed_in_before_is_not_kept_out_by_its_neighbours(people: People, store: AppDatabase) -> None:
    owner, neighbour = people.person("trainer"), people.stranger()
    owner.send("/sign-out", "/me")

    def sign_in(who: Person, name: str, password: str) -> int:
        return who.send("/sign-in", "/sign-in", name=name, password=password).status_code

    while sign_in(neighbour, "trainer", "wrong password") != 429:
        pass
    for n in range(sessions.TRIES_PER_ADDRESS):
        sign_in(neighbour, f"nobody{n}", "wrong password")
    assert sign_in(neighbour, "manager", PASSWORD) == 429  # the address has had its tries
    assert sign_in(owner, "trainer", PASSWORD) == 303
    signed = owner.client.cookies["callgrade_device"]
    forged = signed[:-9] + ("B" if signed[-9] == "A" else "A") + signed[-8:]  # the last digit may hold bits that count for nothing
    neighbour.client.cookies.set("callgrade_device", forged, path="/sign-in")
    assert sign_in(neighbour, "trainer", PASSWORD) == 429  # a forged signature
    wrong = [sign_in(owner, "trainer", "wrong password") for _ in range(sessions.TRIES_PER_NAME + 1)]
    assert wrong == [401] * sessions.TRIES_PER_NAME + [429]  # the device has a limit of its own


def test_people_at_one_computer_are_all_recognised(store: AppDatabase) -> None:
    value = ""
    for name in ("anna", "olena", "anna", "petro"):
        value = devices.remember(store, value, name)
    found = {devices.known(store, value, name) for name in ("anna", "olena", "petro")}
    assert len(found) == 1 and None not in found
    assert devices.known(store, value, "manager") is None
    for n in range(devices.MOST_NAMES):
        value = devices.remember(store, value, f"other{n}")
    assert devices.known(store, value, "anna") is None and devices.known(store, value, "other0")
    for altered in ("", ".", value[:-1], value + ".x", "x" * 5000, "ж" * 22 + value[22:]):
        assert devices.known(store, altered, "other0") is None


def test_ipv6_is_counted_by_network(store: AppDatabase) -> None:
    wrong = [tried(store, "trainer", f"2001:db8:1:2::{n:x}") for n in range(1, sessions.TRIES_PER_NAME + 2)]
    assert wrong == ["wrong"] * sessions.TRIES_PER_NAME + ["wait"]
    assert tried(store, "trainer", "2001:db8:1:3::1", PASSWORD) == "in"
    for address, counted in (
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ):
        assert addresses.network_of(address) == counted


def test_signing_in_as_oneself_gives_no_more_guesses_at_others(store: AppDatabase) -> None:
    for n in range(sessions.TRIES_PER_ADDRESS):
        tried(store, f"nobody{n}", "203.0.113.5")
        assert n > 30 or tried(store, "analyst", "203.0.113.5", PASSWORD) == "in"
    assert tried(store, "trainer", "203.0.113.5") == "wait"


def test_changing_the_password_is_limited_by_session_not_by_what_others_try(people: People, store: AppDatabase) -> None:
    person = people.person("trainer")
    for _ in range(sessions.TRIES_PER_NAME):
        tried(store, "trainer", "testclient")
    form = {"new": "another seven lamps", "again": "another seven lamps?"}
    assert "new passwords do not match" in person.send("/me/password", old=PASSWORD, **form).text
    codes = [person.send("/me/password", old="wrong password", **form).status_code for _ in range(sessions.TRIES_PER_NAME + 1)]
    assert codes == [400] * sessions.TRIES_PER_NAME + [429]


def test_unknown_names_take_as_long_as_known_ones(store: AppDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is what takes time: once for every try, from the second on and whatever was typed."""
    asked: list[str] = []
    tried(store, "nobody", "203.0.113.5")
    monkeypatch.setattr(accounts, "_HASHER", _Counting(accounts._HASHER, asked))
    for name, password in (("trainer", "wrong password"), ("nobody", "wrong password"), ("x" * 300, "wrong"), ("trainer", "x" * 500)):
        asked.clear()
        assert tried(store, name, "203.0.113.5", password) == "wrong"
        assert asked == ["verify"], name


@pytest.mark.parametrize("name", ["trainer", "nobody"])
def test_the_first_try_after_a_start_tells_no_more_than_the_others(store: AppDatabase, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked: list[str] = []
    monkeypatch.setattr(accounts, "_DUMMY_HASHES", [])
    monkeypatch.setattr(accounts, "_HASHER", _Counting(accounts._HASHER, asked))
    tried(store, name, "203.0.113.5")
    assert asked == ["hash", "verify"]


def test_a_password_that_is_too_long_is_wrong_and_not_cut(store: AppDatabase) -> None:
    longest = "longest lamps " * 14 + "1234"
    accounts.add(store, "verbose", "trainer", longest[: accounts.LONGEST_PASSWORD], ["kyiv"])
    assert tried(store, "verbose", "203.0.113.5", longest[: accounts.LONGEST_PASSWORD]) == "in"
    assert tried(store, "verbose", "203.0.113.5", longest[: accounts.LONGEST_PASSWORD] + "!") == "wrong"


class _Counting:
    """A hasher that notes what it is asked."""

    def __init__(self, hasher: object, asked: list[str]) -> None:
        self._hasher, self._asked = hasher, asked

    def __getattr__(self, name: str) -> object:
        if name in ("verify", "hash"):
            self._asked.append(name)
        return getattr(self._hasher, name)
