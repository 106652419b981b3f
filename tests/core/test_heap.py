"""A process that grades many batches keeps one heap."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAPS = """
import ctypes, sys, threading
{first}
barrier = threading.Barrier(8)
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.malloc_info.argtypes = [ctypes.c_size_t], [ctypes.c_int, ctypes.c_void_p]

def work():
    barrier.wait()  # all at once
    libc.malloc(100)
    barrier.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
file = libc.fdopen(1, b"w")
libc.malloc_info(0, file), libc.fflush(ctypes.c_void_p(file))
"""


@pytest.mark.skipif(
    not hasattr(os, "confstr") or not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"), reason="heaps of glibc"
)
@pytest.mark.parametrize(("first", "given", "most"), [("", {}, 9), ("from pipelines.core import heap; heap.share_one_heap()", {}, 1),
                                                      ("from pipelines.core import heap; heap.share_one_heap()", {"MALLOC_ARENA_MAX": "2"}, 2)])  # fmt: skip
def test_threads_share_one_heap_unless_set_otherwise(first: str, given: dict[str, str], most: int) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | given
    child = subprocess.run([sys.executable, "-c", HEAPS.format(first=first)], env=environment, capture_output=True, text=True, check=True)
    heaps = child.stdout.count("<heap nr=")
    assert (heaps == most) if first else (1 < heaps <= most)
