"""The sample in corpus/ is what its script writes and what its README says it is."""

import csv
import math
import re
import subprocess
import sys

import pytest
from conftest import ROOT

CORPUS = ROOT / "corpus"

# A second reading of the rules in corpus/README.md. It shares nothing with the script, so a
# mistake in the script's own sums shows up here.
DEATH_WORDS = {"killed", "dead", "died", "death", "deaths"}
HEDGE_WORDS = {
    "reportedly", "allegedly", "claimed", "possibly", "rumours", "unconfirmed", "unverified",
}  # fmt: skip
NEGATION_WORDS = {"no", "nobody", "none", "without", "denied", "false"}
SMALL_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip


def read_csv(name: str) -> list[dict[str, str]]:
    with (CORPUS / name).open(encoding="utf-8", newline="") as file_:
        return list(csv.DictReader(file_))


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower())


def numbers_in(words: list[str]) -> list[int]:
    found = []
    for word in words:
        parts = word.split("-")
        if all(part in SMALL_NUMBERS for part in parts):
            found.append(sum(SMALL_NUMBERS[part] for part in parts))
    return found


def death_numbers(text: str) -> list[tuple[list[int], float]]:
    """List the numbers of each clause about deaths, with the share at which they count."""
    found = []
    for sentence in text.split("."):
        share = 0.5 if HEDGE_WORDS & set(words_of(sentence)) else 1.0
        for clause in re.split(r",|\b(?:and|but|while)\b", sentence):
            words = words_of(clause)
            if DEATH_WORDS & set(words) and not NEGATION_WORDS & set(words):
                found.append((numbers_in(words), share))
    return found


def severity_of(text: str) -> float:
    total = sum(share * sum(numbers) for numbers, share in death_numbers(text))
    return round(math.log(1 + total), 4)


@pytest.fixture(scope="module")
def briefings() -> list[dict[str, str]]:
    return read_csv("briefings.csv")


@pytest.fixture(scope="module")
def terms() -> list[dict[str, str]]:
    return read_csv("terms.csv")


def test_script_writes_the_same_bytes(tmp_path):
    script = ROOT / "scripts" / "write_sample.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True)
    for name in ("briefings.csv", "terms.csv"):
        assert (tmp_path / name).read_bytes() == (CORPUS / name).read_bytes()


def test_script_follows_its_options(tmp_path):
    script = ROOT / "scripts" / "write_sample.py"
    options = ["--out", str(tmp_path), "--rows", "30", "--seed", "1"]
    subprocess.run([sys.executable, str(script), *options], check=True)
    lines = (tmp_path / "briefings.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 30
    assert lines[1] != (CORPUS / "briefings.csv").read_text(encoding="utf-8").splitlines()[1]


@pytest.mark.parametrize("n_rows", ["0", "1501"])
def test_script_rejects_impossible_row_count(tmp_path, n_rows):
    script = ROOT / "scripts" / "write_sample.py"
    command = [sys.executable, str(script), "--out", str(tmp_path), "--rows", n_rows]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "--rows must be from 1 to 1500" in result.stderr
    assert not list(tmp_path.iterdir())


def test_severity_follows_the_rules(briefings):
    wrong = [row["id"] for row in briefings if float(row["severity"]) != severity_of(row["text"])]
    assert wrong == []


def test_no_clause_leaves_the_reader_a_choice(briefings):
    clauses = [clause for row in briefings for clause in death_numbers(row["text"])]
    assert {len(numbers) for numbers, _ in clauses} == {1}


def test_shape_of_the_briefings(briefings):
    assert len(briefings) == 400
    assert list(briefings[0]) == ["id", "region", "month", "text", "severity"]
    assert len({row["id"] for row in briefings}) == 400
    assert len({row["text"] for row in briefings}) == 400
    assert len({(row["region"], row["month"]) for row in briefings}) == 400
    regions = [row["region"] for row in briefings]
    assert len(set(regions)) >= 20
    assert min(regions.count(region) for region in set(regions)) >= 5
    for row in briefings:
        assert row["region"] in row["text"]
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", row["month"])
        assert re.fullmatch(r"\d\.\d{4}", row["severity"])
        assert 20 <= len(row["text"].split()) <= 70
        assert 2 <= row["text"].count(".") <= 4


def test_many_briefings_are_zero(briefings):
    zeros = sum(float(row["severity"]) == 0 for row in briefings)
    assert 0.20 <= zeros / len(briefings) <= 0.45


def test_number_and_noun_agree(briefings):
    for row in briefings:
        text = row["text"].lower()
        assert not re.search(r"(?<!-)\bone (people|women|(?!was\b)\w+s)\b", text), row["id"]
        for number, verb in re.findall(r"\b([a-z-]+) (?:police )?[a-z]+ (was|were) ", text):
            if numbers_in([number]):
                assert (verb == "was") == (number == "one"), row["id"]


def test_every_term_occurs(briefings, terms):
    texts = " ".join(row["text"].lower() for row in briefings)
    missing = [row["term"] for row in terms if not re.search(rf"\b{row['term']}\b", texts)]
    assert missing == []


def test_shape_of_the_terms(terms):
    names = [row["term"] for row in terms]
    assert list(terms[0]) == ["term", "weight"]
    assert names == sorted(set(names))
    assert all(name == name.lower() for name in names)
    assert any(" " in name for name in names)
    assert all(-3 <= float(row["weight"]) <= 3 for row in terms)


def test_files_are_plain_utf8():
    for name in ("briefings.csv", "terms.csv"):
        data = (CORPUS / name).read_bytes()
        data.decode("utf-8")
        assert b"\r" not in data
        assert data.endswith(b"\n")


def test_readme_lists_every_rule_word():
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    missing = {
        word for word in DEATH_WORDS | HEDGE_WORDS | NEGATION_WORDS if f"`{word}`" not in readme
    }
    assert missing == set()


def test_readme_example_is_in_the_file(briefings):
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    quoted = re.search(r"^> (.+)$", readme, flags=re.MULTILINE)
    assert quoted
    row = next(row for row in briefings if row["text"] == quoted.group(1))
    assert f"`{row['id']}`" in readme
    assert f"`{row['severity']}`" in readme
