"""Term lists of the program LIWC: .dic of LIWC2001 to LIWC2015, and .dicx of LIWC-22."""

import re
from collections.abc import Iterator

from .rows import Row, Source, is_number
from .tables import read_lines

# The number of a category, or two between which a condition chooses: "<of>131/125" is 131 before
# "of" and otherwise 125; "(02 134)125/464" is 125 after a word of the categories 2 or 134, and
# otherwise 464.
CODE = re.compile(r"(?P<condition><[^<>]*>|\([\d\s]*\))?(?P<number>\d+)(?:/(?P<other>\d+))?")
LAST_CODE = re.compile(rf"(?:^|\s)\s*({CODE.pattern})\s*$")
# A term that counts only after words of a category: "(discrep) like*".
CONDITIONAL = re.compile(r"\([^()]+\)\s*\S")


def read_dic(text: str, source: Source) -> Iterator[Row]:
    """Read .dic: the terms, once for each of their categories."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    marks = [index for index, (_, line) in enumerate(lines) if line.strip() == "%"]
    if len(marks) != 2 or marks[0] != 0:
        raise source.error(
            1,
            "expected a line %, then lines of number and category, then a line %, then lines of "
            "term and numbers.",
        )
    categories: dict[int, str] = {}
    for number, line in lines[1 : marks[1]]:
        key, _, name = re.sub(r"\s", "\t", line.strip(), count=1).partition("\t")
        if not key.isdecimal() or not name.strip() or int(key) in categories:
            raise source.error(
                number,
                "expected a new number and a category, with a tab or space between, found "
                f"{line!r}.",
            )
        categories[int(key)] = name.strip().split("\t")[0].strip()
    n_conditions = n_terms = 0
    for number, line in lines[marks[1] + 1 :]:
        term, codes = _split(line, categories)
        # The number after "/" counts where the condition does not hold.
        keys = [c["other"] if c["condition"] else c["number"] for c in codes]
        unknown = [key for key in keys if key and int(key) not in categories]
        if not term or not codes or unknown:
            raise source.error(
                number,
                "expected a term and numbers of categories, with tabs or spaces between, found "
                f"{line!r}." + (f" There is no category {unknown[0]!r}." if unknown else ""),
            )
        if CONDITIONAL.match(term):
            n_terms += 1
            continue
        n_conditions += sum(c["condition"] is not None for c in codes)
        for code in dict.fromkeys(int(key) for key in keys if key):
            yield Row(number, term, categories[code], 1.0)
    source.add_note(n_conditions, "condition", ", where the category without it counts")
    source.add_note(n_terms, "term", " with a condition, left out")


def _split(line: str, categories: dict[int, str]) -> tuple[str, list[re.Match[str]]]:
    """Split a line into the term and the codes behind it. After a tab, all are codes. Before it, a
    number belongs to the term, as in "catch 22", unless a category has this number."""
    term, _, rest = line.strip().partition("\t")
    codes = []
    end = len(rest)
    while rest[:end].strip():
        found = LAST_CODE.search(rest[:end])
        if found is None:
            return "", []
        codes.append(CODE.fullmatch(found[1]))
        end = found.start()
    while found := LAST_CODE.search(term):
        code = CODE.fullmatch(found[1])
        known = code["condition"] or int(code["number"]) in categories  # type: ignore[index]
        if not found.start() or (codes and not known):
            break
        codes.append(code)
        term = term[: found.start()]
    return term.strip(), [code for code in reversed(codes) if code]


def read_dicx(text: str, source: Source) -> Iterator[Row]:
    """Read .dicx: the terms, once for each category that has an X or a weight in their line."""
    table = read_lines(text, ",", source)
    if not table:
        return
    first, header = table[0][0], [field.strip() for field in table[0][1]]
    if header[0].lower() != "dicterm" or len(header) < 2 or not all(header):
        raise source.error(
            first,
            "expected the column DicTerm, then one for each category, found the columns "
            f"{', '.join(map(repr, header))}.",
        )
    for line, fields in table[1:]:
        if len(fields) > len(header):
            raise source.error(line, f"expected {len(header)} columns, found {len(fields)}.")
        for category, field in zip(header[1:], fields[1:], strict=False):
            mark = field.strip()
            if mark and mark.upper() != "X" and not is_number(mark):
                raise source.error(
                    line, f"column {category!r} holds {field!r}. Expected X, a weight or nothing."
                )
            if mark:
                weight = 1.0 if mark.upper() == "X" else mark
                yield source.row(line, {"term": fields[0], "category": category, "weight": weight})
