#!/usr/bin/python3
"""An HTTP proxy in front of an S3 server that spoils some of what passes through it: which requests, and how, follows
from a seed and the order in which they come. Standard library only. Used by tests as FaultProxy; by hand it prints its
endpoint and runs until it is interrupted: fault_proxy.py http://HOST:PORT [SEED [RATE [FAULT...]]]

A request is forwarded only once it was read whole, so every fault is either before its effect or after it, never between.
"""

import collections
import http.client
import random
import re
import select
import socket
import struct
import sys
import threading
import time
import urllib.parse

MAX_HEAD = 65536
LONGEST_BURST = 4


class Request:
    def __init__(self, method: str, target: str, headers: list[tuple[str, str]]):
        self.method = method
        self.target = target
        self.headers = headers
        self.length = int(self.header("content-length") or 0)
        self.body = b""  # until it is read

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def deletes_many(self) -> bool:
        return self.method == "POST" and "delete" in urllib.parse.urlsplit(self.target).query


class Response:
    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes, method: str):
        self.status = status
        self.headers = headers
        self.body = body
        self.method = method

    def bytes(self) -> bytes:
        drop = {"connection", "transfer-encoding", "content-length", "keep-alive"}
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() not in drop]
        length = next((v for n, v in self.headers if n.lower() == "content-length"), "0")
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {length if self.method == 'HEAD' else len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if self.method == "HEAD" else self.body)


def error(status: int, code: str, method: str, headers: list[tuple[str, str]] | None = None) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>injected</Message></Error>'
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    return Response(status, [("Content-Type", "application/xml"), ("Date", date), *(headers or [])], body.encode(), method)


class Dropped(Exception):
    """The connection is not to be used any further."""


class Exchange:
    """One request of a client, for a fault to answer."""

    def __init__(self, proxy: "FaultProxy", client: socket.socket, stream, request: Request, rng: random.Random):
        self.proxy = proxy
        self.client = client
        self.stream = stream
        self.request = request
        self.random = rng

    def forward(self, body: bytes | None = None) -> Response:
        """The server's answer. A body of its own is sent under the request's own checksums."""
        connection = http.client.HTTPConnection(*self.proxy.upstream, timeout=60)
        try:
            connection.putrequest(self.request.method, self.request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in self.request.headers:
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders()
            content = self.request.body if body is None else body
            if content:
                connection.send(content)
            answer = connection.getresponse()
            return Response(answer.status, answer.getheaders(), answer.read(), self.request.method)
        finally:
            connection.close()

    def send(self, data: bytes) -> None:
        self.client.sendall(data)

    def answer(self, response: Response) -> None:
        self.send(response.bytes())

    def reset(self) -> None:
        """The client sees "connection reset by peer"."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Dropped

    def wait_for_the_client_to_give_up(self) -> None:
        """Nothing is read or sent meanwhile."""
        poll = select.poll()
        poll.register(self.client, select.POLLRDHUP)
        poll.poll(300_000)
        raise Dropped

    def some_of(self, data: bytes) -> bytes:
        return data[: self.random.randrange(len(data))] if data else data

    def flipped(self, data: bytes) -> bytes:
        at = self.random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self.random.randrange(8))]) + data[at + 1 :]


# The faults. Each answers an exchange; what it does not forward has no effect.


def latency(exchange: Exchange) -> None:
    time.sleep(exchange.random.uniform(0.01, 0.2))
    response = exchange.forward().bytes()
    half = len(response) // 2
    exchange.send(response[:half])
    time.sleep(exchange.random.uniform(0.01, 0.2))
    exchange.send(response[half:])


def reset_before(exchange: Exchange) -> None:
    exchange.reset()


def reset_upload(exchange: Exchange) -> None:
    exchange.stream.read(exchange.random.randrange(exchange.request.length))
    exchange.reset()


def stall_upload(exchange: Exchange) -> None:
    exchange.stream.read(exchange.random.randrange(exchange.request.length))
    exchange.wait_for_the_client_to_give_up()


def reset_answer(exchange: Exchange) -> None:
    response = exchange.forward().bytes()
    exchange.send(response[: exchange.random.randrange(1, len(response))])
    exchange.reset()


def stall_before(exchange: Exchange) -> None:
    exchange.wait_for_the_client_to_give_up()


def stall_answer(exchange: Exchange) -> None:
    exchange.send(exchange.some_of(exchange.forward().bytes()))
    exchange.wait_for_the_client_to_give_up()


def slow_down(exchange: Exchange) -> None:
    exchange.answer(error(503, "SlowDown", exchange.request.method))


def too_many(exchange: Exchange) -> None:
    wait = [("Retry-After", str(exchange.random.randrange(2)))]
    exchange.answer(error(429, "TooManyRequests", exchange.request.method, wait))


def internal_error(exchange: Exchange) -> None:
    exchange.answer(error(500, "InternalError", exchange.request.method))


def internal_error_after(exchange: Exchange) -> None:
    exchange.forward()
    exchange.answer(error(500, "InternalError", exchange.request.method))


def lost_answer(exchange: Exchange) -> None:
    exchange.forward()
    raise Dropped


def truncated_header(exchange: Exchange) -> None:
    header, _, _ = exchange.forward().bytes().partition(b"\r\n\r\n")
    exchange.send(exchange.some_of(header))
    raise Dropped


def truncated_body(exchange: Exchange) -> None:
    header, end, body = exchange.forward().bytes().partition(b"\r\n\r\n")
    exchange.send(header + end + exchange.some_of(body))
    raise Dropped


def shortened_answer(exchange: Exchange) -> None:
    """Shorter than it should be, and it says so: only what is inside can tell."""
    response = exchange.forward()
    response.body = exchange.some_of(response.body)
    exchange.answer(response)


def corrupt_answer(exchange: Exchange) -> None:
    response = exchange.forward()
    if response.body:
        response.body = exchange.flipped(response.body)
    exchange.answer(response)


def corrupt_upload(exchange: Exchange) -> None:
    exchange.answer(exchange.forward(exchange.flipped(exchange.request.body)))


def duplicated(exchange: Exchange) -> None:
    answers = exchange.forward(), exchange.forward()
    exchange.answer(answers[exchange.random.randrange(2)])


def success_with_error(exchange: Exchange) -> None:
    exchange.answer(error(200, "InternalError", exchange.request.method))


def success_with_error_after(exchange: Exchange) -> None:
    exchange.forward()
    exchange.answer(error(200, "InternalError", exchange.request.method))


def keys_not_deleted(exchange: Exchange) -> None:
    """200, and inside that one of the objects could not be removed."""
    key = re.search(rb"<Key>([^<]*)</Key>", exchange.request.body)
    code = exchange.random.choice(("InternalError", "AccessDenied"))
    failure = f"<Error><Key>{key.group(1).decode() if key else ''}</Key><Code>{code}</Code><Message>injected</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?><DeleteResult>{failure}</DeleteResult>'.encode()
    exchange.answer(Response(200, [("Content-Type", "application/xml")], body, "POST"))


def any_request(_: Request) -> bool:
    return True


def has_body(request: Request) -> bool:
    return request.length > 0


def writes(request: Request) -> bool:
    return request.method in ("PUT", "POST", "DELETE")


def answers_with_body(request: Request) -> bool:
    return request.method in ("GET", "POST")


# Name: what it does, to which requests, whether it comes in bursts.
FAULTS = {
    "latency": (latency, any_request, False),
    "reset before": (reset_before, any_request, False),
    "reset in the upload": (reset_upload, has_body, False),
    "reset in the answer": (reset_answer, any_request, False),
    "stall before": (stall_before, any_request, False),
    "stall in the upload": (stall_upload, has_body, False),
    "stall in the answer": (stall_answer, answers_with_body, False),
    "503 SlowDown": (slow_down, any_request, True),
    "429 Retry-After": (too_many, any_request, True),
    "500": (internal_error, any_request, False),
    "500 after the effect": (internal_error_after, any_request, False),
    "answer lost": (lost_answer, any_request, False),
    "header truncated": (truncated_header, any_request, False),
    "body truncated": (truncated_body, answers_with_body, False),
    "answer shortened": (shortened_answer, answers_with_body, False),
    "answer corrupted": (corrupt_answer, answers_with_body, False),
    "upload corrupted": (corrupt_upload, has_body, False),
    "request duplicated": (duplicated, writes, False),
    "200 with an error": (success_with_error, writes, False),
    "200 with an error after the effect": (success_with_error_after, writes, False),
    "200 that deletes nothing": (keys_not_deleted, lambda request: request.deletes_many, False),
}
# These read of the body what they want.
IN_THE_UPLOAD = {"reset in the upload", "stall in the upload"}


class FaultProxy:
    """A context; its endpoint is a URL. counts: how often each fault was injected."""

    def __init__(self, upstream: str, seed: int, rate: float, faults: list[str] | None = None):
        parts = urllib.parse.urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port or 80)
        self.rate = rate
        self.faults = faults or list(FAULTS)
        self.counts: collections.Counter[str] = collections.Counter()
        self.requests = 0
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.burst: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self) -> "FaultProxy":
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def choose(self, request: Request) -> tuple[str | None, random.Random]:
        with self.lock:
            self.requests += 1
            own = random.Random(self.random.random())
            fault = None
            if self.burst:
                fault = self.burst.pop()
            elif self.random.random() < self.rate:
                fitting = [name for name in self.faults if FAULTS[name][1](request)]
                fault = self.random.choice(fitting) if fitting else None
                if fault and FAULTS[fault][2]:
                    self.burst = [fault] * self.random.randrange(LONGEST_BURST)
            if fault:
                self.counts[fault] += 1
            return fault, own

    def serve(self, client: socket.socket) -> None:
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                with client.makefile("rb") as stream:
                    while request := read_head(stream):
                        fault, rng = self.choose(request)
                        exchange = Exchange(self, client, stream, request, rng)
                        if fault not in IN_THE_UPLOAD:
                            request.body = stream.read(request.length)
                        if fault:
                            FAULTS[fault][0](exchange)
                        else:
                            exchange.answer(exchange.forward())
            except (Dropped, OSError, http.client.HTTPException):
                return


def read_head(stream) -> Request | None:
    first = stream.readline(MAX_HEAD).split()
    if len(first) != 3:
        return None
    headers = []
    while (line := stream.readline(MAX_HEAD)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name, value.strip()))
    return Request(first[0].decode(), first[1].decode("latin-1"), headers)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: fault_proxy.py http://HOST:PORT [SEED [RATE [FAULT...]]]")
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rate = float(sys.argv[3]) if len(sys.argv) > 3 else 0.2
    with FaultProxy(sys.argv[1], seed, rate, sys.argv[4:] or None) as running:
        print(running.endpoint, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(dict(running.counts))
