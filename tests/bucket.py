"""An S3 in this process, with one bucket in it."""

from __future__ import annotations

import secrets

import boto3
from moto.server import ThreadedMotoServer

KEYS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Bucket:
    """A new bucket `name` at the server `host`. What it holds outlives its server; KEYS must be set."""

    def __init__(self) -> None:
        self._port = 0
        self.start()
        self.name, self.host = f"runs-{secrets.token_hex(4)}", f"127.0.0.1:{self._port}"
        self.url = f"http://{self.host}"
        self.client = boto3.client("s3", endpoint_url=self.url)
        self.client.create_bucket(Bucket=self.name)

    def start(self) -> None:
        """Serve (again), where it was served before."""
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()

    def stop(self) -> None:
        """Be out of reach."""
        self._server.stop()

    @property
    def checkpoints(self) -> str:
        """What ROIGAN_CHECKPOINTS says for a folder in it."""
        return f"s3://{self.name}/roigan?scheme=http&endpoint_override={self.host}"

    def names(self) -> list[str]:
        """Of all that lies in it."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]
