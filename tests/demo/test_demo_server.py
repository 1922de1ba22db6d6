"""The demo's server as browsers meet it, and as those who mean ill do."""

import contextlib
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import spacy
from conftest import ROOT, examples_from

from spacy_bertreg.demo.models import ROWS, DemoModels
from spacy_bertreg.demo.server import DemoServer, check_port
from spacy_bertreg.report.explained import explain_text
from spacy_bertreg.report.explained_page import render_explanations
from spacy_bertreg.scoring.score import score_file
from spacy_bertreg.targets.intervals import Calibration

TEXT = "A massacre <b>in</b> a calm month, & shelling."


@pytest.fixture(scope="module")
def folders(tiny_bert, sample, tmp_path_factory):
    """A BERT with a covariate, and a dictionary with intervals, by name."""
    folder = tmp_path_factory.mktemp("demo")
    rows = sample.head(40)
    pairs = [(t, {"severity": s}) for t, s in zip(rows["text"], rows["severity"], strict=True)]
    bert = spacy.blank("en")
    model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": tiny_bert}
    bert.add_pipe("transformer", config={"model": {**model, "freeze": "all"}})
    bert.add_pipe("text_regressor", config={"covariates": ["deaths"]})
    examples = examples_from(bert, pairs)
    for number, example in enumerate(examples):
        example.reference.user_data["covariates"] = {"deaths": float(number)}
    bert.initialize(lambda: examples)
    dictionary = spacy.blank("en")
    component = dictionary.add_pipe("dictionary_regressor")
    terms = str(ROOT / "corpus" / "terms.csv")
    component.initialize(lambda: examples, nlp=dictionary, lexicon=terms)
    component.calibration = Calibration("plain", 0.9, (0.5,), (40,))
    for name, nlp in (("bert", bert), ("dictionary", dictionary)):
        nlp.to_disk(folder / name)
    return {name: str(folder / name) for name in ("bert", "dictionary")}


@contextlib.contextmanager
def serving(*sources, **settings):
    with DemoServer(DemoModels(sources), **settings) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(folders):
    with serving(*folders.values(), max_mb=1) as server:
        yield server
        assert list(server.folder.iterdir()) == []
    assert not server.folder.exists()


def ask(server, method, path, body=None, **headers):
    """Send a request, and return status, headers and content."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def ask_text(server, path, **request):
    headers = {"Content-Type": "application/json"}
    status, _, content = ask(server, "POST", path, json.dumps(request), **headers)
    return status, json.loads(content)


def send_table(server, path, content, name="table.csv", **query):
    address = f"{path}?{urlencode({'name': name, **query})}"
    headers = {"Content-Type": "application/octet-stream"}
    return ask(server, "POST", address, content, **headers)


def read_scored(content):
    """Split the answer to a table: the last line, and the files behind it."""
    while True:
        line, _, content = content.partition(b"\n")
        last = json.loads(line)
        assert "error" not in last, last
        if "sizes" in last:
            break
    files = []
    for size in last["sizes"]:
        files.append(content[:size])
        content = content[size:]
    assert content == b""
    return last, files


def test_a_text_gets_what_the_command_line_gives(server, folders, tmp_path):
    (tmp_path / "one.csv").write_text(f'text,deaths\n"{TEXT}",5\n')
    status, answer = ask_text(server, "/predict", text=TEXT, covariates={"deaths": 5})
    assert status == 200
    assert [one["model"] for one in answer["predictions"]] == ["bert", "dictionary"]
    for one in answer["predictions"]:
        output = tmp_path / f"{one['model']}.jsonl"
        score_file(folders[one["model"]], tmp_path / "one.csv", output)
        row = json.loads(output.read_text())
        assert one["target"] == "severity"
        assert one["value"] == row["severity_predicted"]
        assert one["low"] == row.get("severity_low")
        assert one["high"] == row.get("severity_high")
    assert answer["predictions"][0]["low"] is None
    assert answer["predictions"][1]["low"] < answer["predictions"][1]["value"]


def test_an_explanation_is_the_page_of_explain(server, folders):
    request = {"text": TEXT, "target": "severity", "covariates": {"deaths": 5}}
    status, answer = ask_text(server, "/explain", **request)
    assert status == 200
    assert answer["reasons"] == []
    texts = [
        explain_text(spacy.load(path), TEXT, name, covariates={"deaths": 5.0})
        for name, path in folders.items()
    ]
    assert answer["page"] == render_explanations(texts)
    # An unknown covariate, and a text that is too long for one of them.
    status, answer = ask_text(server, "/explain", text="massacre " * 1001, target="severity")
    assert status == 200
    assert answer["page"].count("<h2>") == 1
    (reason,) = answer["reasons"]
    assert reason.startswith("bert: The text has 1,001 words")


@pytest.mark.parametrize("name", ["table.csv", "Ünsinn (1).jsonl", "table.csv.gz", "table.parquet"])
def test_a_table_gets_the_bytes_of_the_command_line(server, folders, table, tmp_path, name):
    """Of each pipeline alone; here they are side by side."""
    table = table.assign(deaths="3")
    path = tmp_path / name
    if name.endswith("jsonl"):
        table.to_json(path, orient="records", lines=True, force_ascii=False)
    elif name.endswith("parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    status, _, content = send_table(server, "/columns", path.read_bytes(), name)
    assert status == 200
    assert json.loads(content) == {"columns": list(table.columns), "text": "text"}
    _, _, content = send_table(server, "/score", path.read_bytes(), name, text="text")
    last, (scored,) = read_scored(content)
    assert last["rows"] == last["scored"] == 50
    assert last["empty"] == 1
    assert len(last["preview"]["texts"]) == len(last["preview"]["rows"]) == 10
    assert last["names"] == [name.replace(".", ".scored.", 1)]
    if name == "table.csv":
        with serving(folders["dictionary"]) as alone:
            _, _, content = send_table(alone, "/score", path.read_bytes(), name, text="text")
        output = tmp_path / "expected.csv"
        score_file(folders["dictionary"], path, output, batch_size=ROWS)
        assert read_scored(content)[1] == [output.read_bytes()]
        header = "bert:severity_predicted,dictionary:severity_predicted,dictionary:severity_low"
        assert header in scored.decode().splitlines()[0]


def test_rejected_rows_come_as_a_second_file(server):
    content = b"id,text,deaths\n1,fine,2\n2,much,many\n3,too,few,columns\n"
    _, _, content = send_table(server, "/score", content, "a b.csv", text="text")
    last, (scored, errors) = read_scored(content)
    assert (last["rows"], last["scored"], last["rejected"]) == (3, 1, 2)
    assert last["names"] == ["a b.scored.csv", "a b.scored.csv.errors.jsonl"]
    assert len(scored.splitlines()) == 2
    reasons = [json.loads(line)["reason"] for line in errors.splitlines()]
    assert "no finite number" in reasons[0]
    assert "has 4 fields" in reasons[1]


def test_ten_users_at_once_get_right_answers(server, folders, sample):
    models = [spacy.load(path) for path in folders.values()]
    texts = sample["text"].tolist()[40:50]
    expected = []
    for text in texts:
        docs = [nlp.make_doc(text) for nlp in models]
        for doc in docs:
            doc.user_data["covariates"] = {"deaths": None}
        expected.append([nlp(doc).cats["severity"] for nlp, doc in zip(models, docs, strict=True)])
    rows = "".join(f'"{text}",\n' for text in texts * 7)
    content = f"text,deaths\n{rows}".encode()
    start = threading.Barrier(10)

    def use(number):
        start.wait()
        found = []
        for _ in range(2):
            _, answer = ask_text(server, "/predict", text=texts[number])
            found.append([one["value"] for one in answer["predictions"]])
        _, answer = ask_text(server, "/explain", text=texts[number], target="severity")
        _, _, scored = send_table(server, "/score", content, text="text")
        return found, answer, read_scored(scored)

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(use, range(10)))
    assert len({files[0] for *_, (_, files) in results}) == 1
    for (found, explained, (last, _)), values in zip(results, expected, strict=True):
        assert explained["reasons"] == []
        assert last["scored"] == 70
        for predictions in found:
            assert predictions == pytest.approx(values, abs=1e-5)
    preview = results[0][2][0]["preview"]["rows"]
    for row, values in zip(preview, expected, strict=False):
        assert row[:2] == pytest.approx(values, abs=1e-5)


def test_only_its_own_page_is_answered(server):
    body, kind = json.dumps({"text": TEXT}), {"Content-Type": "application/json"}
    own = f"http://localhost:{server.server_port}"
    status, *_ = ask(server, "POST", "/predict", body, **kind, Origin=own)
    assert status == 200
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        status, *_ = ask(server, "POST", "/predict", body, **kind, **headers)
        assert status == 403, headers
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", ""):
        for method, path in (("GET", "/"), ("GET", "/models"), ("POST", "/predict")):
            status, *_ = ask(server, method, path, None, **kind, Host=host)
            assert status == 421, host
    # What a form of another page could send.
    status, *_ = ask(server, "POST", "/predict", body, **{"Content-Type": "text/plain"})
    assert status == 415
    assert ask(server, "OPTIONS", "/predict")[0] == 501
    assert ask(server, "GET", "/../setup.cfg")[0] == 404
    _, headers, _ = ask(server, "GET", "/")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "Access-Control-Allow-Origin" not in headers
    assert "Python" not in headers["Server"]


def test_it_listens_on_this_machine_alone(server):
    assert server.socket.getsockname() == ("127.0.0.1", server.server_port)
    assert server.address == f"http://127.0.0.1:{server.server_port}/"
    with pytest.raises(ValueError, match=f"Can't listen on port {server.server_port} of 127.0.0.1"):
        check_port(server.server_port)
    with pytest.raises(ValueError, match="port 70000 of 127.0.0.1: no such port"):
        check_port(70000)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"text": " \n"}, "The text is empty. Type or paste one."),
        ({"text": "a" * 100_001}, "The text has 100,001 characters. Expected 100,000 at most"),
        ({"text": "\ud800"}, "half a character"),
        ({"text": 3}, "Expected JSON with a text"),
        ({"text": "a", "covariates": [1]}, "Expected JSON with a text"),
        ({"text": "a", "covariates": {"deaths": "x"}}, "The covariate 'deaths' is 'x'"),
        ({"text": "a", "covariates": {"deaths": 1e999}}, "The covariate 'deaths' is inf"),
    ],
)
def test_wrong_texts(server, request_, message):
    status, answer = ask_text(server, "/predict", **request_)
    assert status == 400
    assert message in answer["error"]


def test_wrong_requests(server):
    status, answer = ask_text(server, "/explain", text="a", target="mood")
    assert status == 400
    assert answer["error"] == "No pipeline predicts 'mood'. Expected one of 'severity'."
    for body in (b"[1]", b"{", b"[" * 100_000, b"\xff"):
        headers = {"Content-Type": "application/json"}
        status, _, content = ask(server, "POST", "/predict", body, **headers)
        assert status == 400
        assert json.loads(content) == {"error": "Expected JSON with a text."}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", b"some text", "Can't tell the kind of notes.txt"),
        ("a.csv", b"", "Can't read a.csv: it is empty"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\xff\xfe" * 999, "Can't read a.csv: its header"),
        ("a.csv", b"id,words\n1,b\n", "a.csv has no column 'text'. It has: id, words."),
        ("a.csv", b"text\n1\n", "a.csv has no column 'deaths'"),
        ("../../a.parquet", b"text\n1\n", "Can't read a.parquet"),
        ("a.xlsx", b"text\n1\n", "Can't read a.xlsx"),
        ("a.csv.gz", b"text\n1\n", "Can't read a.csv.gz"),
        ("a.csv", b"text,deaths,bert:severity_predicted\na,1,1\n", "predicted' already"),
    ],
)
def test_wrong_tables(server, name, content, message):
    status, _, answer = send_table(server, "/score", content, name, text="text")
    assert status == 400
    error = json.loads(answer)["error"]
    assert message in error
    assert str(server.folder) not in error


def test_a_damaged_table_is_reported_behind_what_was_scored(server, tmp_path, table):
    path = tmp_path / "big.csv.gz"
    table.assign(deaths=1).loc[range(50)].to_csv(path, index=False)
    status, _, content = send_table(
        server, "/score", path.read_bytes()[:-99], path.name, text="text"
    )
    assert status == 200
    assert "Can't read big.csv.gz to its end" in json.loads(content.splitlines()[-1])["error"]


def test_large_requests_are_refused_unread(server):
    headers = {"Content-Type": "application/octet-stream", "Content-Length": "1000001"}
    status, _, content = ask(server, "POST", "/score?name=a.csv", None, **headers)
    assert status == 413
    assert json.loads(content) == {"error": "That is 1.0 MB. Expected 1.0 MB at most."}
    headers = {"Content-Type": "application/json", "Content-Length": "1" * 15}
    assert ask(server, "POST", "/predict", None, **headers)[0] == 413
    for size in ("-1", "x", "1" * 16):
        headers = {"Content-Type": "application/json", "Content-Length": size}
        assert ask(server, "POST", "/predict", None, **headers)[0] == 411


def test_nothing_is_kept_or_said(server, capfd, monkeypatch):
    """Neither in files nor on the terminal, nor as words in memory."""
    nlp = server.models._models[0].nlp
    ask_text(server, "/predict", text="Xyzzyplugh happened.")
    ask_text(server, "/explain", text="Xyzzyplugh happened.", target="severity")
    content = b"text,deaths\nXyzzyplugh happened.,2\n"
    assert send_table(server, "/score", content, "secret.csv", text="text")[0] == 200
    assert list(server.folder.iterdir()) == []
    assert "Xyzzyplugh" not in nlp.vocab.strings

    def fail(*args):
        raise RuntimeError("Xyzzyplugh is at fault")

    monkeypatch.setattr(server.models, "predict", fail)
    status, answer = ask_text(server, "/predict", text="Xyzzyplugh happened.")
    assert status == 500
    assert answer == {"error": "The pipeline failed (RuntimeError)."}
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("RuntimeError in ")
    assert "Xyzzyplugh" not in printed.err
    assert "secret" not in printed.err


def test_a_browser_that_goes_away_stops_its_job(server, capfd):
    content = b"text,deaths\n" + b"a massacre,1\n" * 20_000
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    headers = {"Content-Type": "application/octet-stream"}
    connection.request("POST", "/score?name=a.csv&text=text", content, headers)
    response = connection.getresponse()
    assert json.loads(response.readline())["rows"] == ROWS
    response.close()
    connection.close()
    # One that ends in the midst of its file.
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest("POST", "/score?name=a.csv&text=text")
    for name, value in {**headers, "Content-Length": "1000"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"text\n")
    connection.close()
    end = time.monotonic() + 30
    while list(server.folder.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert list(server.folder.iterdir()) == []
    assert server.one_table.acquire(timeout=30)
    server.one_table.release()
    assert capfd.readouterr().err == ""


def test_stopping_ends_jobs_and_deletes_files(folders):
    content = b"text\n" + b"a massacre\n" * 100_000
    with ThreadPoolExecutor(2) as pool, contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(folders["dictionary"]))
        jobs = [pool.submit(send_table, server, "/score", content, text="text") for _ in range(2)]
        while not any(server.folder.iterdir()):
            time.sleep(0.01)
        stack.close()
        assert not server.folder.exists()
        for job in jobs:
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                assert b'"sizes"' not in job.result(timeout=30)[2]


def test_pipelines_that_can_not_be_shown(folders, tmp_path):
    with pytest.raises(ValueError, match="There is no pipeline"):
        DemoModels([str(tmp_path / "gone")])
    with pytest.raises(ValueError, match="Two models are called 'bert'"):
        DemoModels([folders["bert"], folders["bert"]])
    models = DemoModels([f"one={folders['dictionary']}", f"two={folders['dictionary']}"])
    assert models.names == ["one", "two"]
    assert models.columns[0] == "one:severity_predicted"
    models.close()
    with pytest.raises(ConnectionAbortedError):
        models.predict("a", {})
