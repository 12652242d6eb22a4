"""A server that speaks S3, for the tests of object storage: real HTTP, and a count of the bytes it handed out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from fonds.archives.objectstore import ObjectStoreSource


class ObjectServer:
    """One server; buckets are made as they are filled."""

    def __init__(self, url: str) -> None:
        self.options = {"endpoint_url": url}
        self.client: Any = boto3.client("s3", endpoint_url=url)

    def fill(self, bucket: str, files: dict[str, bytes]) -> None:
        """Put objects into a bucket."""
        self.client.create_bucket(Bucket=bucket)
        for key, data in files.items():
            self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def source(self, place: str) -> ObjectStoreSource:
        """A source over a bucket, or a prefix in one."""
        return ObjectStoreSource("s", f"s3://{place}", self.options)


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """A server as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = ThreadedMotoServer(port=0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield ObjectServer(f"http://{host}:{port}")
        finally:
            server.stop()
