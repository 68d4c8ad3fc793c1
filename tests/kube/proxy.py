"""A proxy between a client and an API server, with TLS on both sides, that does on demand what servers and
networks do at the worst moment. It lives in the API server's network namespace, speaks HTTP/1.1, and gives
every request a connection of its own on both sides. It remembers what it was asked.
"""
import asyncio
import ssl
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from lab import netns
from lab.apiserver import PORT, PROXY_PORT
from lab.shell import wait_until


@dataclass
class Request:
    method: str
    path: str  # without the query
    query: dict
    at: float  # monotonic
    status: int = 0  # of the answer; 0: none yet, or none

    @property
    def resource(self):
        return self.path.rsplit("/", 1)[1]

    @property
    def verb(self):
        if self.method != "GET":
            return self.method
        return "watch" if "watch" in self.query else "list"


@dataclass
class Fault:
    """What to do with the next `times` requests of a resource and verb ("" is any)."""
    resource: str
    verb: str
    times: int
    answer: bytes = None  # send this instead of asking the server
    drip: float = 0  # seconds for each byte of the answer's body
    hang: bool = False  # answer nothing
    gate: threading.Event = None  # ask the server only once it is set

    def takes(self, request):
        return self.times > 0 and self.resource in ("", request.resource) and self.verb in ("", request.verb)


@dataclass
class Stream:
    """A watch that goes on."""
    request: Request
    writer: asyncio.StreamWriter
    cut_next: bool = False  # the next object is cut in its middle
    held: bool = False  # nothing goes through
    tasks: list = field(default_factory=list)


def answer(status, body="", headers=""):
    """An HTTP answer, as bytes."""
    text = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body.encode())}\r\nContent-Type: application/json\r\n{headers}\r\n"
    return (text + body).encode()


def chunk(line):
    """A line of a watch, as HTTP's chunk."""
    data = line if isinstance(line, bytes) else line.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


class Proxy:
    def __init__(self, apiserver, certificate=None):
        """certificate: (certificate, key) files to show to clients; else the server's own."""
        self.apiserver = apiserver
        self.requests, self.faults, self.streams = [], [], []
        self.certificate = certificate or (apiserver.pki / "server.crt", apiserver.pki / "server.key")
        self._upstream = ssl.create_default_context(cafile=str(apiserver.pki / "ca.crt"))
        self._loop, self._server, self._stop = asyncio.new_event_loop(), None, None
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: netns.within(apiserver.ns, self._run), daemon=True)
        self._thread.start()
        self._started.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    # ── for tests ─────────────────────────────────────────────────────────────────────────────────

    def fault(self, resource="", verb="", times=1, **what):
        self.faults.append(Fault(resource, verb, times, **what))

    def count(self, verb, resource=None):
        return sum(r.verb == verb and resource in (None, r.resource) for r in list(self.requests))

    def watches(self, n=1, resource=None):
        """Waits until n watches are answered and open; returns them."""
        def open_ones():
            found = [s for s in list(self.streams) if resource in (None, s.request.resource) and s.request.status == 200]
            return found if len(found) >= n else None
        return wait_until(open_ones, f"{n} watches are open", timeout=60)

    def send(self, stream, data):
        """Puts bytes into a watch, as if from the server."""
        self._loop.call_soon_threadsafe(stream.writer.write, data)

    def cut(self):
        """Ends all connections at once, without a farewell."""
        for stream in list(self.streams):
            self._loop.call_soon_threadsafe(stream.writer.transport.abort)

    def use_certificate(self, certificate, key):
        """For connections from here on."""
        self.certificate = (certificate, key)
        self._loop.call_soon_threadsafe(self._tls.load_cert_chain, str(certificate), str(key))

    # ── inside ────────────────────────────────────────────────────────────────────────────────────

    def _run(self):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self):
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(*(str(f) for f in self.certificate))
        self._tls.set_alpn_protocols(["http/1.1"])
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._client, "0.0.0.0", PROXY_PORT, ssl=self._tls)
        self._started.set()
        async with server:
            await self._stop.wait()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0.05)

    async def _client(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            parts = urlsplit(target)
            request = Request(method, parts.path, parse_qs(parts.query), time.monotonic())
            self.requests.append(request)
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                           if line.startswith(b"content-length:")), 0)
            body = await reader.readexactly(length)
            await self._handle(request, head, body, writer)
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _handle(self, request, head, body, writer):
        fault = next((f for f in self.faults if f.takes(request)), None)
        if fault is not None:
            fault.times -= 1
            if fault.hang:
                await asyncio.sleep(3600)
            while fault.gate is not None and not fault.gate.is_set():
                await asyncio.sleep(0.02)
            if fault.answer is not None:
                writer.write(fault.answer)
                await writer.drain()
                return
        reader, upstream = await asyncio.open_connection("127.0.0.1", PORT, ssl=self._upstream, server_hostname="127.0.0.1")
        try:
            upstream.write(head[:-2] + b"Connection: close\r\n\r\n" + body)
            await self._answer(request, fault, reader, writer)
        finally:
            upstream.transport.abort()

    async def _answer(self, request, fault, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        request.status = int(head.split(b" ", 2)[1])
        writer.write(head)
        if request.verb == "watch" and request.status == 200:
            await self._watch(request, reader, writer, fault.drip if fault else 0)
            return
        while data := await reader.read(65536):
            await self._write(writer, data, fault.drip if fault else 0)

    async def _write(self, writer, data, drip):
        if not drip:
            writer.write(data)
            await writer.drain()
            return
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(drip)

    async def _watch(self, request, reader, writer, drip):
        stream = Stream(request, writer)
        self.streams.append(stream)
        try:
            while not writer.transport.is_closing():
                size = await reader.readline()
                data = size + await reader.readexactly(int(size, 16) + 2) if size.strip() else b""
                while stream.held and not writer.transport.is_closing():
                    await asyncio.sleep(0.02)
                if stream.cut_next:
                    writer.write(data[:len(data) // 2])
                    await writer.drain()
                    await asyncio.sleep(0.1)
                    return
                await self._write(writer, data, drip)
                if not data or size.strip() == b"0":
                    return
        finally:
            self.streams.remove(stream)
            writer.transport.abort()
