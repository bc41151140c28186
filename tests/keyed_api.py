"""A third-party API on this machine that answers whoever has its key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def keyed_api(key: str, answer: bytes = b'{"ok": true}') -> Iterator[int]:
    """Serve `/v1/status` for the header `X-Api-Key`, 401 for everything else; its port."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers.get("X-Api-Key") == key and self.path == "/v1/status"
            body = answer if good else b'{"error": "no such key"}'
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
