"""A .spacy file is read a part at a time, as DocBin reads it as a whole."""

import tracemalloc
import zlib

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin

from spacy_bertreg.data import docbin
from spacy_bertreg.data.docbin import iterate_docs


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(docbin, "PART", 5)
    monkeypatch.setattr(docbin, "PIECE", 7)


def make_docs():
    nlp = spacy.blank("en")
    docs = [nlp(text) for text in ("One two three.", "", "Vier fünf", "", "a " * 30, "six", "")]
    docs.append(Doc(nlp.vocab, words=["no", "spaces", "known"]))
    for place, doc in enumerate(docs):
        doc.cats["y"] = place / 3
        doc.user_data.update(id=f"d{place}", covariates={"year": 2020.0}, nested=[(1, "two")])
    docs[0].spans["terms"] = [docs[0][0:2], docs[0][1:3]]
    docs[0][0].tag_ = "NUM"
    docs[1].user_data["._.", "extension", None, None] = [1.0]  # as spaCy keeps doc._.extension
    docs[6].cats = {}
    return docs


def content(docs):
    return [
        (
            [(t.text, t.whitespace_, t.tag_) for t in doc],
            doc.has_unknown_spaces,
            dict(doc.cats),
            dict(doc.user_data),
            {key: [(s.start, s.end) for s in spans] for key, spans in doc.spans.items()},
        )
        for doc in docs
    ]


@pytest.mark.parametrize("has_user_data", [True, False])
def test_parts_are_the_whole(tmp_path, small_parts, has_user_data):
    path = tmp_path / "docs.spacy"
    DocBin(docs=make_docs(), store_user_data=has_user_data).to_disk(path)
    expected = content(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
    assert len(expected) == 8
    assert content(iterate_docs(path)) == expected


def test_memory_is_that_of_a_part(tmp_path, monkeypatch):
    many = DocBin(docs=[Doc(spacy.blank("en").vocab, words=["word"] * 50)])
    for column in (many.tokens, many.spaces, many.cats, many.flags, many.span_groups):
        column *= 4000
    many.to_disk(tmp_path / "many.spacy")
    monkeypatch.setattr(docbin, "PART", 5000)

    def peak(read):
        tracemalloc.start()
        assert sum(1 for _ in read()) == 4000
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    vocab = spacy.blank("xx").vocab  # loads what takes memory once
    whole = peak(lambda: DocBin().from_disk(tmp_path / "many.spacy").get_docs(vocab))
    assert peak(lambda: iterate_docs(tmp_path / "many.spacy")) < whole / 4


def test_a_broken_file_has_no_documents(tmp_path, small_parts):
    path = tmp_path / "broken.spacy"
    whole = DocBin(docs=make_docs(), store_user_data=True).to_bytes()
    message = srsly.msgpack_loads(zlib.decompress(whole))

    def pack(message, end=b""):
        return zlib.compress(srsly.msgpack_dumps(message) + end)

    for broken, why in (
        (b"", "ends too early"),
        (whole[:-1], "ends too early"),
        (whole[:-4] + b"none", "incorrect data check"),
        (pack(message, b"more"), "something after its last column"),
        (pack({k: v for k, v in message.items() if k != "lengths"}), "has no 'lengths'"),
        (pack({**message, "tokens": [1, 2]}), "an array is not of bytes"),
        (pack({**message, "tokens": b""}), "other tokens than its lengths say"),
        (zlib.compress(srsly.msgpack_dumps(message)[:300]), "ends too early"),
        (pack({**message, "cats": []}), "it has 8 documents, and 0 cats"),
        (pack(["tokens"]), ""),
    ):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=f"broken.spacy can't be read as a .spacy file.*{why}"):
            next(iterate_docs(path))
