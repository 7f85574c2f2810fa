"""A browser that runs one page and tells what the page found: Debian's chromium, headless, with a folder of its own.

It owns the small server that the page comes from and the browser's process, and refuses to know what the page does: the
page answers by `POST /result`, once.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

CHROMIUM: Final = "chromium"
HOST: Final = "app.example"
"""The page's host, which only this browser can resolve: to this machine. Not a secure context, as most intranets are not."""
RESULT_SECONDS: Final = 40.0
INDEX: Final = b'<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>'


class _Page(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        found = self.server.files.get(self.path)
        if found is None:
            self.send_error(404)
            return
        kind, body = found
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(204)
        self.end_headers()
        self.server.results.put(told)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Says nothing."""


class PageServer(ThreadingHTTPServer):
    """Serves one script as a page, and takes its result."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.files: dict[str, tuple[str, bytes]] = {"/": ("text/html", INDEX)}
        self.results: queue.Queue[dict[str, Any]] = queue.Queue()

    @property
    def origin(self) -> str:
        """What the browser sends as `Origin`."""
        return f"http://{HOST}:{self.server_address[1]}"


@contextlib.contextmanager
def page_server() -> Iterator[PageServer]:
    """A server that runs."""
    with PageServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def shown_by(server: PageServer) -> dict[str, Any]:
    """Opens the page in a browser and returns what it told.

    Raises:
        AssertionError: It told nothing in time; the text is the browser's.
    """
    folder = Path(tempfile.mkdtemp(prefix="chromium-"))
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--enable-logging=stderr", f"--user-data-dir={folder}",
        f"--host-resolver-rules=MAP {HOST} 127.0.0.1", f"{server.origin}/",
    ]  # fmt: skip
    with (folder / "said").open("wb") as said:
        browser = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    try:
        return server.results.get(timeout=RESULT_SECONDS)
    except queue.Empty:
        raise AssertionError((folder / "said").read_text(errors="replace")[-4_000:]) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(folder, ignore_errors=True)
