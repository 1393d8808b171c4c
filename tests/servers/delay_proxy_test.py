#!/usr/bin/python3
"""The delaying proxy itself: how far away it is, that it counts, that it changes nothing and holds nobody up."""

import concurrent.futures
import hashlib
import http.client
import http.server
import random
import threading
import time
import unittest

from delay_proxy import ChunkedBody, DelayProxy

ROUND_TRIP = 0.2


class Digests(http.server.BaseHTTPRequestHandler):
    """Answers the digest of what it was sent, and whatever else was asked for."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest().encode())

    def do_GET(self):
        self.answer(random.Random(self.path).randbytes(int(self.path.rsplit("/", 1)[1])))

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class DelayProxyTest(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Digests)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.proxy = DelayProxy(f"http://127.0.0.1:{self.server.server_port}", ROUND_TRIP)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.proxy.__exit__)

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.proxy.endpoint.removeprefix("http://"))
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection: http.client.HTTPConnection, *args, **kwargs) -> tuple[bytes, float]:
        begin = time.monotonic()
        connection.request(*args, **kwargs)
        return connection.getresponse().read(), time.monotonic() - begin

    def test_a_new_connection_costs_a_round_trip_more(self):
        connection = self.connect()
        _, first = self.ask(connection, "GET", "/0/1")
        _, second = self.ask(connection, "GET", "/1/1")
        self.assertGreaterEqual(first, 2 * ROUND_TRIP)
        self.assertGreaterEqual(second, ROUND_TRIP)
        self.assertLess(second, first)

    def test_requests_are_counted_and_bodies_arrive(self):
        connection = self.connect()
        # A body that looks like requests is none.
        body = b"GET / HTTP/1.1\r\n\r\n" * 200_000
        said, _ = self.ask(connection, "PUT", "/a", body)
        self.assertEqual(said.decode(), hashlib.sha256(body).hexdigest())
        said, _ = self.ask(connection, "PUT", "/b", iter([b"x" * 1000, b"y" * 300_000, b"z"]), encode_chunked=True)
        self.assertEqual(said.decode(), hashlib.sha256(b"x" * 1000 + b"y" * 300_000 + b"z").hexdigest())
        got, _ = self.ask(connection, "GET", "/c/3000000")
        self.assertEqual(got, random.Random("/c/3000000").randbytes(3_000_000))
        counts = self.proxy.take()
        self.assertEqual(counts["requests"], {"PUT": 2, "GET": 1})
        self.assertEqual(counts["connections"], 1)
        self.assertGreater(counts["bytes_up"], len(body))
        self.assertEqual(self.proxy.take()["requests"], {})

    def test_connections_do_not_wait_for_each_other(self):
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            list(pool.map(lambda number: self.ask(self.connect(), "GET", f"/{number}/1000"), range(30)))
        self.assertLess(time.monotonic() - begin, 15 * 2 * ROUND_TRIP)
        self.assertEqual(self.proxy.take()["requests"], {"GET": 30})

    def test_a_chunked_body_ends_where_it_ends_however_it_is_cut(self):
        data = b"3\r\nabc\r\n10;name=value\r\n0123456789abcdef\r\n0\r\n\r\n"
        for step in range(1, len(data)):
            body, rest = ChunkedBody(), b""
            for at in range(0, len(data), step):
                rest = body.feed(data[at : at + step] + (b"GET" if at + step >= len(data) else b""))
            self.assertTrue(body.ended)
            self.assertEqual(rest, b"GET")


if __name__ == "__main__":
    unittest.main()
