"""Files written by Callgrade cannot be read by other users of the machine, unless a setting admits its group."""

from __future__ import annotations

import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from models import private_files
from pipelines import warehouse
from pipelines.__main__ import main
from pipelines.core import staging
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import Batch
from tests.staged import call, stage
from tests.web.people import PASSWORD, Person, token_of

OPEN = 0o022  # the umask of most shells
GRADE = """
import sys
from pathlib import Path
from tests.crash import scenes
folder = Path(sys.argv[1])
scenes.warm_up()
scenes.day_one_graded(folder / "recordings", folder)
COMMANDS = [["accounts", "add", "trainer", "--role", "trainer", "--centre", "all"], ["clips", "out"], ["check"], ["cases"],
            ["export", "calls", "out/calls.parquet"], ["export", "calls", "out/calls.xlsx"]]
for command in COMMANDS:
    command = [part.replace("out", str(folder / "out")) if part.startswith("out") else part for part in command]
    assert scenes.main([*command, "--warehouse", str(folder / "w.duckdb")]) == 0, command
"""
A_TASK = """
import sys
import dags.rules
from pathlib import Path
from pipelines import flow
from pipelines.core.settings import Settings
settings = Settings.from_environment(warehouse=Path(sys.argv[1]) / "w.duckdb", retention_days=20_000)
flow.erase_client(settings, "client-d1-a")
flow.publish(settings, flow.recordings(settings))
"""


def run(*command: str, umask: int = OPEN, text: str = "", **environment: str) -> str:
    """What a command prints, started by a shell with this umask."""
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, input=text, capture_output=True, text=True, umask=umask, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def too_open(*places: Path, withheld: int = 0o077) -> dict[str, str]:
    """The files and folders that have rights which should be withheld, with their modes."""
    found = {path: path.lstat().st_mode for place in places for path in (place, *place.rglob("*")) if not path.is_symlink()}
    return {str(path): stat.filemode(mode) for path, mode in found.items() if mode & withheld}


@contextmanager
def served(file: Path) -> Iterator[str]:
    """`callgrade serve` as a process of its own; the address at which it answers."""
    command = [sys.executable, "-m", "pipelines", "serve", "--warehouse", str(file), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, umask=OPEN) as server:
        try:
            assert server.stdout is not None
            said = re.match(r"Callgrade at (http://\S+)/ ", server.stdout.readline())
            assert said
            yield said[1]
        finally:
            server.terminate()


def person(address: str, name: str) -> Person:
    """Somebody who signs in over HTTP."""
    made = Person.__new__(Person)
    made.client = httpx2.Client(base_url=address, timeout=30)  # type: ignore[assignment]  # asks a real server in the same way
    token = token_of(made.get("/sign-in").text)
    assert made.client.post("/sign-in", data={"name": name, "password": PASSWORD, "token": token, "next": ""}).status_code == 303
    return made


@pytest.mark.slow
def test_no_entry_point_leaves_anything_that_others_can_read(tmp_path: Path) -> None:
    file, out = tmp_path / "w.duckdb", tmp_path / "out"
    run("-c", GRADE, str(tmp_path), text=f"{PASSWORD}\n")
    with served(file) as address:
        trainer = person(address, "trainer")
        assert trainer.get("/sound/d1-a").status_code == 200
        pack = trainer.send("/trainer/packs", moment="turn:1:d1-a", title="A pack").headers["location"]
        (moment,) = re.findall(r'id="m-(\w+)"', trainer.get(pack).text)
        assert trainer.get(f"{pack}/sound/{moment}").status_code == 200
        site = file.with_suffix(".callgrade")
        assert (site / "people.sqlite3-wal").exists() and list(site.glob("packs/*/*.ogg"))
        assert too_open(site, file) == {}
        trainer.client.close()
    run("-c", A_TASK, str(tmp_path))
    assert {"stage", "published", "scorecards", "clips", "sound", "packs", "cases"} <= {path.name for path in site.iterdir()}
    assert len(list(out.iterdir())) > 3 and too_open(site, file, out) == {}


def test_the_weights_command_and_the_dags_withhold_as_much(tmp_path: Path) -> None:
    """Without a package index no weights come, but the umask is set before anything is asked for."""
    code = "import os; from models import weights; weights.fetch = lambda *_: print(oct(os.umask(0))); weights.main([])"
    assert "0o77" in run("-c", code)
    assert "0o27" in run("-c", code, CALLGRADE_UMASK="027")


def test_airflows_generated_passwords_are_private_also_those_of_before(tmp_path: Path) -> None:
    passwords = tmp_path / ".airflow" / "simple_auth_manager_passwords.json.generated"
    passwords.parent.mkdir()
    passwords.write_text('{"admin": "secret"}', encoding="utf-8")
    code = (
        "import os, sys; from pathlib import Path; from dags import run_local; run_local._prepare = lambda: None; "
        "run_local.ROOT = Path(sys.argv[1]); os.execv = lambda *_: print(oct(os.umask(0))); run_local.standalone()"
    )
    assert "0o77" in run("-c", code, str(tmp_path))
    assert too_open(passwords.parent) == {}


@pytest.fixture
def left_open(settings: Settings) -> Settings:
    """A site as an older version left it."""
    stage(settings, "b", [call("a")])
    warehouse.load(Batch(settings.stage / "b"), settings)
    elsewhere = settings.warehouse.parent / "elsewhere.txt"
    elsewhere.write_text("not ours")
    (settings.site / "link").symlink_to(elsewhere)
    for path in (settings.warehouse, settings.site, elsewhere, *settings.site.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return settings


def test_a_site_with_open_modes_is_tightened_and_reported_by_the_next_run(left_open: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    number = len(too_open(left_open.site))
    main(["check", "--warehouse", str(left_open.warehouse)])
    assert too_open(left_open.site, left_open.warehouse) == {}
    said = capsys.readouterr().err
    assert f"{left_open.site}: {number} files and folders were accessible to other users" in said
    assert (left_open.warehouse.parent / "elsewhere.txt").stat().st_mode & 0o777 == 0o644  # a link is not followed
    main(["check", "--warehouse", str(left_open.warehouse)])
    assert "accessible to other users" not in capsys.readouterr().err


def test_a_command_that_only_uses_the_database_tightens_too(left_open: Settings) -> None:
    assert main(["accounts", "list", "--warehouse", str(left_open.warehouse)]) == 0
    assert too_open(left_open.site) == {}


def test_a_file_of_another_user_is_reported(left_open: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chmod", refused)
    with caplog.at_level(logging.WARNING, logger="callgrade"):
        private_files.tighten(left_open.site)
    assert "belong to another user" in caplog.text


@pytest.mark.parametrize(("given", "withheld"), [("077", 0o077), ("27", 0o027), ("0027", 0o027), ("0o007", 0o007), ("", 0o077)])
def test_a_group_is_let_in_where_the_setting_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, given: str, withheld: int
) -> None:
    monkeypatch.setenv("CALLGRADE_UMASK", given)
    assert main(["models", "--profile", "offline"]) == 0  # any command sets the umask of its process
    stage(settings, "b", [call("a")])
    Batch(settings.stage / "b").write("words", [])
    (settings.site / "plain.txt").write_text("x", encoding="utf-8")
    staging.write_whole(settings.site / "whole.txt", b"x")
    assert too_open(settings.site, withheld=withheld) == {}
    modes = {name: stat.S_IMODE((settings.site / name).stat().st_mode) for name in ("", "stage", "stage/b", "plain.txt", "whole.txt")}
    folder, file = 0o777 & ~withheld, 0o666 & ~withheld
    assert modes == {"": folder, "stage": folder, "stage/b": folder, "plain.txt": file, "whole.txt": file}
    assert stat.S_IMODE((settings.stage / "b" / "private").stat().st_mode) == 0o700  # unmasked words are for nobody else


@pytest.mark.parametrize("given", ["022", "000", "777", "177", "070", "many", "0x3f"])
def test_a_umask_that_lets_others_in_or_its_own_user_out_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    monkeypatch.setenv("CALLGRADE_UMASK", given)
    assert main(["models"]) == 2
    said = capsys.readouterr().err
    assert f"CALLGRADE_UMASK is {given!r}" in said and "027" in said


@pytest.fixture(autouse=True)
def _umask_of_the_tests() -> Iterator[None]:
    before = os.umask(OPEN)
    yield
    os.umask(before)
