"""The demo's web server, for browsers on this machine alone."""

import shutil
import socket
import sys
import tempfile
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from .handler import Handler
from .models import DemoModels

HOST = "127.0.0.1"


def check_port(port: int) -> None:
    """Check a port, before pipelines are loaded.

    RAISES (ValueError): It is taken, is not for everyone, or there is no such port.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            probe.listen()
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise ValueError(
            f"Can't listen on port {port} of {HOST}: {reason}. Expected another --port, or 0 for "
            "any that is free."
        ) from error


class DemoServer(ThreadingHTTPServer):
    """Serves the page, and answers it. It is a context manager; in the end, it forgets the requests
    that wait, and deletes all files.

    models (DemoModels): The pipelines.
    text_column (str | None): Usual name of a table's column of texts.
    max_mb (int): Size of the largest table, in MB.
    folder (Path): Folder for tables while they are scored.
    one_table (Lock): Held while a table is scored: one after the other, each is ready sooner.
    """

    # Connections that may wait to be taken, as when ten people press a button at once.
    request_queue_size = 128

    def __init__(
        self,
        models: DemoModels,
        port: int = 0,
        *,
        text_column: str | None = None,
        max_mb: int = 200,
    ) -> None:
        """Listen.

        port (int): Port on 127.0.0.1; 0 for any that is free.
        RAISES (OSError): The port is taken, or not for everyone.
        """
        self.models = models
        self.text_column = text_column
        self.max_mb = max_mb
        self.one_table = threading.Lock()
        super().__init__((HOST, port), Handler)
        self.folder = Path(tempfile.mkdtemp(prefix="bertreg-demo-"))

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def server_bind(self) -> None:
        """Bind, without looking up this machine's name on the network as the base class does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def server_close(self) -> None:
        """Stop listening and scoring, and delete all files."""
        # Not that of ThreadingMixIn, which waits for each browser.
        TCPServer.server_close(self)
        try:
            self.models.close()
        finally:
            while self.folder.exists():
                # Threads of requests may be in the midst of making a file.
                shutil.rmtree(self.folder, ignore_errors=True)
                time.sleep(0.01)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say on the terminal where it went wrong, but nothing of what was sent."""
        kind, _, trace = sys.exc_info()
        if kind is None or issubclass(kind, (ConnectionError, TimeoutError)):
            return  # the browser has gone
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            code = trace.tb_frame.f_code
            sys.stderr.write(f"{kind.__name__} in {code.co_filename}, line {trace.tb_lineno}\n")
