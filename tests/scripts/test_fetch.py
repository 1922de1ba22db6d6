import io
import tarfile

import pandas as pd
import pytest
from conftest import ROOT
from fetch import RATINGS, SHA256, checked, describe_ratings, read_member, to_csv

ARCHIVE = ROOT.parent / "shared" / "data" / "hutto_ICWSM_2014.tar.gz"


def test_ratings_become_a_table():
    table = to_csv('1_2\t-0.9\tno "picture", b/w\r\n7\t2.5\ttabs\there\r\n\r\n')
    read = pd.read_csv(io.StringIO(table), dtype=str)
    assert read.to_dict("records") == [
        {"id": "1_2", "group": "1", "rating": "-0.9", "text": 'no "picture", b/w'},
        {"id": "7", "group": "7", "rating": "2.5", "text": "tabs\there"},
    ]


def test_all_ratings_of_a_text_become_their_number_mean_and_variance():
    table = describe_ratings("1_2\t0.75\t0.43301\t[1, 1, 0, 1]\r\n7\t-1\t1.0\t[-2, 0]\n\n")
    read = pd.read_csv(io.StringIO(table), dtype={"id": str})
    assert read.to_dict("records") == [
        {"id": "1_2", "n": 4, "mean": 0.75, "variance": 0.25},
        {"id": "7", "n": 2, "mean": -1.0, "variance": 2.0},
    ]


def test_another_file_than_expected_is_refused():
    with pytest.raises(SystemExit, match="vader_lexicon.txt is not the expected file"):
        checked("vader_lexicon.txt", b"something else")


@pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"{ARCHIVE.name} is not at hand")
def test_all_ratings_of_the_real_archive():
    content = ARCHIVE.read_bytes()
    assert checked("hutto_ICWSM_2014.tar.gz", content) == content
    assert set(SHA256) >= {"hutto_ICWSM_2014.tar.gz", "model.safetensors"}
    # Texts, groups, and texts whose listed ratings, some 97, do not have the published mean.
    expected = {
        "tweets": (4200, 4200, 199),
        "amazonReviewSnippets": (3708, 300, 0),
        "nytEditorialSnippets": (5190, 498, 0),
        "movieReviewSnippets": (10605, 10605, 0),
    }
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name in RATINGS:
            ratings = read_member(archive, f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            table = pd.read_csv(io.StringIO(to_csv(ratings.decode("latin-1"))), dtype=str)
            assert table["rating"].astype(float).between(-4, 4).all()
            assert table["text"].str.strip().ne("").all()
            raters = read_member(archive, f"hutto_ICWSM_2014/{name}_anonDataRatings.txt")
            every = pd.read_csv(io.StringIO(describe_ratings(raters.decode("latin-1"))), dtype=str)
            means = every.set_index("id")["mean"].astype(float)
            ratings = table.set_index("id")["rating"].astype(float)
            differ = (means[ratings.index] - ratings).abs() > 1e-8
            assert (len(table), table["group"].nunique(), differ.sum()) == expected[name]
