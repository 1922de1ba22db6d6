"""What browsers ask of the demo: whether they may, and what they send."""

import json
import math
import re
from collections.abc import Collection, Mapping
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from ..data.tables.columns import has_lone_surrogate
from ..data.tables.kinds import TableOptions

# Characters of a text to type or paste: about 50 pages. Longer ones may be in a table.
MAX_CHARACTERS = 100_000
# Of a request with a text, in bytes: JSON writes a character in up to twelve.
MAX_REQUEST = 12 * MAX_CHARACTERS + 10_000
BLOCK = 2**20


class RefusedRequestError(ValueError):
    """A request that is not answered, with its HTTP status."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_origin(headers: Message, port: int) -> None:
    """Check that a request is from the demo's own page.

    Any page in the same browser can send requests to this machine, and a host name of its own can
    be made to mean this machine (DNS rebinding). The browser then names that page in `Origin`, or
    its host in `Host`.

    headers (Message): Headers of the request.
    port (int): The demo's port.
    RAISES (RefusedRequestError): It is from another page, or for another host.
    """
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    if headers.get("Host") not in hosts:
        message = f"This is the demo on 127.0.0.1:{port}. It answers to no other name."
        raise RefusedRequestError(HTTPStatus.MISDIRECTED_REQUEST, message)
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site", "none")
    is_other = origin is not None and origin not in {f"http://{host}" for host in hosts}
    if is_other or site not in ("same-origin", "none"):
        raise RefusedRequestError(HTTPStatus.FORBIDDEN, "The demo answers only its own page.")


def check_body(headers: Message, content_type: str, limit: int) -> int:
    """Check what a request says about its body.

    headers (Message): Headers of the request.
    content_type (str): Which its content must be. No form of another page can send one of ours.
    limit (int): Its greatest size, in bytes.
    RETURNS (int): Its size.
    RAISES (RefusedRequestError): It is of another kind, too large, or of unknown size.
    """
    if headers.get("Content-Type", "").partition(";")[0].strip() != content_type:
        message = f"Expected content of the type {content_type}."
        raise RefusedRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    size = headers.get("Content-Length", "")
    if not re.fullmatch("[0-9]{1,15}", size):
        raise RefusedRequestError(HTTPStatus.LENGTH_REQUIRED, "Expected a Content-Length.")
    if int(size) > limit:
        message = f"That is {int(size) / 1e6:,.1f} MB. Expected {limit / 1e6:,.1f} MB at most."
        raise RefusedRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return int(size)


def read_exactly(stream: BufferedIOBase, size: int) -> bytes:
    """Read so many bytes.

    RAISES (ConnectionAbortedError): There are fewer: the browser has gone.
    """
    content = stream.read(size)
    if len(content) < size:
        raise ConnectionAbortedError("The request ended early.")
    return content


def save_exactly(stream: BufferedIOBase, size: int, path: Path) -> None:
    """Write so many bytes to a file, without holding them in memory; as `read_exactly`."""
    with path.open("xb") as file_:
        while size:
            size -= file_.write(read_exactly(stream, min(size, BLOCK)))


def parse_text_request(
    content: bytes, covariate_names: Collection[str]
) -> tuple[dict[str, Any], str, dict[str, float | None]]:
    """Parse a request about a text.

    content (bytes): JSON, an object with `text` and, where there are covariates, with
        `covariates`, numbers by name.
    covariate_names (Collection[str]): Covariates of the pipelines.
    RETURNS (tuple): The object; the text; and the covariates, None where unknown.
    RAISES (ValueError): There is no text, it is empty or too long, or a covariate is no number.
    """
    try:
        request = json.loads(content)
        text, given = request["text"], request.get("covariates", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("Expected JSON with a text.") from error
    if not isinstance(text, str) or not isinstance(given, dict):
        raise ValueError("Expected JSON with a text.")
    if not text.strip():
        raise ValueError("The text is empty. Type or paste one.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"The text has {len(text):,} characters. Expected {MAX_CHARACTERS:,} at most; a table "
            "may have longer texts."
        )
    if has_lone_surrogate(text):
        raise ValueError("The text has half a character (a lone surrogate).")
    covariates: dict[str, float | None] = {}
    for name in covariate_names:
        value = given.get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and math.isfinite(value)):
            raise ValueError(f"The covariate {name!r} is {value!r}. Expected a finite number.")
        covariates[name] = value
    return request, text, covariates


def parse_file_name(query: Mapping[str, str]) -> str:
    """Get the name of a table, without folders and what a file's name can't have."""
    name = re.sub(r"[^\w.() -]", "_", re.split(r"[/\\]", query.get("name", ""))[-1])
    return name[-100:].lstrip(". ") or "table"


def parse_table_options(query: Mapping[str, str]) -> TableOptions:
    """Get how a table is written.

    RAISES (ValueError): There is no such encoding, or the like.
    """
    return TableOptions(
        encoding=query.get("encoding") or "utf-8",
        separator=query.get("separator") or None,
        decimal=query.get("decimal") or None,
    )
