"""What is said about bytes that are no characters, and about characters that are no text."""

import gzip

import pytest

from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.tables.kinds import TableOptions
from spacy_bertreg.data.tables.read import read_table

QUOTED = "text,y\n\u201cCaf\u00e9\u201d \u2013 quiet.,1\n"


def read(tmp_path, content, encoding="utf-8", name="a.csv"):
    (tmp_path / name).write_bytes(content)
    return read_table(tmp_path / name, TableOptions(encoding))


def test_quotation_marks_of_windows_are_known(tmp_path):
    with pytest.raises(ValueError, match=r"line 2 has the byte 0x93.* --encoding cp1252\.$"):
        read(tmp_path, QUOTED.encode("cp1252"))
    with pytest.raises(ValueError, match=r"a.csv.gz: line 2 .* --encoding cp1252\.$"):
        read(tmp_path, gzip.compress(QUOTED.encode("cp1252")), name="a.csv.gz")
    # Also where they come after a letter that latin-1 has, too.
    with pytest.raises(ValueError, match=r"0xe9, .* --encoding cp1252\.$"):
        read(tmp_path, b"text,y\nCaf\xe9,1\n\x93Quiet\x94,2\n")
    with pytest.raises(ValueError, match=r"--encoding latin-1\.$"):
        read(tmp_path, b"text,y\nCaf\xe9,1\n")
    # 0x81 is no character of cp1252, and in latin-1 a control character.
    with pytest.raises(ValueError, match=r"0x81, .* name it with --encoding\.$"):
        read(tmp_path, b"text,y\nQuiet \x81,1\n")
    with pytest.raises(ValueError, match=r"--encoding utf-16\.$"):
        read(tmp_path, QUOTED.encode("utf-16"))
    assert read(tmp_path, QUOTED.encode("cp1252"), "cp1252")["text"][0].startswith("\u201c")


def test_convert_warns_of_control_characters(tmp_path):
    (tmp_path / "a.csv").write_bytes(QUOTED.encode("cp1252") + b"Calm.,2\n")
    options = {"targets": ["y"], "shares": (1, 0, 0)}
    summary = convert(tmp_path / "a.csv", tmp_path, encoding="latin-1", **options)
    (warning,) = summary.attrs["warnings"]
    assert warning.startswith("1 texts have control characters")
    assert warning.endswith("Is the encoding cp1252?")
    summary = convert(tmp_path / "a.csv", tmp_path, encoding="cp1252", **options)
    assert summary.attrs["warnings"] == []


@pytest.mark.parametrize("order", ["le", "be"])
def test_half_a_character_of_utf_16_is_named(tmp_path, order):
    encoding = f"utf-16-{order}"
    half = "\U0001f600".encode(encoding)[:2]
    content = "text,y\nOne,1\nTwo ".encode(encoding) + half + ",2\nThree,3\n".encode(encoding)
    where = f"a.csv: line 3 has the bytes 0x{half[0]:02x} 0x{half[1]:02x}, .* in field 1"
    with pytest.raises(ValueError, match=where):
        read(tmp_path, content, encoding)
    with pytest.raises(ValueError, match="a.csv: line 2 has the bytes .* not utf-16, in field 1"):
        read(tmp_path, "text\nTwo ".encode("utf-16") + "\U0001f600".encode("utf-16")[2:4], "utf-16")
    line = '{"text": "One"}\n{"text": "'.encode(encoding)
    with pytest.raises(ValueError, match="a.jsonl: line 2 has the bytes"):
        read(tmp_path, line + half + '"}'.encode(encoding), encoding, "a.jsonl")
