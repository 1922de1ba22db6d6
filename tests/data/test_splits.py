import spacy

from spacy_bertreg.data.splits import order_by_group


def test_an_order_that_keeps_groups_together():
    nlp = spacy.blank("xx")
    docs = [nlp.make_doc(str(number)) for number in range(40)]
    for number, doc in enumerate(docs[:30]):
        doc.user_data["group"] = f"g{number % 10}"
    order = order_by_group(docs, 0)
    assert sorted(order) == list(range(40))
    groups = [docs[place].user_data.get("group", f"own {place}") for place in order]
    first = {group: groups.index(group) for group in groups}
    for group in (f"g{number}" for number in range(10)):
        assert groups[first[group] : first[group] + 3] == [group] * 3
    assert order == order_by_group(docs, 0)
    assert order != order_by_group(docs, 1)
