"""What the demo takes for a large table, and for several people at once.

    python benchmarks/demo.py training/dictionary/model-best corpus/briefings.csv

Starts `bertreg demo` in a process of its own. Sends it a CSV file of `--mb` MB, made of the table's
texts over and over, and a file of as many random bytes that is called CSV; then `--users` threads
each ask for predictions of `--texts` texts. Prints seconds, the peak memory of the process (on
Linux), whether all answers are those of `bertreg score`, and what is left of its files.
"""

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from spacy_bertreg.scoring.score import score_file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline")
    parser.add_argument("table", type=Path, help="CSV file with a column of texts")
    parser.add_argument("--text", default="text", help="column of the texts")
    parser.add_argument("--mb", type=int, default=50)
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--port", type=int, default=8766)
    args = parser.parse_args()
    texts = pd.read_csv(args.table)[args.text].astype(str).tolist()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "spacy", "bertreg", "demo", f"model={args.pipeline}"]
        demo = subprocess.Popen(
            [*command, "--port", str(args.port)], env={**os.environ, "TMPDIR": name}
        )
        try:
            wait_for(args.port)
            print(f"ready: {peak_mb(demo.pid):,.0f} MB")
            large = write_large(texts, folder / "large.csv", args.mb * 10**6)
            measure_table(args.port, large, demo.pid)
            noise = folder / "noise.csv"
            noise.write_bytes(os.urandom(args.mb * 10**6))
            measure_table(args.port, noise, demo.pid)
            given = [texts[i % len(texts)] for i in range(args.users * args.texts)]
            measure_users(args.port, given, args.users, args.pipeline, folder)
        finally:
            demo.send_signal(signal.SIGINT)
            code = demo.wait()
        left = [path.name for path in folder.iterdir() if path.name.startswith("bertreg-demo")]
        print(f"ended with {code}; left behind: {left or 'nothing'}")


def wait_for(port: int) -> None:
    """Wait until the demo answers."""
    while True:
        try:
            return ask(port, "GET", "/models", b"", "")
        except ConnectionRefusedError:
            time.sleep(0.2)


def ask(port: int, method: str, path: str, body: Any, kind: str, size: int | None = None) -> Any:
    """Send a request, and return the content of the answer.

    size (int | None): Of the body in bytes, if it is a file.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Content-Type": kind}
    if size is not None:
        headers["Content-Length"] = str(size)
    connection.request(method, path, body, headers)
    content = connection.getresponse().read()
    connection.close()
    return content


def write_large(texts: list[str], path: Path, size: int) -> Path:
    """Write a CSV file of this size, in bytes."""
    block = pd.DataFrame({"text": texts}).to_csv(index=False, header=False)
    with path.open("w", encoding="utf-8") as file_:
        file_.write("text\n")
        while file_.tell() < size:
            file_.write(block)
    return path


def measure_table(port: int, path: Path, pid: int) -> None:
    """Send a table, and print what came of it."""
    start, n_bytes = time.monotonic(), path.stat().st_size
    with path.open("rb") as body:
        kind = "application/octet-stream"
        content = ask(port, "POST", f"/score?name={path.name}&text=text", body, kind, n_bytes)
    seconds = time.monotonic() - start
    end = content.find(b'"sizes"')
    line = content[content.rfind(b"\n", 0, end) + 1 :].partition(b"\n")[0] if end >= 0 else content
    found = json.loads(line.splitlines()[-1])
    scored = f"{found.get('scored', 0):,} of {found.get('rows', 0):,} rows scored"
    cost = f"{seconds:.1f} s, {peak_mb(pid):,.0f} MB"
    print(f"{path.name}, {n_bytes / 1e6:.0f} MB: {cost}; {found.get('error') or scored:.200}")


def measure_users(port: int, texts: list[str], n_users: int, pipeline: str, folder: Path) -> None:
    """Ask for predictions from several threads at once, and compare with the command line's."""
    seconds: list[float] = []
    start_together = threading.Barrier(n_users)

    def use(user: int) -> list[float]:
        start_together.wait()
        found = []
        for text in texts[user::n_users]:
            start = time.monotonic()
            body = json.dumps({"text": text})
            answer = json.loads(ask(port, "POST", "/predict", body, "application/json"))
            seconds.append(time.monotonic() - start)
            found.append(answer["predictions"][0]["value"])
        return found

    start = time.monotonic()
    with ThreadPoolExecutor(n_users) as pool:
        by_user = list(pool.map(use, range(n_users)))
    total = time.monotonic() - start
    pd.DataFrame({"text": texts}).to_csv(folder / "users.csv", index=False)
    score_file(pipeline, folder / "users.csv", folder / "scored.csv")
    column = pd.read_csv(folder / "scored.csv").filter(regex="_predicted$").iloc[:, 0]
    differences = [
        abs(value - expected)
        for user, values in enumerate(by_user)
        for value, expected in zip(values, column[user::n_users], strict=True)
    ]
    print(
        f"{n_users} users, {len(texts)} texts: {total:.1f} s; a text takes "
        f"{statistics.median(seconds):.3f} s (median), {max(seconds):.3f} s at most; largest "
        f"difference from `bertreg score`: {max(differences):.1e}"
    )


def peak_mb(pid: int) -> float:
    """Read the most memory that a process has taken so far."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


if __name__ == "__main__":
    main()
