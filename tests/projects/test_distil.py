import json
import sys

import pandas as pd
import plot_distil
import pytest
import spacy
from draw_rated import main as draw_rated
from spacy.tokens import DocBin


def read(path):
    return [doc.text for doc in DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab)]


@pytest.fixture
def corpus(tmp_path):
    nlp = spacy.blank("xx")
    for name, n in {"train": 40, "dev": 8}.items():
        docs = [nlp.make_doc(f"{name} {number}") for number in range(n)]
        for number, doc in enumerate(docs):
            doc.user_data["group"] = str(number // 2)
        (tmp_path / "tweets").mkdir(exist_ok=True)
        DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "tweets" / f"{name}.spacy")
    (tmp_path / "ratings").mkdir()
    for name in ("movies", "tweets"):
        table = pd.DataFrame({"text": [f"{name} {i}" for i in range(3)], "rating": 1.0})
        table.to_csv(tmp_path / "ratings" / f"{name}.csv", index=False)
    return tmp_path / "tweets"


def draw(corpus, monkeypatch, n):
    folder = corpus.parent / str(n)
    arguments = [str(corpus), str(folder), str(n), "--others", str(corpus.parent / "ratings")]
    monkeypatch.setattr(sys, "argv", ["draw_rated.py", *arguments])
    draw_rated()
    return folder


def test_draws_are_nested_and_the_rest_is_unrated(corpus, monkeypatch):
    few, many = (draw(corpus, monkeypatch, n) for n in (10, 20))
    train = read(few / "train.spacy")
    assert len(train) == 10
    assert len(read(few / "dev.spacy")) == 2
    assert set(train) < set(read(many / "train.spacy"))
    unrated = pd.read_csv(few / "unrated.csv")
    assert list(unrated.columns) == ["text"]
    rest = {f"train {i}" for i in range(40)} - set(train)
    assert set(unrated["text"]) == rest | {f"movies {i}" for i in range(3)}


def test_more_than_there_are(corpus, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        draw(corpus, monkeypatch, 41)
    assert "Expected 1 to 40" in capsys.readouterr().err


def write_comparison(folder, share):
    scores = [
        {"model": model, "r2": r2, "r2_low": r2 - 0.1, "r2_high": r2 + 0.1}
        for model, r2 in {"plain": 0.5, "distilled": 0.6, "bert": 0.8}.items()
    ]
    shares = {"gain": 0.1, "lead": 0.3, "share": share}
    ends = {f"{n}{end}": v for n, v in shares.items() for end in ("_low", "_high")}
    folder.mkdir()
    data = {"scores": scores, "shares": [shares | ends]}
    (folder / "comparison.json").write_text(json.dumps(data))
    return str(folder)


def test_table_and_plot(tmp_path, monkeypatch, capsys):
    folders = [write_comparison(tmp_path / n, s) for n, s in {"300": 0.333, "735": None}.items()]
    arguments = ["plot_distil.py", *folders, "--output", str(tmp_path / "report")]
    monkeypatch.setattr(sys, "argv", arguments)
    plot_distil.main()
    out = capsys.readouterr().out
    assert "| 300 | 0.500 [0.400, 0.600] | 0.600 [0.500, 0.700] |" in out
    assert "| 33% [33%, 33%] |" in out
    assert out.rstrip().endswith("| +0.100 [+0.100, +0.100] | – |")
    assert pd.read_csv(tmp_path / "report" / "distil.csv")["rated"].tolist() == [300, 735]
    assert (tmp_path / "report" / "distil.png").read_bytes().startswith(b"\x89PNG")


def test_no_comparison(tmp_path, monkeypatch):
    arguments = ["plot_distil.py", str(tmp_path), "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="is not there"):
        plot_distil.main()
