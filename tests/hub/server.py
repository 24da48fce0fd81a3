"""A hub on loopback that misbehaves as told, and remembers what it was asked."""

import contextlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Hub(ThreadingHTTPServer):
    """Serves the files of a folder.

    Attributes:
        requests: (path, Range header or None) of each request, in order.
        faults: names of methods of `_Handler`, one for each coming request whose path has `where` in it; then none.
        where: "sha256/" for files, "index" for the index.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.requests, self.faults, self.where = folder, [], [], "sha256/"
        self.stalled, self.released = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked_for(self, what: str) -> list[str | None]:
        """The Range headers of the requests for `what`."""
        return [span for path, span in self.requests if what in path]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers["Range"]))
        path = self.server.folder / self.path.lstrip("/")
        content = path.read_bytes() if path.is_file() else None
        if self.server.faults and self.server.where in self.path:
            getattr(self, self.server.faults.pop(0))(content)
        else:
            self.ranged(content)

    def ranged(self, content):
        """As a good server."""
        span = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if content is None:
            self.send_error(404)
        elif span and int(span[1]) >= len(content):
            self.send_error(416)
        elif span:
            start = int(span[1])
            self._send(content[start:], 206, {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"})
        else:
            self._send(content)

    def whole(self, content):
        """No support of Range."""
        self._send(content)

    def truncated(self, content):
        self._send(content[: len(content) // 2], length=len(content))

    def short(self, content):
        """A proxy's lie: half of it, with the length of the half."""
        self._send(content[: len(content) // 2])

    def wrong(self, content):
        self._send(bytes(len(content)))

    def longer(self, content):
        self._send(content + b"more")

    def shifted(self, content):
        """Bytes from elsewhere than asked for."""
        self._send(content[9:], 206, {"Content-Range": f"bytes 9-{len(content) - 1}/{len(content)}"})

    def error(self, content):
        self.send_error(503)

    def busy(self, content):
        self._send(b"", 429, {"Retry-After": "9" * 6})

    def babbling(self, content):
        self._send(b"", 503, {"Retry-After": "soon"})

    def gone(self, content):
        self.send_error(404)

    def loop(self, content):
        self._redirect(self.path)

    def elsewhere(self, content):
        self._redirect("file:///etc/passwd")

    def nowhere(self, content):
        self._redirect("http://[::")

    def endless(self, content):
        """A body without an end or a length."""
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"[" * 2**16)

    def late(self, content):
        time.sleep(1)
        self.ranged(content)

    def trickle(self, content):
        self._head(200, {}, len(content))
        with contextlib.suppress(OSError):
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)

    def slow_head(self, content):
        """A header that never ends, a byte at a time."""
        self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: ")

    def slow_chunk(self, content):
        """A body in chunks, of which the size of the first never ends."""
        self._drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")

    def slow_loop(self, content):
        """Redirects, each in time."""
        time.sleep(0.2)
        self.loop(content)

    def stall(self, content):
        """The first half, then nothing until the test continues."""
        self._head(200, {}, len(content))
        self.wfile.write(content[: len(content) // 2])
        self.server.stalled.set()
        self.server.released.wait(60)

    def _drip(self, start):
        with contextlib.suppress(OSError):
            self.wfile.write(start)
            while not self.server.released.wait(0.02):
                self.wfile.write(b"a")

    def _redirect(self, target):
        """With a body that never ends."""
        self.send_response(302)
        self.send_header("Location", target)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"[" * 2**16)

    def _head(self, status, headers, length):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, content, status=200, headers=None, length=None):
        self._head(status, headers or {}, len(content) if length is None else length)
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *_):
        """Not on the terminal."""


@contextlib.contextmanager
def serving(folder: Path):
    """A `Hub` that runs in a thread."""
    hub = Hub(folder)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        hub.shutdown()
        hub.server_close()
