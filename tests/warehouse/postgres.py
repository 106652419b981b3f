"""A separate PostgreSQL for a test, from Debian's packages, on the loopback address; removed after the test."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FAST = "-c fsync=off -c shared_buffers=16MB -c max_connections=40"


@contextmanager
def running() -> Iterator[str]:
    """The address `postgresql://callgrade@127.0.0.1:port/` of a server with an empty database `callgrade`; skips where none can be started."""
    programs = _programs()
    run: dict[str, Any] = {
        "check": True,
        "cwd": "/",
        "env": {"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C"},
        "stdout": subprocess.DEVNULL,
    }
    with tempfile.TemporaryDirectory(prefix="callgrade-postgres-") as folder:
        if os.geteuid() == 0:  # as whom PostgreSQL refuses to run
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres: apt-get install postgresql")
            os.chown(folder, user.pw_uid, user.pw_gid)
            run |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data, port = f"{folder}/data", _free_port()
        subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", "callgrade", "-E", "UTF8", "--no-locale", "--no-sync"], **run)
        server = [programs / "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log"]
        subprocess.run([*server, "-o", f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} {_FAST}", "start"], **run)
        try:
            address = f"postgresql://callgrade@127.0.0.1:{port}/"
            ask(f"{address}postgres", "create database callgrade")
            yield address
        finally:
            subprocess.run([*server, "-m", "immediate", "stop"], **run)


def ask(address: str, *statements: str) -> str:
    """What psql prints for statements to a database."""
    asked = [word for one in statements for word in ("-c", one)]
    said = subprocess.run([_programs() / "psql", "-qAtX", address, *asked], check=True, capture_output=True, text=True)
    return said.stdout


def dump(address: str) -> str:
    """All that a database holds, as text."""
    return subprocess.run([_programs() / "pg_dump", address], check=True, capture_output=True, text=True).stdout


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.skip("PostgreSQL is not installed; apt-get install postgresql")
    return Path(on_path).resolve().parent


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
