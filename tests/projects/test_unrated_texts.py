import sys

import pandas as pd
import pytest
import spacy
import unrated_texts
from spacy.tokens import DocBin


@pytest.fixture
def folder(tmp_path):
    nlp = spacy.blank("xx")
    docs = [nlp.make_doc(f"tweet {number}") for number in range(3)]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    (tmp_path / "ratings").mkdir()
    for name, texts in {
        "movies": ["movie 0", "movie 1", "", "movie  0"],
        "tweets": [f" tweet  {number}" for number in range(5)],
    }.items():
        table = pd.DataFrame({"text": texts, "rating": 1.0})
        table.to_csv(tmp_path / "ratings" / f"{name}.csv", index=False)
    return tmp_path


def run(folder, monkeypatch, *words):
    arguments = [folder / "train.spacy", folder / "unrated.csv", *words]
    monkeypatch.setattr(sys, "argv", ["unrated_texts.py", *map(str, arguments)])
    unrated_texts.main()
    table = pd.read_csv(folder / "unrated.csv")
    assert list(table.columns) == ["text"]
    return table["text"].tolist()


def test_documents_are_left_out_and_texts_come_once(folder, monkeypatch):
    found = run(folder, monkeypatch, folder / "ratings")
    assert found == ["movie 0", "movie 1", " tweet  3", " tweet  4"]


def test_of_many_some_are_drawn(folder, monkeypatch):
    words = [folder / "ratings" / "movies.csv", folder / "ratings" / "tweets.csv", "--most", 2]
    found = run(folder, monkeypatch, *words)
    assert len(found) == 2
    assert run(folder, monkeypatch, *words) == found
    assert run(folder, monkeypatch, *words, "--seed", 1) != found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tweets.csv"], "tweets.csv has no text that is not in"),
        (["nothing.csv"], "nothing.csv does not exist"),
        (["movies.csv", "--most", "0"], "--most is 0. Expected 1 or more"),
    ],
)
def test_wrong_input(folder, monkeypatch, capsys, words, message):
    texts = pd.DataFrame({"text": ["tweet 0", "tweet 2"]})
    texts.to_csv(folder / "ratings" / "tweets.csv", index=False)
    with pytest.raises(SystemExit):
        run(folder, monkeypatch, folder / "ratings" / words[0], *words[1:])
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (folder / "unrated.csv").exists()
