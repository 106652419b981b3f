"""Password guessing for one account under many spellings of its name, each of which a naive limit would count as another name.

python -m tests.attack.padded_names http://127.0.0.1:8750 NAME    # against your own site
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

Guess = Callable[[str, str], int]  # a name and a password in, the status of the answer out

_SPACES = (" ", "\t", "\u00a0", "\u2003", "\u3000")


def spellings(name: str) -> Iterator[str]:
    """Several hundred spellings that a look-up could take for the same name: padded, in other cases, in full-width letters, with invisible characters."""
    yield name
    for space in _SPACES:
        for n in (1, 2, 30, 59, 62, 63, 64, 65, 100, 200, 5000):
            yield name + space * n
            yield space * n + name
            yield space * n + name + space * n
    for n in range(200):  # a limit that cuts at 64 characters and a look-up that strips afterwards see different names
        filler = "".join("\t" if n >> at & 1 else " " for at in range(64 - len(name)))
        yield f"{name}{filler}x"
    for n in range(1, min(2 ** len(name), 64)):
        yield "".join(c.upper() if n >> at & 1 else c for at, c in enumerate(name))
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    for n in range(1, len(name) + 1):
        yield wide[:n] + name[n:]
        yield wide[:n].upper() + name[n:] + " " * 60
    for hidden in ("\u200b", "\u00ad", "\ufeff", "\u2060", "\u0000", "\r", "\n"):
        yield name + hidden
        yield hidden + name
        yield name[:1] + hidden + name[1:]


def guesses(guess: Guess, name: str, passwords: int = 1) -> int:
    """How many guesses at a name were looked at (answered as a wrong or a right password), over all spellings of it.

    With a limit of N for a name, at most N for the name itself and N for what can be no name should be.
    """
    found = (guess(spelt, f"guess number {n} of many") for spelt in spellings(name) for n in range(passwords))
    return sum(status in (303, 401) for status in found)


def over_http(base_url: str) -> Guess:
    """A guess at a site that is served, with the token and cookie of its sign-in page."""
    import httpx2

    client = httpx2.Client(base_url=base_url, timeout=30.0, follow_redirects=False)

    def guess(name: str, password: str) -> int:
        token = re.search(r'name="token" value="(\w+)"', client.get("/sign-in").text)
        fields = {"name": name, "password": password, "token": token[1] if token else ""}
        return client.post("/sign-in", data=fields).status_code

    return guess


if __name__ == "__main__":
    print(guesses(over_http(sys.argv[1]), sys.argv[2]), "guesses were looked at")
