#!/usr/bin/python3
"""A proxy in front of an S3 server that is as far away as it is told, and counts requests. Standard library only.

Every byte arrives half a round trip after it was sent, in either direction; the first ones of a connection a whole round
trip later still, as if the connection had had to be made over that distance (connect itself cannot be held up: the kernel
answers it). Connections do not wait for each other, and what is under way does not hold up what follows: latency, not
bandwidth. What TCP's slow start and TLS would add is left out.

Used by tests as DelayProxy, which runs it as a process of its own; by hand: delay_proxy.py http://HOST:PORT MILLISECONDS
prints its endpoint; then each line on standard input is answered with the counts since the last one, as JSON."""

import asyncio
import collections
import json
import os
import subprocess
import sys
import urllib.parse

READ = 1 << 18
IN_FLIGHT = 256  # reads of one direction of a connection that are under way
MAX_HEAD = 1 << 16


class Counts:
    def __init__(self):
        self.requests: collections.Counter[str] = collections.Counter()
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0

    def text(self) -> str:
        told = {"requests": dict(self.requests), "connections": self.connections, "bytes_up": self.bytes_up,
                "bytes_down": self.bytes_down}
        return json.dumps(told)


class RequestCounter:
    """Follows the requests of one connection through the bytes that a client sends, to tell heads from bodies."""

    def __init__(self, begun):
        self.begun = begun  # told the method of each
        self.head = b""
        self.body = 0  # bytes of it to come
        self.chunks: ChunkedBody | None = None

    def feed(self, data: bytes) -> None:
        while data:
            if self.chunks:
                data = self.chunks.feed(data)
                if self.chunks.ended:
                    self.chunks = None
            elif self.body:
                taken = min(self.body, len(data))
                self.body -= taken
                data = data[taken:]
            else:
                data = self.feed_head(data)

    def feed_head(self, data: bytes) -> bytes:
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if not end:
            if len(self.head) > MAX_HEAD:
                raise ValueError("the head of a request has no end")
            return b""
        self.head = b""
        lines = head.split(b"\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        self.begun(lines[0].split()[0].decode())
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            self.chunks = ChunkedBody()
        self.body = int(fields.get(b"content-length", b"0"))
        return rest


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1), without trailers."""

    def __init__(self):
        self.line = b""
        self.left = 0  # of a chunk, its line end included
        self.last = False
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        while data and not self.ended:
            if self.left:
                taken = min(self.left, len(data))
                self.left -= taken
                data = data[taken:]
                self.ended = self.last and self.left == 0
                continue
            line, end, rest = (self.line + data).partition(b"\r\n")
            if not end:
                self.line = line
                return b""
            self.line = b""
            data = rest
            size = int(line.split(b";")[0], 16)
            self.last = size == 0
            self.left = size + 2
        return data


class Proxy:
    def __init__(self, upstream: str, round_trip: float):
        parts = urllib.parse.urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port or 80)
        self.round_trip = round_trip
        self.counts = Counts()

    def count(self, method: str) -> None:
        self.counts.requests[method] += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.connections += 1
        begin = asyncio.get_running_loop().time()
        to_server = None
        try:
            from_server, to_server = await asyncio.open_connection(*self.upstream, limit=READ)
            counter = RequestCounter(self.count)

            def up(data: bytes) -> None:
                self.counts.bytes_up += len(data)
                counter.feed(data)

            def down(data: bytes) -> None:
                self.counts.bytes_down += len(data)

            # The connection stands a whole round trip after it was asked for; nothing is sent before.
            connected = begin + self.round_trip
            await asyncio.gather(self.carry(reader, to_server, up, connected), self.carry(from_server, writer, down, connected))
        except OSError:
            pass
        finally:
            for end in (writer, to_server):
                if end is not None:
                    end.close()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note, connected: float) -> None:
        """One direction, until its end, which is passed on."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)

        async def take() -> None:
            data = b"-"
            while data:
                try:
                    data = await reader.read(READ)
                    note(data)
                except OSError:
                    data = b""
                except ValueError as error:
                    print(f"not HTTP as it is counted here: {error}", file=sys.stderr)
                    data = b""
                await under_way.put((max(loop.time(), connected) + self.round_trip / 2, data))

        taking = asyncio.create_task(take())
        try:
            while True:
                due, data = await under_way.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()
        finally:
            taking.cancel()


async def run(upstream: str, round_trip: float) -> None:
    proxy = Proxy(upstream, round_trip)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=READ, backlog=128)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        counts, proxy.counts = proxy.counts, Counts()
        print(counts.text(), flush=True)


class DelayProxy:
    """A context; its endpoint is a URL. round_trip: in seconds."""

    def __init__(self, upstream: str, round_trip: float):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), upstream, str(round_trip * 1000)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().strip()
        if not self.endpoint:
            raise OSError("the proxy does not start")

    def __enter__(self) -> "DelayProxy":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def take(self) -> dict:
        """What was counted since the last call."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: delay_proxy.py http://HOST:PORT MILLISECONDS")
    try:
        asyncio.run(run(sys.argv[1], float(sys.argv[2]) / 1000))
    except KeyboardInterrupt:
        pass
