"""A mirror on this machine, and nothing of the user's own."""

import gzip
import http.server
import socket
import threading

import pytest

from . import made


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keep the user's own files, settings and proxies out of a test; return the cache."""
    for variable in ("TINYGRAD_CNN_DATA", "TINYGRAD_CNN_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
    return tmp_path / "cache" / "tinygrad_cnn"


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves the made files well or badly, as the first part of the path says."""

    asked: list[str]
    contents: dict[str, bytes]
    finished: threading.Event

    def do_GET(self):
        self.asked.append(self.path)
        _, manner, name = self.path.split("/")
        content = self.contents[name]
        if manner == "forbidden":
            self.send_error(403)
            return
        if manner == "silent":
            self.finished.wait(10)
            return
        if manner == "other":
            content = gzip.compress(b"something else")
        if manner == "longer":
            content += bytes(1 << 20)
        self.send_response(200)
        if manner == "chunked":  # in pieces of seven bytes
            self.send_header("Transfer-Encoding", "chunked")
            pieces = [content[start : start + 7] for start in range(0, len(content), 7)]
            content = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))
        elif manner != "endless":
            self.send_header("Content-Length", str(len(content)))
        if manner == "compressing" and "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        half = content[: len(content) // 2]
        if manner == "endless":
            try:
                while not self.finished.is_set():
                    self.wfile.write(bytes(1 << 16))
            except OSError:
                return  # nobody listens any more
        elif manner == "stalling":
            self.wfile.write(half)
            self.wfile.flush()
            self.finished.wait(20)
        else:
            self.wfile.write(half if manner == "truncated" else content)

    def log_message(self, *arguments):
        """Stay silent."""


@pytest.fixture
def mirror():
    attributes = {"asked": [], "finished": threading.Event(), "contents": dict(made.CONTENTS)}
    handler = type("OneMirror", (Mirror,), attributes)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    handler.address = f"http://127.0.0.1:{server.server_port}/"
    yield handler
    handler.finished.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def dead_address():
    """An address on this machine where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"
