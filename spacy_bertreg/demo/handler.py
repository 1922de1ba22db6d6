"""What the demo answers to a request."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ..report.explained_page import render_explanations
from ..scoring.checkpoint import Progress
from .page import render_page
from .request_parsing import (
    MAX_CHARACTERS,
    MAX_REQUEST,
    RefusedRequestError,
    check_body,
    check_origin,
    parse_file_name,
    parse_table_options,
    parse_text_request,
    read_exactly,
    save_exactly,
)
from .tables import find_columns, open_table, output_path, score_table

if TYPE_CHECKING:
    from .server import DemoServer

# A browser that neither sends nor takes anything for so many seconds has gone.
TIMEOUT = 60
# How often a page is told that its table waits for another.
SECONDS_BETWEEN_LINES = 1.0
HEADERS = {
    # Nothing is loaded from elsewhere. The marks of explained texts have a style of their own each.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' "
    "'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # The browser writes nothing to its disk either.
    "Cache-Control": "no-store",
}


class Handler(BaseHTTPRequestHandler):
    """Answers one request. All errors are JSON, `{"error": "what is wrong"}`."""

    server: "DemoServer"
    timeout = TIMEOUT
    server_version, sys_version = "bertreg-demo", ""
    _is_started = False

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the addresses of requests have names of files and columns."""

    def do_GET(self) -> None:
        """Send the page, or one of its parts."""
        self._answer(
            {
                "/": lambda: self._send_page("page.html"),
                "/page.css": lambda: self._send_page("page.css"),
                "/page.js": lambda: self._send_page("page.js"),
                "/models": self._describe_models,
            }
        )

    def do_POST(self) -> None:
        """Answer the page."""
        self._answer(
            {
                "/predict": self._predict,
                "/explain": self._explain,
                "/columns": self._find_columns,
                "/score": self._score,
            }
        )

    def _answer(self, actions: Mapping[str, Callable[[], None]]) -> None:
        try:
            check_origin(self.headers, self.server.server_port)
            address = urlsplit(self.path)
            if address.path not in actions:
                raise RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")
            self._query = {name: values[-1] for name, values in parse_qs(address.query).items()}
            actions[address.path]()
        except (ConnectionError, TimeoutError):
            raise
        except RefusedRequestError as error:
            self._send_error(str(error), error.status)
        except (ValueError, OSError, ImportError) as error:
            self._send_error(str(error), HTTPStatus.BAD_REQUEST)
        except Exception as error:
            kind = type(error).__name__
            message = f"The pipeline failed ({kind})."
            if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
                message = "The machine has too little memory for that."
            self._send_error(message, HTTPStatus.INTERNAL_SERVER_ERROR)
            raise

    def _send_page(self, name: str) -> None:
        content_type, content = render_page(name)
        self._start(f"{content_type}; charset=utf-8")
        self.wfile.write(content)

    def _describe_models(self) -> None:
        models = self.server.models
        self._send_json(
            {
                "names": models.names,
                "targets": models.targets,
                "covariates": models.covariates,
                "columns": models.columns,
                "max_characters": MAX_CHARACTERS,
                "max_mb": self.server.max_mb,
            }
        )

    def _predict(self) -> None:
        _, text, covariates = self._read_text()
        self._send_json({"predictions": self.server.models.predict(text, covariates)})

    def _explain(self) -> None:
        request, text, covariates = self._read_text()
        target = request.get("target")
        if target not in self.server.models.targets:
            raise ValueError(
                f"No pipeline predicts {target!r}. Expected one of "
                f"{', '.join(map(repr, self.server.models.targets))}."
            )
        explained, reasons = self.server.models.explain(text, target, covariates)
        page = render_explanations(explained) if explained else ""
        self._send_json({"page": page, "reasons": reasons})

    def _find_columns(self) -> None:
        with self._uploaded() as path:
            options = parse_table_options(self._query)
            columns, text = find_columns(path, options, self.server.text_column)
        self._send_json({"columns": columns, "text": text})

    def _score(self) -> None:
        """Send lines of JSON: `rows` and `share` of what has been done, `waits` while there is
        another table, and last what came of it, with the sizes of the scored table and of the file
        of rejected rows. These two are behind it.
        """
        server = self.server
        with self._uploaded() as path:
            options = parse_table_options(self._query)
            source = open_table(path, self._query.get("text", ""), options, server.models)
            self._start("application/octet-stream")
            output = output_path(path)
            while not server.one_table.acquire(timeout=SECONDS_BETWEEN_LINES):
                self._send_line({"waits": True})
            try:
                summary, preview = score_table(source, output, server.models, self._send_progress)
            finally:
                server.one_table.release()
            files = [output] if summary.errors is None else [output, summary.errors]
            self._send_line(
                {
                    "names": [file_.name for file_ in files],
                    "sizes": [file_.stat().st_size for file_ in files],
                    "rows": summary.rows,
                    "scored": summary.scored,
                    "rejected": summary.rejected,
                    "empty": summary.empty,
                    "seconds": summary.seconds,
                    "remarks": [*summary.notes, *summary.warnings],
                    "preview": {"texts": preview.texts, "rows": preview.rows},
                }
            )
            for file_ in files:
                with file_.open("rb") as content:
                    shutil.copyfileobj(content, self.wfile)

    def _send_progress(self, progress: Progress, share: float) -> None:
        self._send_line({"rows": progress.rows, "share": min(share, 1.0)})

    def _read_text(self) -> tuple[dict[str, Any], str, dict[str, float | None]]:
        size = check_body(self.headers, "application/json", MAX_REQUEST)
        content = read_exactly(self.rfile, size)
        return parse_text_request(content, self.server.models.covariates)

    @contextmanager
    def _uploaded(self) -> Iterator[Path]:
        """Keep the file of the request in a folder of its own, which is deleted in the end."""
        limit = self.server.max_mb * 10**6
        size = check_body(self.headers, "application/octet-stream", limit)
        with tempfile.TemporaryDirectory(dir=self.server.folder) as folder:
            path = Path(folder, parse_file_name(self._query))
            save_exactly(self.rfile, size, path)
            try:
                yield path
            except (ValueError, ImportError) as error:
                # Nobody knows this folder.
                raise ValueError(str(error).replace(f"{folder}{os.sep}", "")) from error

    def _start(self, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._is_started = True
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_line(self, content: Any) -> None:
        self.wfile.write(json.dumps(content).encode() + b"\n")

    def _send_json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._start("application/json", status)
        self._send_line(content)

    def _send_error(self, message: str, status: HTTPStatus) -> None:
        if self._is_started:
            self._send_line({"error": message})
        else:
            self._send_json({"error": message}, status)
