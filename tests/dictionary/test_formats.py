import numpy as np
import pytest

from spacy_bertreg.dictionary.formats import parse_saved, read_lexicon
from spacy_bertreg.dictionary.lexicon import Lexicon

VADER = (
    "$:\t-1.5\t0.80623\t[-1, -1]\n:'(\t-2.2\t0.7\t[-2, -3]\n:*\t1.9\t1\t[2]\n"
    "fav\t2.4\t1\t[2]\nfav\t2.0\t1\t[2]\n"
)
LIWC = "%\n1\tposemo\n2\tnegemo\n%\nhappy\t1\nkill*\t2\nbitter sweet\t1\t2\n"
QUANTEDA = """
positive:
  - good*
  - "very nice"
negative:
  anger:
    - furious
  fear: afraid
"""


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return path


def rows(lexicon):
    return list(zip(lexicon.terms, lexicon.categories, lexicon.weights, strict=True))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "good,2\nbad,-1.5\ncar bomb,-3\n"),
        ("a.csv", "term,weight\ngood,2\nbad,-1.5\ncar bomb,-3\n"),
        ("a.csv", "\ufeffweight,note,term\r\n2,x,good\r\n-1.5,,bad\r\n-3,,car bomb\r\n"),
        ("a.tsv", "good\t2\n\nbad\t-1.5\ncar bomb\t-3"),
        ("a.txt", "Term\tWeight\ngood\t2\nbad\t-1.5\ncar  bomb \t -3\n"),
        (
            "a.jsonl",
            '{"term": "good", "weight": 2}\n\n{"weight": -1.5, "term": "bad"}\n'
            '{"term": "car bomb", "weight": -3.0}',
        ),
    ],
)
def test_terms_with_weights(tmp_path, name, text):
    lexicon = read_lexicon(write(tmp_path, name, text))
    assert lexicon.terms == ("good", "bad", "car bomb")
    assert lexicon.weights == (2.0, -1.5, -3.0)
    assert set(lexicon.categories) == {"given"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "term,category\nhappy,posemo\nkill*,negemo\nbitter sweet,posemo\n"),
        ("a.jsonl", '{"term": "happy", "category": "posemo"}\n'),
        ("a.dic", LIWC),
    ],
)
def test_terms_with_categories_weigh_one(tmp_path, name, text):
    lexicon = read_lexicon(write(tmp_path, name, text))
    assert rows(lexicon)[0] == ("happy", "posemo", 1.0)


def test_liwc_terms_may_have_several_categories(tmp_path):
    lexicon = read_lexicon(write(tmp_path, "a.dic", LIWC))
    assert rows(lexicon)[2:] == [("bitter sweet", "posemo", 1), ("bitter sweet", "negemo", 1)]


def test_quanteda_yaml(tmp_path):
    assert rows(read_lexicon(write(tmp_path, "a.yml", QUANTEDA))) == [
        ("good*", "positive", 1.0),
        ("very nice", "positive", 1.0),
        ("furious", "negative.anger", 1.0),
        ("afraid", "negative.fear", 1.0),
    ]


def test_yaml_is_never_executed(tmp_path):
    text = 'a:\n  - !!python/object/apply:os.system ["touch planted"]\n'
    lexicon = read_lexicon(write(tmp_path, "a.yml", text))
    assert lexicon.terms == ("touch planted",)


def test_vader_list_keeps_the_last_of_repeated_terms(tmp_path):
    lexicon = read_lexicon(write(tmp_path, "vader_lexicon.txt", VADER))
    assert dict(zip(lexicon.terms, lexicon.weights, strict=True)) == {
        "$:": -1.5,
        ":'(": -2.2,
        ":[*]": 1.9,
        "fav": 2.0,
    }


def test_case_matters_where_asked(tmp_path):
    path = write(tmp_path, "a.csv", "US,1\nus,-1\n")
    assert read_lexicon(path, case_sensitive=True).terms == ("US", "us")
    with pytest.raises(ValueError, match=r"a.csv, line 2: .*'US' 1 in line 1, -1 in line 2"):
        read_lexicon(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "holds no terms"),
        ("a.csv", "term,weight\n", "holds no terms"),
        ("a.csv", "good,2\nbad\n", r"line 2: expected term and weight, found \['bad'\]"),
        ("a.csv", "good,2\nbad,low\n", "line 2: the weight is 'low'. Expected a finite number"),
        ("a.csv", "good,nan\n", "line 1: the weight is 'nan'"),
        ("a.csv", "good,2\nbad,-inf\n", "line 2: the weight is '-inf'"),
        ("a.csv", "good,2\n ,1\n", "line 2: the term is empty"),
        ("a.csv", "good,2\nbad,1\ngood,3\n", "line 3: several weights for 1 term .*'good' 2 in"),
        ("a.csv", "term\ngood\n", "line 1: expected a column weight or category"),
        ("a.csv", "term,category\ngood,\n", "line 2: the category is empty"),
        ("a.csv", "good,2\n*,1\n", r"line 2: the term '\*' matches any word.* '\[\*\]'"),
        ("a.jsonl", '{"term": "a", "weight": 1}\n{"term": "b"', "line 2 is no JSON"),
        ("a.jsonl", '{"word": "a"}', "line 1: expected an object with term"),
        ("a.jsonl", '{"term": "a", "weight": true}', "line 1: the weight is True"),
        ("a.dic", "happy\t1\n", "line 1: expected a line %"),
        ("a.dic", "%\n1\tpos\n1\tneg\n%\nhappy\t1\n", "line 3: expected a new number"),
        ("a.dic", "%\n1\tpos\n%\nhappy\t1\nsad\t2\n", "line 5: .* no category '2'"),
        ("a.dic", "%\n1\tpos\n%\nhappy\n", "line 4: expected a term and numbers"),
        ("a.yml", "a: [good, {]", "is not YAML"),
        ("a.yml", "- good\n", "line 1: expected categories"),
        ("a.yml", "a: &x [good]\nb: *x\n", "line 1: references"),
        ("a.yml", "a:\n  - ''\n", "line 2: the term is empty"),
        ("a.yml", "a: " + "[" * 3000 + "x" + "]" * 3000, "too many levels"),
        ("a.csv", "good,2\nbad,1e200\n", "line 2: the weight is '1e200'. Expected .* 1e100"),
        ("a.csv", "good,2\n" + "x" * 200_000 + ",1\n", "line 2: field larger"),
        ("a.jsonl", '{"term": null, "weight": 1}', "line 1: the term is None. Expected a text"),
        ("a.jsonl", '{"term": "a", "category": 1}', "line 1: the category is 1. Expected a text"),
        ("a.doc", "good,2", "unknown format. Expected one of .csv"),
    ],
)
def test_errors_name_file_and_line(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        read_lexicon(write(tmp_path, name, text))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        read_lexicon(tmp_path / "none.csv")


def test_wrong_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("böse,1".encode("latin-1"))
    with pytest.raises(ValueError, match="a.csv is not UTF-8"):
        read_lexicon(tmp_path / "a.csv")


def test_saved_list_is_exact():
    lexicon = Lexicon(
        ("a", '"b,', "c d", ":[*]"),
        ("x", "x", "y,z", "x"),
        (0.1, 1e-300, -3.3333333333333335, 2.0),
        (3, 0, 1, 2),
        np.array([[0.1, 1 / 3], [np.nan, np.nan], [-1e-17, 2.0], [0.0, 1.0]]),
    )
    again = parse_saved(lexicon.to_csv(["one", "two"]), "-")
    assert again == lexicon
    np.testing.assert_array_equal(again.contribution, lexicon.contribution)
    assert parse_saved(Lexicon().to_csv(), "-") == Lexicon()
