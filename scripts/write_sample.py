"""Write the sample of invented conflict briefings that ships with the project.

Two files go into the output folder: briefings.csv (id, region, month, text, severity) and
terms.csv (term, weight), a word list as a human coder might draw it up. Every place and event
is made up. corpus/README.md gives the rules that link a text to its severity.
"""

import argparse
import csv
import math
import random
from pathlib import Path

from spacy_bertreg.cli.terminal import make_printing_safe

REGIONS = (
    "Adrevan", "Belmorra", "Corvash", "Dunmarek", "Eskovar", "Fenholdt", "Garduma", "Hestral",
    "Imbrani", "Jorwenna", "Kelmandra", "Lothira", "Marolind", "Nerrowick", "Oshtaran", "Pelogar",
    "Rundavel", "Sarnobel", "Tavroska", "Ulkessar", "Umberlond", "Vashtiri", "Wendrakh",
    "Yelmara", "Zorvanda",
)  # fmt: skip
MONTHS = tuple(f"{year}-{month:02}" for year in range(2018, 2023) for month in range(1, 13))
# A town's name is the start of its region's name plus an ending, so no two regions share one.
TOWNS = ("the border town of {}avi", "the market town of {}omer", "the village of {}estra")
DISTRICTS = ("the northern district", "the eastern hills", "the river port", "the old quarter")
VICTIMS = (
    ("person", "people"), ("civilian", "civilians"), ("farmer", "farmers"), ("guard", "guards"),
    ("villager", "villagers"), ("soldier", "soldiers"), ("police officer", "police officers"),
    ("herder", "herders"), ("driver", "drivers"), ("miner", "miners"),
)  # fmt: skip
OTHERS = (("person", "people"), ("trader", "traders"), ("student", "students"), ("woman", "women"))
FORCES = ("gunmen", "rebels", "militia fighters", "insurgents", "armed raiders")
LIGHT_ATTACKS = ("an ambush", "a raid", "a shooting", "a gun battle", "sniper fire")
HEAVY_ATTACKS = ("shelling", "an air strike", "a car bomb attack", "rocket fire", "heavy clashes")

# Only CONFIRMED and HEDGED add to the total. Each of their sentences holds one number of deaths
# and names a place of its own, so no two sentences of a briefing tell of the same deaths.
CONFIRMED = (
    "{attack} killed {victims} in {place}",
    "{victims} {was} killed when {force} attacked {place}",
    "{attack} near {place} left {victims} dead",
    "{force} stormed {place}, where they killed {victims}",
    "{victims} died in {attack} on the road to {place}",
    "officials confirmed {number} {deaths} after {attack} in {place}",
    "{attack} in {place} killed {victims} and injured {many} others",
    "the death toll from {attack} in {place} stood at {number}",
    "fighting in {place} killed {victims}, while {many} families fled",
)
HEDGED = (
    "an unconfirmed account speaks of {number} dead in {place}",
    "{attack} reportedly killed {victims} in {place}",
    "{force} claimed to have killed {victims} near {place}",
    "{victims} {was} allegedly killed by {force} in {place}",
    "according to unverified messages, {victims} {was} killed in {place}",
    "rumours from {place} put the number of dead at {number}",
    "{victims} possibly died in {attack} near {place}, which aid workers could not reach",
)
NEGATED = (
    "nobody was killed when {attack} shook {place}",
    "no deaths were reported after {attack} in {place}",
    "officials denied that {victims} had been killed in {place}",
    "a report that {victims} had died in {place} proved false",
    "{attack} in {place} caused panic, but no one was killed",
    "{attack} near {place} ended without any deaths",
    "none of the {many} people caught up in {attack} in {place} died",
)
OTHER_HARM = (
    "{others} {was} injured in {attack} near {place}",
    "{attack} displaced {many} families from {place}",
    "{others} {was} detained at a checkpoint outside {place}",
    "{force} took {others} hostage in {place}",
    "{many} houses were burned in {place}",
    "{others} {was} wounded in {place}, and all survived",
)
CALM = (
    "talks between local leaders resumed in {place}",
    "the ceasefire around {place} held",
    "both sides agreed to cease fire around {place}",
    "the situation in {place} remained calm, and markets opened as usual",
    "elders in {place} signed a peace deal over grazing land",
    "mediators met both sides in {place} for a second round of talks",
    "a truce let aid convoys reach {place}",
    "families returned to {place} after a quiet week",
    "schools reopened in {place} after a peaceful festival",
)
VIOLENT = (
    "shelling continued around {place} night after night",
    "clashes between rival militias spread toward {place}",
    "survivors from {place} told observers about a massacre",
    "the siege of {place} went on, and food ran short",
    "{force} launched a new offensive against {place}",
    "a mass grave was discovered outside {place}",
    "warplanes bombed {place} on several nights",
    "{force} looted shops in {place}, and no group claimed responsibility",
)
NEUTRAL = ("a curfew stayed in force in {place}", "heavy rain closed the road to {place}")
OPENERS = ("in {}, ", "this month in {}, ", "in the {} region, ", "in {} province, ")
LINKS = ("", "", "", "elsewhere, ", "meanwhile, ", "later in the month, ", "days later, ")

TERMS = {
    "killed": 3, "massacre": 3, "mass grave": 3, "dead": 3, "died": 3, "deaths": 3,
    "death toll": 3, "shelling": 2, "air strike": 2, "car bomb": 2, "rocket fire": 2,
    "clashes": 2, "offensive": 2, "siege": 2, "bombed": 2, "fighting": 2, "ambush": 2,
    "gun battle": 2, "sniper": 1, "gunmen": 1, "insurgents": 1, "injured": 1, "wounded": 1,
    "burned": 1, "displaced": 1, "fled": 1, "hostage": 1, "looted": 1, "calm": -3,
    "cease fire": -2, "ceasefire": -2, "festival": -2, "mediators": -1, "peace deal": -3,
    "peaceful": -3, "quiet": -2, "reopened": -2, "returned": -1, "talks": -2, "truce": -2,
}  # fmt: skip

UNITS = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# NUMBERS[23] is "twenty-three"; place 0 is never used.
NUMBERS = (*UNITS, *(f"{tens}-{unit}".rstrip("-") for tens in TENS for unit in UNITS[:10]))


def draw_count(rng: random.Random, centre: float) -> int:
    """Draw a skewed count of people: mostly small, now and then large.

    rng (random.Random): The source of randomness.
    centre (float): The mean of the logarithm of the count.
    RETURNS (int): A count from 1 to 99.
    """
    return min(99, max(1, round(math.exp(rng.gauss(centre, 0.9)))))


def fill(rng: random.Random, template: str, place: str, count: int, deadly: bool = False) -> str:
    """Fill in a sentence template.

    rng (random.Random): The source of randomness.
    template (str): The template.
    place (str): Where the event takes place.
    count (int): The number of people the sentence speaks of.
    deadly (bool): Whether those people are counted as dead.
    RETURNS (str): The sentence, still without a capital letter and full stop.
    """
    # Heavier attacks go with more deaths, but not always.
    heavy_share = 0.5 if deadly and count >= 6 else 0.3
    attack = rng.choice(HEAVY_ATTACKS if rng.random() < heavy_share else LIGHT_ATTACKS)
    if deadly and count >= 10 and rng.random() < 0.2:
        attack = "a massacre"
    form = 0 if count == 1 else 1
    return template.format(
        place=place,
        attack=attack,
        force=rng.choice(FORCES),
        number=NUMBERS[count],
        many=NUMBERS[max(2, draw_count(rng, 2.0))],
        victims=f"{NUMBERS[count]} {rng.choice(VICTIMS)[form]}",
        others=f"{NUMBERS[count]} {rng.choice(OTHERS)[form]}",
        was=("was", "were")[form],
        deaths=("death", "deaths")[form],
    )


def draft_briefing(rng: random.Random, region: str, tension: float) -> tuple[str, float]:
    """Draft one briefing, which may turn out too short or too long.

    rng (random.Random): The source of randomness.
    region (str): The region the briefing is about.
    tension (float): How violent the region is; 0.0 is average.
    RETURNS (tuple[str, float]): The text and its total of deaths.
    """
    n_confirmed, n_hedged = rng.choice([(1, 0), (1, 0), (1, 0), (1, 1), (0, 1), (2, 0)])
    if rng.random() < 0.3 - 0.1 * tension:
        n_confirmed, n_hedged = 0, 0
    confirmed = [draw_count(rng, 1.6 + 0.5 * tension) for _ in range(n_confirmed)]
    hedged = [draw_count(rng, 1.6 + 0.5 * tension) for _ in range(n_hedged)]
    total = sum(confirmed) + 0.5 * sum(hedged)
    # The tone follows the total only loosely, so that counting words explains part of the
    # severity and reading the numbers explains the rest.
    violent = rng.random() < 1 / (1 + math.exp(1.3 - 0.7 * math.log1p(total)))
    others = rng.sample(VIOLENT if violent else CALM, rng.choice([1, 1, 2]) if total else 2)
    for group, share in ((NEGATED, 0.35 if total else 0.7), (OTHER_HARM, 0.4), (NEUTRAL, 0.2)):
        if rng.random() < share:
            others.append(rng.choice(group))

    places = rng.sample([*(town.format(region[:3]) for town in TOWNS), *DISTRICTS], 4)
    sentences = []
    for templates, counts in ((CONFIRMED, confirmed), (HEDGED, hedged)):
        for template, count in zip(rng.sample(templates, len(counts)), counts, strict=True):
            sentences.append(fill(rng, template, places.pop(), count, deadly=True))
    for template in others[: 4 - len(sentences)]:
        sentences.append(fill(rng, template, places.pop(), draw_count(rng, 2.0)))
    rng.shuffle(sentences)

    starts = [rng.choice(OPENERS).format(region), *rng.sample(LINKS, len(sentences) - 1)]
    whole = [start + sentence for start, sentence in zip(starts, sentences, strict=True)]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in whole), total


def make_rows(n_rows: int, seed: int) -> list[dict[str, str]]:
    """Make the rows of briefings.csv.

    n_rows (int): The number of rows.
    seed (int): The seed of the random numbers.
    RETURNS (list[dict[str, str]]): One dictionary per row, sorted by month and region.
    """
    rng = random.Random(seed)  # noqa: S311
    reports: list[tuple[str, str, float]] = []
    for i, region in enumerate(REGIONS):
        tension = rng.gauss(0, 0.8)
        n_months = len(range(i, n_rows, len(REGIONS)))
        reports.extend((month, region, tension) for month in rng.sample(MONTHS, n_months))

    rows: list[dict[str, str]] = []
    seen = {""}
    for month, region, tension in sorted(reports):
        text, total = "", 0.0
        while text in seen or not 20 <= len(text.split()) <= 70:
            text, total = draft_briefing(rng, region, tension)
        seen.add(text)
        row = {"id": f"b{len(rows) + 1:04}", "region": region, "month": month, "text": text}
        rows.append({**row, "severity": f"{math.log1p(total):.4f}"})
    return rows


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows to a CSV file, in UTF-8 and with LF line endings on every system.

    path (Path): The file to write.
    rows (list[dict[str, str]]): The rows; the keys of the first become the header.
    """
    with path.open("w", encoding="utf-8", newline="") as file_:
        writer = csv.DictWriter(file_, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Read the command line and write both files."""
    parser = argparse.ArgumentParser(description="Write the sample of invented briefings.")
    parser.add_argument("--out", type=Path, default=Path("corpus"), help="output folder")
    parser.add_argument("--rows", type=int, default=400, help="number of briefings")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    args = parser.parse_args()
    make_printing_safe()
    most = len(REGIONS) * len(MONTHS)
    if not 1 <= args.rows <= most:
        parser.error(f"--rows must be from 1 to {most}: one briefing per region and month")
    rows = make_rows(args.rows, args.seed)
    terms = [{"term": term, "weight": str(TERMS[term])} for term in sorted(TERMS)]
    args.out.mkdir(parents=True, exist_ok=True)
    write_csv(args.out / "briefings.csv", rows)
    write_csv(args.out / "terms.csv", terms)
    print(f"Wrote {len(rows)} briefings and {len(terms)} terms to {args.out}")


if __name__ == "__main__":
    main()
