"""Turn events of the UCDP Georeferenced Event Dataset into documents by place and period.

A document holds the headlines of the events in one place and period; its target is the logarithm
of the deaths there and then (Sundberg & Melander 2013, CC BY 4.0, https://ucdp.uu.se/downloads).
"""

import argparse
import gzip
import html
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.files import write_whole
from spacy_bertreg.data.splits import split_by_date, split_by_group

# Weeks begin on Monday.
PERIODS = {"day": "D", "week": "W-SUN", "month": "M"}
# Headlines seldom end in a full stop, and a BERT's word pieces don't show a line's end.
BETWEEN = " | "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "input", type=Path, help="UCDP's CSV file of events; may be gzipped, or zipped"
    )
    parser.add_argument("output", type=Path, help="CSV file to write")
    parser.add_argument("--place", default="adm_1", help="column of the place")
    parser.add_argument("--period", choices=list(PERIODS), default="day")
    parser.add_argument("--max-docs", type=int, default=0, help="size of a sample; 0 for all")
    parser.add_argument(
        "--split",
        choices=["time", "months"],
        help="add a column split: train before dev before test, or whole months at random",
    )
    parser.add_argument("--dev-from", default="2018-03-01", help="first date of dev, for time")
    parser.add_argument("--test-from", default="2018-09-01", help="first date of test, for time")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample and the months")
    args = parser.parse_args()
    make_printing_safe()
    if args.max_docs < 0:
        parser.error(f"--max-docs is {args.max_docs}. Expected 0, for all, or more.")
    try:
        events, left_out = read_events(args.input, args.place)
        documents = make_documents(events, args.place, args.period)
        n_documents = len(documents)
        if 0 < args.max_docs < n_documents:
            documents = documents.sample(args.max_docs, random_state=args.seed).sort_index()
        if args.split == "time":
            dates = pd.to_datetime(documents["date"], utc=True)
            documents["split"] = split_by_date(dates, args.dev_from, args.test_from)
        elif args.split == "months":
            documents["split"] = split_by_group(
                documents["month"].tolist(), (0.7, 0.1, 0.2), args.seed
            )
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    for reason, rows in left_out.items():
        print(f"Left out: {len(rows)} events without {reason}, with {rows['best'].sum():g} deaths")
    table = documents.to_csv(index=False, lineterminator="\n")
    write_whole({args.output: table.encode("utf-8")})
    print(f"Wrote {len(documents)} of {n_documents} documents to {args.output}")


def read_events(path: Path, place: str) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Read and check the events.

    path (Path): UCDP's CSV file.
    place (str): Column of the place.
    RETURNS (tuple[DataFrame, dict]): The events that have a place and a headline, and the others
        by what they lack.
    RAISES (ValueError, FileNotFoundError): Not a table of UCDP's, or an event without a date or a
        number of deaths.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected UCDP GED's file of events.")
    columns = dict.fromkeys(["id", "country", place, "date_start", "source_headline", "best"])
    try:
        events = pd.read_csv(
            path, usecols=lambda name: name in columns, dtype=str, keep_default_na=False
        )
    except (ValueError, gzip.BadGzipFile, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"Can't read {path}: {error}. Expected UCDP GED's CSV file.") from error
    if missing := [name for name in columns if name not in events.columns]:
        raise ValueError(f"{path} has no column {', '.join(missing)}. Expected UCDP GED's columns.")
    dates = pd.to_datetime(events["date_start"], format="ISO8601", errors="coerce")
    check(path, events["date_start"], dates.notna(), "a date as 2016-01-31")
    for name in ("best", "id"):
        numbers = pd.to_numeric(events[name], errors="coerce")
        known = np.isfinite(numbers) & (numbers >= 0)
        check(path, events[name], known, "a number of 0 or more")
        events[name] = numbers
    events["date_start"] = dates
    # UCDP's headlines hold line breaks and entities such as &#8220; here and there.
    events["source_headline"] = [
        " ".join(html.unescape(headline).split()) for headline in events["source_headline"]
    ]
    no_place = events[place].str.strip() == ""
    no_headline = ~no_place & (events["source_headline"] == "")
    left_out = {f"a place ({place})": events[no_place], "a headline": events[no_headline]}
    events = events[~no_place & ~no_headline]
    if events.empty:
        raise ValueError(f"{path} has no event with both a place ({place}) and a headline.")
    return events, left_out


def check(path: Path, column: pd.Series, right: pd.Series, expected: str) -> None:
    """Raise a ValueError that names the first row that is not right, if there is one."""
    if not right.all():
        row = int((~right).to_numpy().argmax())
        raise ValueError(
            f"{path}, row {row + 1}, column {column.name!r}: found {column[row]!r}. Expected "
            f"{expected}."
        )


def make_documents(events: pd.DataFrame, place: str, period: str) -> pd.DataFrame:
    """Join the headlines and add up the deaths of each place and period.

    events (DataFrame): As from `read_events`.
    place (str): Column of the place. Where there are several countries, the place's name begins
        with its own: two may have a province of the same name.
    period (str): "day", "week" or "month", in which the event began.
    RETURNS (DataFrame): One row a document, in order of time and place.
    """
    places = events[place].str.strip()
    if place != "country" and events["country"].nunique() > 1:
        places = events["country"].str.strip() + ": " + places
    starts = events["date_start"].dt.to_period(PERIODS[period]).dt.start_time
    grouped = (
        events.assign(place=places, date=starts.dt.strftime("%Y-%m-%d"))
        .sort_values(["date_start", "id"], kind="stable")
        .groupby(["date", "place"])
    )
    documents = grouped.agg(
        n_headlines=("source_headline", "nunique"),
        text=("source_headline", lambda headlines: BETWEEN.join(headlines.unique())),
        deaths=("best", "sum"),
    ).reset_index()
    documents.insert(0, "id", documents["place"] + " " + documents["date"])
    documents.insert(3, "month", documents["date"].str[:7])
    documents["log_deaths"] = np.log1p(documents["deaths"]).round(6)
    return documents[
        ["id", "place", "date", "month", "n_headlines", "text", "deaths", "log_deaths"]
    ]


if __name__ == "__main__":
    main()
