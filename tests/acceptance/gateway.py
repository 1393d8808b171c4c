"""The S3 server that tests/servers/with-ceph started, seen by botocore and not by the program under test."""

import os
import sys
import uuid

from support import Cairn

try:
    import botocore.config
    import botocore.session
except ImportError:
    botocore = None


class Gateway:
    """Of the environment; where that names none, the test is skipped, or fails if servers are required."""

    def __init__(self):
        self.endpoint = os.environ.get("CAIRN_TEST_S3_ENDPOINT", "")
        missing = "no server in CAIRN_TEST_S3_ENDPOINT" if not self.endpoint else ""
        missing = missing or ("python3-botocore is not installed" if botocore is None else "")
        if missing:
            print(f"SKIPPED: {missing}", file=sys.stderr)
            sys.exit(1 if os.environ.get("CAIRN_TEST_REQUIRE_SERVERS") else 77)
        self.access_key = os.environ["CAIRN_TEST_S3_ACCESS_KEY"]
        self.secret_key = os.environ["CAIRN_TEST_S3_SECRET_KEY"]
        self.client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=botocore.config.Config(s3={"addressing_style": "path"}),
        )

    def make_bucket(self, name: str) -> str:
        """Returns its full name: no two tests share a bucket."""
        bucket = f"{name}-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=bucket)
        return bucket

    def url(self, bucket: str, prefix: str) -> str:
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}"

    def objects(self, bucket: str) -> dict[str, int]:
        """The size of each object."""
        found = {}
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", ()):
                found[entry["Key"]] = entry["Size"]
        return found

    def remove_bucket(self, bucket: str) -> None:
        for key in self.objects(bucket):
            self.client.delete_object(Bucket=bucket, Key=key)
        self.client.delete_bucket(Bucket=bucket)

    def give_keys(self, cairn: Cairn) -> Cairn:
        cairn.environment["AWS_ACCESS_KEY_ID"] = self.access_key
        cairn.environment["AWS_SECRET_ACCESS_KEY"] = self.secret_key
        return cairn
