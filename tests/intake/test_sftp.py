from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.intake.folder import read_folder
from pipelines.intake.sftp import pull

paramiko = pytest.importorskip("paramiko")

LOG = "call_id,centre,recording,started_at\nc-1,irkutsk,x.wav,2024-10-21 08:47\n"


class _Door(paramiko.ServerInterface):
    def check_auth_password(self, username: str, password: str) -> int:
        return int(paramiko.AUTH_SUCCESSFUL if (username, password) == ("callgrade", "s:cret") else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)


class _File(paramiko.SFTPHandle):
    def stat(self) -> object:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Disk(paramiko.SFTPServerInterface):
    root = ""

    def list_folder(self, path: str) -> object:
        try:
            entries = sorted(os.scandir(self.root + path), key=lambda e: e.name)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return [paramiko.SFTPAttributes.from_stat(e.stat(), e.name) for e in entries]

    def stat(self, path: str) -> object:
        try:
            return paramiko.SFTPAttributes.from_stat(os.stat(self.root + path))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: object) -> object:
        handle = _File(flags)
        handle.readfile = open(self.root + path, "rb")  # noqa: SIM115 the server closes it with its handle
        return handle


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, Path]]:
    """A real SFTP server on this machine: its address, the folder that it shows, and the file that makes it known."""
    disk = tmp_path / "exchange"
    (disk / "records" / "deep").mkdir(parents=True)
    (disk / "records" / "calls.csv").write_text(LOG)
    (disk / "records" / "deep" / "x.wav").write_bytes(b"sound" * 1000)
    _Disk.root = str(disk)
    key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transports.append(transport)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Disk)
            transport.start_server(server=_Door(), event=threading.Event())

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
    yield f"sftp://callgrade:s%3Acret@127.0.0.1:{port}/records", disk / "records", known
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    for transport in transports:
        transport.close()
        transport.join(5)


def test_a_day_comes_into_a_folder_that_intake_reads(server: tuple[str, Path, Path], tmp_path: Path) -> None:
    url, _, known = server

    paths = pull(url, tmp_path / "inbox", known_hosts=known)
    again = pull(url, tmp_path / "inbox", known_hosts=known)

    assert [p.relative_to(tmp_path / "inbox").as_posix() for p in paths] == ["calls.csv", "deep/x.wav"]
    assert again == paths
    assert [c.size_bytes for c in read_folder(tmp_path / "inbox").calls] == [5000]


def test_a_server_that_is_not_known_is_refused(server: tuple[str, Path, Path], tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match=r"not known .*known_hosts"):
        pull(server[0], tmp_path / "inbox")

    assert not list((tmp_path / "inbox").iterdir())


def test_a_wrong_password_and_a_wrong_path_are_for_a_person_and_never_displayed(server: tuple[str, Path, Path], tmp_path: Path) -> None:
    url, _, known = server

    for wrong in (url.replace("s%3Acret", "guess"), url + "/nowhere"):
        with pytest.raises(MisconfiguredError) as caught:
            pull(wrong, tmp_path / "inbox", known_hosts=known)
        assert "guess" not in str(caught.value) and "cret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(TransientError, match="pull again"):
        pull(f"sftp://callgrade@127.0.0.1:{port}/records", tmp_path)


def test_another_kind_of_address_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="sftp://user@host"):
        pull("https://example.org/records", tmp_path)
