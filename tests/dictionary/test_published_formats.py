"""Term lists in the forms in which they are published, with words of our own."""

import pytest

from spacy_bertreg.dictionary.formats import read_lexicon

LIWC = (
    "%\n01\tarticle\n2\tpast\n125  affect\n126 posemo\n131\tcause\n464\tfiller\n%\n"
    "kind\t<of>131/125\t<of>131/126\n"
    "like\t(02 134)125/464 (02 134)126 2\n"
    "the\t1\n"
    "went 02\n"
    "very fine 125 126\n"
    "catch 22\t125\n"
    "fine\t\t01 125\t\t\n"
    "(affect) sort\t2\n"
)
LIWC22 = "DicTerm,Posemo,Negemo\nhappy,X,\nbitter*,x,X\nso so,,0.5\n"
LEXICODER = "+POS\nfine\nvery fine*\n\n+NEG\nbad\n"
YOSHIKODER = """<?xml version="1.0" encoding="UTF-8"?>
<dictionary style="050805" patternengine="substring">
  <cnode name="mine" desc="">
    <cnode name="pos"><pnode name="fine"/></cnode>
    <cnode name="neg"><pnode name="bad*"/></cnode>
    <pnode name="so"/>
  </cnode>
</dictionary>
"""
WORDSTAT = (
    "MOOD\n\tPOS\n\t\tFINE (1)\n\t\tVERY_FINE* (2)\n\tNEG\n\t\tBAD (1)\n\tSO (1)\n"
    "PLACE\n\tHERE (1)\n\t@NEAR [x] (1)\n"
)
NRC = "fine\tanger\t0\nfine\tjoy\t1\nbad\tanger\t0.5\n"
SENTIWS = "Güte|NN\t0.5\tGüten\nfein|ADJX\t0.2\tfeine,feiner,fein\nheiter|ADJX\t0.1\n"


def write(tmp_path, name, text, encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def rows(lexicon):
    return list(zip(lexicon.terms, lexicon.categories, lexicon.weights, strict=True))


@pytest.mark.parametrize(
    ("name", "text", "expected", "notes"),
    [
        (
            "a.dic",
            LIWC,
            [
                ("kind", "affect", 1),
                ("kind", "posemo", 1),
                ("like", "filler", 1),
                ("like", "past", 1),
                ("the", "article", 1),
                ("went", "past", 1),
                ("very fine", "affect", 1),
                ("very fine", "posemo", 1),
                ("catch 22", "affect", 1),
                ("fine", "article", 1),
                ("fine", "affect", 1),
            ],
            (
                "4 conditions, where the category without it counts",
                "1 term with a condition, left out",
            ),
        ),
        (
            "a.dicx",
            LIWC22,
            [
                ("happy", "Posemo", 1),
                ("bitter*", "Posemo", 1),
                ("bitter*", "Negemo", 1),
                ("so so", "Negemo", 0.5),
            ],
            (),
        ),
        ("a.lc3", LEXICODER, [("fine", "POS", 1), ("very fine*", "POS", 1), ("bad", "NEG", 1)], ()),
        (
            "a.ykd",
            YOSHIKODER,
            [("fine", "mine.pos", 1), ("bad*", "mine.neg", 1), ("so", "mine", 1)],
            (),
        ),
        (
            "a.cat",
            WORDSTAT,
            [
                ("FINE", "MOOD.POS", 1),
                ("VERY FINE*", "MOOD.POS", 2),
                ("BAD", "MOOD.NEG", 1),
                ("SO", "MOOD", 1),
                ("HERE", "PLACE", 1),
            ],
            ("1 rule, left out",),
        ),
        (
            "a.txt",
            NRC,
            [("fine", "joy", 1), ("bad", "anger", 0.5)],
            ("1 line with a weight of 0, for a term that is not of the category",),
        ),
        (
            "a.txt",
            SENTIWS,
            [
                ("Güte", "given", 0.5),
                ("Güten", "given", 0.5),
                ("fein", "given", 0.2),
                ("feine", "given", 0.2),
                ("feiner", "given", 0.2),
                ("heiter", "given", 0.1),
            ],
            (),
        ),
        (
            "a.csv",
            "fine,1,0.3\nbad,-1,0.2\n",
            [("fine", "given", 1), ("bad", "given", -1)],
            ("2 lines with columns after term and weight, which are not read",),
        ),
    ],
)
def test_published_lists(tmp_path, name, text, expected, notes):
    lexicon = read_lexicon(write(tmp_path, name, text))
    assert rows(lexicon) == expected
    assert lexicon.notes == notes


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.dic", "%\n1\tpos\n01\tneg\n%\nfine\t1\n", "line 3: expected a new number"),
        ("a.dic", "%\n1\tpos\n%\nfine 2\n", "line 4: .* no category '2'"),
        ("a.dic", "%\n1\tpos\n%\nfine\tx\n", r"line 4: .* found 'fine\\tx'"),
        ("a.dic", "%\n1\tpos\n%\nfine\t<of>1/7\n", "line 4: .* no category '7'"),
        ("a.dicx", "Term,pos\nfine,X\n", "line 1: expected the column DicTerm, .*'Term', 'pos'"),
        ("a.dicx", "DicTerm,pos\nfine,yes\n", "line 2: column 'pos' holds 'yes'. Expected X"),
        ("a.dicx", "DicTerm,pos\nfine,X,X\n", "line 2: expected 2 columns, found 3"),
        ("a.lc3", "fine\n", r"line 1: expected \+ and a category first, found 'fine'"),
        ("a.cat", "FINE (1)\n", "line 1: expected a category first"),
        ("a.ykd", "<dictionary><pnode name='a'/></dictionary>", "line 1: expected a cnode around"),
        ("a.ykd", "<dictionary>\n<cnode/></dictionary>", "line 2: cnode has no name"),
        ("a.ykd", "<dictionary>", "is not XML"),
        (
            "a.ykd",
            '<!DOCTYPE d [<!ENTITY e "fine">]>\n<d><cnode name="&e;"/></d>',
            "line 1: document types and entities are not read",
        ),
        ("a.txt", "fein|ADJX\t0.2\tfeine\ngut\t1\n", r"line 2: expected word\|TAG, weight and"),
        ("a.txt", "fine\tjoy\t1\nbad\tjoy\n", "line 2: expected term and category and weight"),
        (
            "a.csv",
            "word,score\nfine,1\n",
            "line 1: there is no column 'term'. .* found 'word', 'score'",
        ),
        ("a.csv", "word,weight\nfine,x\n", "line 1: there is no column 'term'"),
        (
            "a.tsv",
            "term\tscore\nfine\t1\n",
            "line 1: expected a column weight or category, too, found the columns 'term', 'score'",
        ),
        ("a.jsonl", '{"term": "fine", "score": 1}', "line 1: expected an object with term, and"),
    ],
)
def test_errors_name_file_and_line(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        read_lexicon(write(tmp_path, name, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "fine,1\nbad,2\nFine,1\n"),
        ("a.csv", "don't,1\nbad,2\ndon\u2019t,1.0\n"),
        ("a.dic", "%\n1\tpos\n%\nfine\t1\nbad\t1\nfine\t1\n"),
        ("a.yml", "a:\n  - fine\n  - bad\n  - fine\n"),
    ],
)
def test_the_same_line_again_is_left_out(tmp_path, name, text):
    lexicon = read_lexicon(write(tmp_path, name, text))
    assert len(lexicon) == 2
    assert lexicon.notes == ("1 repeated line",)


CONFLICTS = "a,1\nb,1\na,2\nb,3\nb,3\nc,1\nc,0\nd,1\nd,0\n"


def test_all_terms_with_several_weights_are_told_at_once(tmp_path):
    message = (
        r"line 3: several weights for 4 terms .*'a' 1 in line 1, 2 in line 3; 'b' 1 in line 2, 3 "
        r'in line 4, 3 in line 5; .*and 1 more. Expected .* duplicates = "first"'
    )
    with pytest.raises(ValueError, match=message):
        read_lexicon(write(tmp_path, "a.csv", CONFLICTS))


@pytest.mark.parametrize(
    ("duplicates", "weights"),
    [("first", (1, 1, 1, 1)), ("last", (2, 3, 0, 0)), ("mean", (1.5, 7 / 3, 0.5, 0.5))],
)
def test_which_of_several_weights_counts(tmp_path, duplicates, weights):
    lexicon = read_lexicon(write(tmp_path, "a.csv", CONFLICTS), duplicates=duplicates)
    assert lexicon.terms == ("a", "b", "c", "d")
    assert lexicon.weights == pytest.approx(weights)
    assert lexicon.notes == (f"4 terms with several weights (the {duplicates} counts)",)


@pytest.mark.parametrize(
    ("text", "encoding", "suggested"),
    [("don\u2019t,1\n", "cp1252", "cp1252"), ("b\xf6se,1\n", "latin-1", "latin-1")],
)
def test_another_encoding_is_suggested_and_read(tmp_path, text, encoding, suggested):
    path = write(tmp_path, "a.csv", "fine,1\n" + text, encoding)
    message = f'a.csv is not UTF-8: line 2 holds the byte 0x.* perhaps encoding = "{suggested}"'
    with pytest.raises(ValueError, match=message):
        read_lexicon(path)
    assert read_lexicon(path, encoding=suggested).terms == ("fine", text.split(",")[0])


def test_utf_16_and_unknown_encodings(tmp_path):
    path = write(tmp_path, "a.csv", "fine,1\n", "utf-16")
    with pytest.raises(ValueError, match='perhaps encoding = "utf-16"'):
        read_lexicon(path)
    assert read_lexicon(path, encoding="utf-16").terms == ("fine",)
    with pytest.raises(ValueError, match="encoding is 'ansi-9' for the lexicon"):
        read_lexicon(path, encoding="ansi-9")
