import gzip
import math
import sys

import pandas as pd
import pytest
from conftest import ROOT
from ged_documents import main, make_documents, read_events

SYRIA = ROOT.parent / "shared" / "data" / "ucdp-ged-19.1-syria.csv.gz"

COLUMNS = ["id", "country", "adm_1", "adm_2", "date_start", "source_headline", "best"]
# The later events come first, and 9 is before 10: order is by date, then by number.
EVENTS = [
    (10, "Syria", "Homs", "Tadmur", "2016-01-04 00:00:00.000", "Second\nAU \tof the day", 2),
    (9, "Syria", "Homs", "Homs", "2016-01-04 00:00:00.000", "&#8220;First&#8221;, of all", 1),
    (8, "Syria", "Homs", "Homs", "2016-01-10 00:00:00.000", "“First”, of all", 4),
    (7, "Syria", "Homs", "Homs", "2016-01-03 00:00:00.000", "On Sunday", 0),
    (6, "Syria", "", "", "2016-01-03 00:00:00.000", "Nowhere", 5),
    (5, "Syria", "Homs", "Homs", "2016-01-03 00:00:00.000", " ", 6),
    (4, "Syria", "Hama", "Hama", "2016-01-03 00:00:00.000", "In Hama", 7),
]


def run(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["ged_documents.py", *map(str, args)])
    main()


def write(path, events=EVENTS, columns=COLUMNS):
    pd.DataFrame(events, columns=columns).to_csv(path, index=False)
    return path


def documents_of(tmp_path, monkeypatch, *args, events=EVENTS):
    path = write(tmp_path / "ged.csv.gz", events)
    run(monkeypatch, path, tmp_path / "out" / "documents.csv", *args)
    return pd.read_csv(tmp_path / "out" / "documents.csv")


def test_documents_by_day(tmp_path, monkeypatch, capsys):
    table = documents_of(tmp_path, monkeypatch)
    assert table.drop(columns="log_deaths").values.tolist() == [
        ["Hama 2016-01-03", "Hama", "2016-01-03", "2016-01", 1, "In Hama", 7],
        ["Homs 2016-01-03", "Homs", "2016-01-03", "2016-01", 1, "On Sunday", 0],
        [
            *["Homs 2016-01-04", "Homs", "2016-01-04", "2016-01", 2],
            *["“First”, of all | Second AU of the day", 3],
        ],
        ["Homs 2016-01-10", "Homs", "2016-01-10", "2016-01", 1, "“First”, of all", 4],
    ]
    assert table["log_deaths"].tolist() == pytest.approx([math.log1p(n) for n in (7, 0, 3, 4)])
    assert list(table.columns)[4:] == ["n_headlines", "text", "deaths", "log_deaths"]
    printed = capsys.readouterr().out
    assert "1 events without a place (adm_1), with 5 deaths" in printed
    assert "1 events without a headline, with 6 deaths" in printed
    assert "Wrote 4 of 4 documents" in printed


def test_weeks_begin_on_monday_and_a_headline_comes_once(tmp_path, monkeypatch):
    table = documents_of(tmp_path, monkeypatch, "--period", "week").set_index("id")
    assert set(table.index) == {"Hama 2015-12-28", "Homs 2015-12-28", "Homs 2016-01-04"}
    week = table.loc["Homs 2016-01-04"]
    assert (week["deaths"], week["n_headlines"]) == (7, 2)
    assert week["text"] == "“First”, of all | Second AU of the day"
    assert table.loc["Homs 2015-12-28", "month"] == "2015-12"


def test_months_and_another_place(tmp_path, monkeypatch):
    table = documents_of(tmp_path, monkeypatch, "--period", "month", "--place", "adm_2")
    assert table["id"].tolist() == ["Hama 2016-01-01", "Homs 2016-01-01", "Tadmur 2016-01-01"]
    assert table["deaths"].tolist() == [7, 5, 2]


def test_places_of_the_same_name_in_two_countries(tmp_path, monkeypatch):
    events = [*EVENTS, (1, "Elsewhere", "Homs", "Homs", "2016-01-03", "Far away", 9)]
    table = documents_of(tmp_path, monkeypatch, "--period", "day", events=events)
    assert table["id"].is_unique
    ids = dict(zip(table["id"], table["deaths"], strict=True))
    assert ids["Elsewhere: Homs 2016-01-03"] == 9
    assert ids["Syria: Homs 2016-01-03"] == 0
    table = documents_of(tmp_path, monkeypatch, "--place", "country", events=events)
    assert set(table["place"]) == {"Elsewhere", "Syria"}


def test_sample_is_reproducible_and_in_order(tmp_path, monkeypatch):
    events = [(i, "Syria", "Homs", "", f"2016-{i:02}-01", f"Text {i}", i) for i in range(1, 13)]
    first, again, other = (
        documents_of(tmp_path, monkeypatch, "--max-docs", 5, "--seed", seed, events=events)[
            "date"
        ].tolist()
        for seed in (0, 0, 1)
    )
    assert len(first) == 5
    assert first == again == sorted(first)
    assert first != other


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("best", "many", "row 2, column 'best': found 'many'. Expected a number of 0 or more"),
        ("best", "", "row 2, column 'best': found ''"),
        ("best", "-1", "row 2, column 'best': found '-1'"),
        ("best", "inf", "row 2, column 'best': found 'inf'"),
        ("date_start", "yesterday", "row 2, column 'date_start': found 'yesterday'"),
        ("id", "x", "row 2, column 'id': found 'x'"),
        ("adm_1", None, "has no column adm_1. Expected UCDP GED's columns"),
    ],
)
def test_errors_name_the_place_and_write_nothing(tmp_path, monkeypatch, column, value, message):
    table = pd.DataFrame(EVENTS, columns=COLUMNS).astype(str)
    if value is None:
        table = table.drop(columns=column)
    else:
        table.loc[1, column] = value
    table.to_csv(tmp_path / "ged.csv", index=False)
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, tmp_path / "ged.csv", tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["ged.csv"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ged.csv.gz", b"id,country\n", "Can't read .*ged.csv.gz"),
        (
            "ged.csv.gz",
            gzip.compress(b"id,country\n" * 99, mtime=0)[:-9],
            "Can't read .*ged.csv.gz",
        ),
        ("ged.csv", b"", "Can't read .*ged.csv"),
        ("ged.csv", (",".join(COLUMNS) + "\n").encode(), "has no event with both a place"),
    ],
)
def test_files_that_are_no_events(tmp_path, monkeypatch, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, tmp_path / name, tmp_path / "out.csv")


def test_missing_file(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="none.csv does not exist"):
        run(monkeypatch, tmp_path / "none.csv", tmp_path / "out.csv")


@pytest.mark.skipif(not SYRIA.is_file(), reason=f"{SYRIA.name} is not at hand")
def test_the_real_file():
    events, left_out = read_events(SYRIA, "adm_1")
    assert [len(rows) for rows in left_out.values()] == [339, 0]
    assert len(events) == 16_566 - 339
    days = make_documents(events, "adm_1", "day")
    assert len(days) == 7_493
    assert days["id"].is_unique
    assert days["deaths"].sum() == events["best"].sum()
    assert days["text"].str.replace(" | ", " ").str.split().str.len().mean() == pytest.approx(
        46, 0.02
    )
    assert len(make_documents(events, "adm_1", "week")) == 2_024


def test_splits(tmp_path, monkeypatch):
    events = [
        (m, "Syria", "Homs", "Homs", f"2018-{m:02}-05", f"Headline {m}", m) for m in range(1, 13)
    ]
    by_time = documents_of(tmp_path, monkeypatch, "--split", "time", events=events)
    assert by_time["split"].tolist() == ["train"] * 2 + ["dev"] * 6 + ["test"] * 4
    again = ("--split", "time", "--dev-from", "2018-06-01", "--test-from", "2018-07-05")
    by_time = documents_of(tmp_path, monkeypatch, *again, events=events)
    assert by_time["split"].tolist() == ["train"] * 5 + ["dev"] + ["test"] * 6
    days = [(*e[:4], f"{e[4][:8]}{d:02}", *e[5:]) for e in events for d in (5, 6, 7)]
    by_month = documents_of(tmp_path, monkeypatch, "--split", "months", events=days)
    assert (by_month.groupby("month")["split"].nunique() == 1).all()
    assert set(by_month["split"]) == {"train", "dev", "test"}
    with pytest.raises(SystemExit, match="The split 'dev' would be empty: there is no document"):
        documents_of(tmp_path, monkeypatch, "--split", "time", events=EVENTS)
