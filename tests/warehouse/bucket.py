"""Object storage for a test: a real S3 server on the loopback address with its objects in memory, removed after the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of the server."""

    name: str
    client: Any

    def objects(self) -> dict[str, bytes]:
        """What lies in it now, by key."""
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {row["Key"]: self.client.get_object(Bucket=self.name, Key=row["Key"])["Body"].read() for row in found}


@contextmanager
def running(name: str = "callgrade") -> Iterator[Bucket]:
    """A server with an empty bucket; while it runs, the environment holds what docs/lake.md names: its keys and its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "DUCKDB_S3_ENDPOINT": f"{host}:{port}",
        "DUCKDB_S3_USE_SSL": "false",
    }
    try:
        with pytest.MonkeyPatch.context() as patched:
            for variable, value in told.items():
                patched.setenv(variable, value)
            client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
            client.create_bucket(Bucket=name)
            yield Bucket(name, client)
    finally:
        server.stop()
