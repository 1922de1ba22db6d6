import pytest

from spacy_bertreg.dictionary.lexicon import parse_lexicon, read_lexicon

VADER = (
    "$:\t-1.5\t0.80623\t[-1, -1]\n:'(\t-2.2\t0.7\t[-2, -3]\nfav\t2.4\t1\t[2]\nfav\t2.0\t1\t[2]\n"
)


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "good,2\nbad,-1.5\ncar bomb,-3\n"),
        ("a.csv", "term,weight\ngood,2\nbad,-1.5\ncar bomb,-3\n"),
        ("a.csv", "\ufeffweight,note,term\r\n2,x,good\r\n-1.5,,bad\r\n-3,,car bomb\r\n"),
        ("a.tsv", "good\t2\n\nbad\t-1.5\ncar bomb\t-3"),
        ("a.txt", "Term\tWeight\nGOOD\t2\nBad\t-1.5\ncar bomb \t -3\n"),
    ],
)
def test_tables_with_and_without_header(tmp_path, name, text):
    lexicon = read_lexicon(write(tmp_path, name, text))
    assert lexicon.terms == ("good", "bad", "car bomb")
    assert lexicon.weights == (2.0, -1.5, -3.0)


def test_vader_list_keeps_the_last_of_repeated_terms(tmp_path):
    lexicon = read_lexicon(write(tmp_path, "vader_lexicon.txt", VADER))
    assert dict(zip(lexicon.terms, lexicon.weights, strict=True)) == {
        "$:": -1.5,
        ":'(": -2.2,
        "fav": 2.0,
    }


def test_case_matters_where_asked(tmp_path):
    path = write(tmp_path, "a.csv", "US,1\nus,-1\n")
    assert read_lexicon(path, case_sensitive=True).terms == ("US", "us")
    with pytest.raises(ValueError, match=r"a.csv, line 2: the term 'us' is there .* in line 1"):
        read_lexicon(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no terms"),
        ("term,weight\n", "holds no terms"),
        ("good,2\nbad\n", r"line 2: expected a term and a weight, found \['bad'\]"),
        ("good,2\nbad,low\n", "line 2: the weight is 'low'. Expected a finite number"),
        ("good,nan\n", "line 1: the weight is 'nan'"),
        ("good,2\nbad,-inf\n", "line 2: the weight is '-inf'"),
        ("good,2\n ,1\n", "line 2: the term is empty"),
        ("good,2\nbad,1\ngood,2\n", "line 3: the term 'good' is there already, in line 1"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"a.csv.*{message}"):
        read_lexicon(write(tmp_path, "a.csv", text))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        read_lexicon(tmp_path / "none.csv")


def test_wrong_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("böse,1".encode("latin-1"))
    with pytest.raises(ValueError, match="a.csv is not UTF-8"):
        read_lexicon(tmp_path / "a.csv")


def test_csv_round_trip_is_exact():
    lexicon = parse_lexicon('a\t0.1\n"b,\t1e-300\nc d\t-3.3333333333333335\n', "-", delimiter="\t")
    assert parse_lexicon(lexicon.to_csv(), "-") == lexicon
    assert len(lexicon) == 3
