"""Finds the recordings of a folder at any depth, matches the names of a call log, and computes their sha256."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.core.regular_file import open_regular
from pipelines.core.rejections import Key, Reason
from pipelines.decoding.formats import MAX_BYTES

LOGGER = logging.getLogger("callgrade")

# A file with such a name is a recording even when no row of the log refers to it; any other file is ignored.
AUDIO_SUFFIXES = frozenset(
    {
        ".wav", ".wave", ".mp3", ".mp2", ".ogg", ".oga", ".opus", ".spx", ".m4a", ".mp4", ".aac", ".flac", ".amr", ".awb", ".gsm",
        ".wma", ".webm", ".mka", ".3gp", ".aif", ".aiff", ".au", ".snd", ".ra", ".vox", ".w64", ".caf",
    }
)  # fmt: skip
_OWN_OUTPUT = ".callgrade"  # the site beside a warehouse has clips, which must not be read as recordings when it is inside the folder


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the folder; `problem` is the reason why it cannot be read, if that is known without opening it."""

    path: Path
    relative: str  # to the folder, with slashes, in NFC: file systems differ in how they encode accents
    size_bytes: int
    problem: Reason | None = None

    def has_suffix(self, suffixes: Collection[str]) -> bool:
        """Whether the name has one of these extensions (lower case, with the dot); hidden files have none."""
        name = PurePosixPath(self.relative).name
        return PurePosixPath(name).suffix.lower() in suffixes and not name.startswith(".")


class Recordings:
    """The files under a folder, listed once. Those with one of the `suffixes` are deliveries; the others are ignored."""

    def __init__(self, folder: Path, suffixes: Collection[str] = AUDIO_SUFFIXES) -> None:
        self.suffixes = suffixes
        self.root = os.path.realpath(folder)
        self.folders: set[str] = set()
        self.files = sorted(self._walk(), key=lambda f: f.relative)
        self._by_path: dict[str, list[FoundFile]] = defaultdict(list)
        self._by_folded: dict[str, list[FoundFile]] = defaultdict(list)
        self._by_name: dict[str, list[FoundFile]] = defaultdict(list)
        self._sha256: dict[Path, str] = {}
        for file in self.files:
            folded = file.relative.casefold()
            self._by_path[file.relative].append(file)
            self._by_folded[folded].append(file)
            self._by_name[PurePosixPath(folded).name].append(file)

    def match(self, recording: str) -> list[FoundFile]:
        """The files that a row's `recording` may refer to: by path, then by name, ignoring letter case only if nothing else matches.

        A name without folders matches at any depth. A name with folders matches where one path is the end of the other, since exchanges
        often write the path on their own machine. More than one file is returned when the log does not distinguish them.
        """
        given = _parts(recording)
        path = "/".join(given)
        exact = self._by_path.get(path) or self._by_folded.get(path.casefold())
        if exact or not given:
            return exact or []
        folded = path.casefold().split("/")
        near = [f for f in self._by_name.get(folded[-1], []) if _is_end(folded, f.relative.casefold().split("/"))]
        same_case = [f for f in near if f.relative.endswith(given[-1])]
        return same_case or near

    def delivered(self) -> list[FoundFile]:
        """The files that are recordings (or transcripts) by name."""
        return [file for file in self.files if file.has_suffix(self.suffixes)]

    def has_folder(self, recording: str) -> bool:
        """Whether the name is that of a folder."""
        return "/".join(_parts(recording)).casefold() in self.folders

    def sha256(self, file: FoundFile) -> str:
        """The sha256 of a file, read in blocks and only once. Raises OSError when it cannot be read, or is no longer in the folder."""
        if file.path not in self._sha256:
            with open_regular(file.path) as stream:
                if not self._is_inside(file.path, os.fstat(stream.fileno())):
                    raise OSError(errno.ELOOP, "it was replaced while the folder was read", str(file.path))
                self._sha256[file.path] = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._sha256[file.path]

    def _is_inside(self, path: Path, opened: os.stat_result) -> bool:
        """Whether an opened file is the one at the path, inside the folder: links may have changed since it was listed."""
        real = os.path.realpath(path)
        return real.startswith(os.path.join(self.root, "")) and os.path.samestat(opened, os.stat(real))

    def _walk(self) -> Iterator[FoundFile]:
        def cannot_list(error: OSError) -> None:
            LOGGER.warning("intake: the folder %s cannot be listed (%s); its files are skipped", error.filename, error.strerror)

        for folder, subfolders, names in os.walk(self.root, onerror=cannot_list):
            subfolders[:] = sorted(s for s in subfolders if not s.startswith(".") and not s.endswith(_OWN_OUTPUT))
            self.folders.update(_relative(os.path.join(folder, s), self.root).casefold() for s in subfolders)
            for name in names:
                yield self._look_at(os.path.join(folder, name))

    def _look_at(self, path: str) -> FoundFile:
        relative = _relative(path, self.root)
        problem: Reason | None = None
        size = 0
        real = os.path.realpath(path)
        if not real.startswith(os.path.join(self.root, "")):
            return FoundFile(Path(path), relative, 0, Reason(Key.LINK_OUT))
        try:
            status = os.stat(path)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode):
                problem = Reason(Key.NOT_REGULAR)
            elif size == 0:
                problem = Reason(Key.EMPTY_FILE)
            elif size > MAX_BYTES:
                problem = Reason(Key.LARGE_FILE, gigabytes=MAX_BYTES // 2**30)
            elif not _is_utf8(path):
                problem = Reason(Key.NOT_UTF8)
        except OSError as error:
            problem = Reason(Key.NO_ACCESS, error=str(error.strerror))
        return FoundFile(Path(path), relative, size, problem)


def leaves_folder(recording: str) -> bool:
    """Whether the name points out of the folder: an absolute path, a drive, or `..` anywhere."""
    path = recording.replace("\\", "/")
    return path.startswith(("/", "~")) or bool(re.match(r"[A-Za-z]:", path)) or ".." in path.split("/")


def _parts(recording: str) -> list[str]:
    return [p for p in unicodedata.normalize("NFC", recording).replace("\\", "/").split("/") if p not in ("", ".")]


def _is_end(one: list[str], other: list[str]) -> bool:
    shorter = min(len(one), len(other))
    return one[-shorter:] == other[-shorter:]


def _relative(path: str, root: str) -> str:
    readable = os.fsencode(os.path.relpath(path, root)).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", readable)


def _is_utf8(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
