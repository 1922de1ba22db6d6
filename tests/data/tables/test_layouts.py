"""Separators, quotation marks and headers of CSV and TSV files."""

import numpy as np
import pandas as pd
import pytest
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.tables.kinds import TableOptions
from spacy_bertreg.data.tables.read import read_table


def read(tmp_path, content, name="a.csv", **options):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    return read_table(tmp_path / name, options=TableOptions(**options))


# As people write them: a quotation mark that begins one text is closed in another.
PEOPLE = "".join(
    [
        "id\ttext\ty\n",
        '1\t"To be or not to be\t1\n',
        "2\tQuiet.\t2\n",
        '3\tthat is the question"\t3\n',
        '4\t"Yes," he said\t4\n',
    ]
)


def test_quotation_marks_in_tsv_take_no_rows(tmp_path):
    table = read(tmp_path, PEOPLE, "a.tsv")
    assert table["id"].tolist() == ["1", "2", "3", "4"]
    assert table["text"][0] == '"To be or not to be'
    assert table["text"][3] == '"Yes," he said'
    (note,) = table.attrs["notes"]
    assert "Quotation marks are read as ordinary characters" in note


def test_rows_between_two_quotation_marks_stay(tmp_path):
    """Read as quoted, this would be two clean rows."""
    content = 'text\ty\n"To be\t1\nQuiet.\t2\nor not"\t3\nCalm.\t4\n'
    assert len(read(tmp_path, content, "a.tsv")) == 4
    table = read(tmp_path, content, "a.tsv", quoting="quoted")
    assert table["text"].tolist() == ["To be\t1\nQuiet.\t2\nor not", "Calm."]
    (note,) = table.attrs["notes"]
    assert note.startswith("4 lines below the header are 2 rows: fields in quotation marks have")


def test_tsv_that_is_read_without_quotation_marks_says_so_in_errors(tmp_path):
    with pytest.raises(ValueError, match="row 1 has 3 fields. Expected 2.* --quoting quoted"):
        read(tmp_path, 'text\ty\n"One"\tTwo\t1\n"Thr"ee\t2\n', "a.tsv")


def test_a_quotation_mark_inside_of_a_field_says_that_none_are_around(tmp_path):
    content = 'text\ty\n"Quiet."\t1\nHe said "no".\t2\n'
    assert read(tmp_path, content, "a.tsv")["text"].tolist() == ['"Quiet."', 'He said "no".']


def test_tsv_as_programs_write_it(tmp_path):
    texts = ['He said "no"', "two\nlines", "a\ttab", "plain", '"']
    table = pd.DataFrame({"text": texts, "y": ["1", "2", "3", "4", "5"]})
    table.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    found = read_table(tmp_path / "a.tsv")
    pd.testing.assert_frame_equal(found, table.astype(found.dtypes))
    assert found.attrs["notes"] == [
        "6 lines below the header are 5 rows: fields in quotation marks have line breaks, or lines "
        "are blank (if not: --quoting none)"
    ]


def test_quoting_of_csv_as_asked(tmp_path):
    content = 'text,y\n"Quiet,1\nCalm",2\n'
    assert read(tmp_path, content, quoting="none")["text"].tolist() == ['"Quiet', 'Calm"']
    with pytest.raises(ValueError, match="line 2: .*--quoting none reads quotation marks"):
        read(tmp_path, 'text,y\n"Quiet" he said,1\n')
    with pytest.raises(ValueError, match="--quoting is 'all'. Expected auto, quoted or none"):
        TableOptions(quoting="all")


@pytest.mark.parametrize(
    ("content", "name", "notes"),
    [
        ("text;y\nOne, two;1\nThree;2\n", "a.csv", ["The fields are separated by semicolon"]),
        ("sep=;\r\ntext;y\r\nOne, two;1\r\nThree;2\r\n", "a.csv", ["The fields are sep"]),
        ('"sep=;"\ntext;y\nOne, two;1\nThree;2\n', "a.csv", ["The fields are separated by semi"]),
        ('text;"y"\n"One, two";1\n"Three";2\n', "a.csv", ["The fields are separated by semicolon"]),
        ("text\ty\nOne, two\t1\nThree\t2\n", "a.csv", ["The fields are separated by tab"]),
        ('text,y\n"One, two",1\nThree,2\n', "a.tsv", ["The fields are separated by comma"]),
        ("text|y\nOne, two|1\nThree|2\n", "a.csv", ["The fields are separated by bar"]),
        ('text,y\n"One, two",1\nThree,2\n', "a.csv", []),
        ('sep=,\ntext,y\n"One, two",1\nThree,2\n', "a.csv", []),
    ],
)
def test_separators(tmp_path, content, name, notes):
    table = read(tmp_path, content, name)
    assert table["text"].tolist() == ["One, two", "Three"]
    assert table["y"].tolist() == ["1", "2"]
    assert len(table.attrs["notes"]) == len(notes)
    assert all(note in table.attrs["notes"][0] for note in notes)


def test_a_separator_is_not_guessed(tmp_path):
    content = "a,b;c\n1,2;3\n4,5;6\n"
    with pytest.raises(ValueError, match="it may be comma or semicolon. Expected --separator"):
        read(tmp_path, content)
    assert read(tmp_path, content, separator=";")["c"].tolist() == ["3", "6"]
    assert read(tmp_path, "a\tb\n1\t2\n", separator="tab")["b"].tolist() == ["2"]
    for wrong in ("", ";;", '"', "\n"):
        with pytest.raises(ValueError, match="--separator is .* Expected one character"):
            TableOptions(separator=wrong)
    # A comma in the only name of a column is no separator.
    assert read(tmp_path, "text, cleaned\nOne\nTwo\n", "a.tsv").columns.tolist() == [
        "text, cleaned"
    ]


def test_empty_columns_at_the_end(tmp_path):
    table = read(tmp_path, "text,y,,\nOne,1,,\nTwo,2\nThree,3,,\n")
    assert table.columns.tolist() == ["text", "y"]
    assert table["y"].tolist() == ["1", "2", "3"]
    assert table.attrs["notes"] == ["Empty columns at the end are left out: 2"]
    # What holds something stays.
    assert read(tmp_path, "text,y,\nOne,1,x\n").columns.tolist() == ["text", "y", ""]
    with pytest.raises(ValueError, match="its header names a column twice: text, y, , "):
        read(tmp_path, "text,y,,\nOne,1,x,\nTwo,2,,y\n")
    assert read(tmp_path, ",text\n1,One\n").columns.tolist() == ["", "text"]


def test_blank_lines_are_told_of(tmp_path):
    table = read(tmp_path, "text,y\nOne,1\n\n\nTwo,2\n\n")
    assert len(table) == 2
    assert table.attrs["notes"][0].startswith("4 lines below the header are 2 rows")


def test_convert_says_what_it_found(tmp_path):
    (tmp_path / "a.csv").write_text('text;y\n"One\ntwo";1,5\nThree;2\nFour;3\n')
    summary = convert(tmp_path / "a.csv", tmp_path, targets=["y"], shares=(1, 0, 0))
    assert summary.attrs["notes"] == [
        "The fields are separated by semicolon",
        "4 lines below the header are 3 rows: fields in quotation marks have line breaks, or lines "
        "are blank (if not: --quoting none)",
        "The numbers of 'y' have a decimal comma",
    ]
    assert summary["max"].tolist() == ["3.000"]


def test_no_row_of_tsv_without_line_breaks_is_lost(tmp_path):
    draw = np.random.default_rng(0)
    parts = ['"', "a", 'b"', '"c', '"d"', '""', " ", 'e "f" g']
    for _ in range(300):
        texts = ["".join(draw.choice(parts, draw.integers(1, 5))) for _ in range(12)]
        content = "".join(f"{n}\t{text}\t{n}\n" for n, text in enumerate(texts))
        table = read(tmp_path, f"id\ttext\ty\n{content}", "a.tsv")
        assert table["id"].tolist() == list(map(str, range(12)))


def test_the_command_says_it(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"sep=;\ntext;y\n\x93One\x94;1\nTwo;2\nThree;3\n")
    arguments = ["bertreg", "convert", str(tmp_path / "a.csv"), str(tmp_path), "--target", "y"]
    options = ["--split", "1", "0", "0", "--encoding"]
    result = CliRunner().invoke(app, [*arguments, *options, "latin-1"])
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.split())
    assert "The fields are separated by semicolon" in shown
    assert "1 texts have control characters" in shown
    result = CliRunner().invoke(app, [*arguments, *options, "utf-8"])
    assert "--encoding cp1252" in " ".join(result.output.split())
