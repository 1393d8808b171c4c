#!/usr/bin/python3
"""Sign requests with botocore, as an oracle that shares no code with the program.

Standard input: one JSON object a line: method, scheme, host, path (base64 of the bytes), query ([[name, value]]),
headers ([[name, value]]), body (base64), access_key, secret_key, session_token, region, date (20150830T123600Z).
Standard output: one Authorization header a line. Exit status 77 where botocore is not installed.
"""
import base64
import datetime
import json
import sys

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import botocore.utils
except ImportError:
    sys.exit(77)


class FixedClock:
    """Stands in for the datetime module inside botocore.auth."""

    timezone = datetime.timezone

    def __init__(self):
        clock = self
        clock.moment = None

        class Fixed(datetime.datetime):
            @classmethod
            def utcnow(cls):
                return clock.moment

            @classmethod
            def now(cls, tz=None):
                return clock.moment

        clock.datetime = Fixed


def main():
    clock = FixedClock()
    botocore.auth.datetime = clock
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda *args, **kwargs: clock.moment
    for line in sys.stdin:
        case = json.loads(line)
        clock.moment = datetime.datetime.strptime(case["date"], "%Y%m%dT%H%M%SZ")
        path = botocore.utils.percent_encode(base64.b64decode(case["path"]), safe="/~")
        request = botocore.awsrequest.AWSRequest(
            method=case["method"],
            url=f"{case['scheme']}://{case['host']}{path}",
            params=[tuple(pair) for pair in case["query"]],
            data=base64.b64decode(case["body"]),
        )
        for name, value in case["headers"]:
            request.headers[name] = value
        credentials = botocore.credentials.Credentials(
            case["access_key"], case["secret_key"], case["session_token"] or None
        )
        botocore.auth.S3SigV4Auth(credentials, "s3", case["region"]).add_auth(request)
        print(request.headers["Authorization"])


main()
