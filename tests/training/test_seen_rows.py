import pytest
import torch
from conftest import train
from torch import nn

from spacy_bertreg.training.optimizer import AdamW_v1
from spacy_bertreg.training.seen_rows import SeenRows

WEIGHT = "embeddings.word_embeddings.weight"


def step(optimizer, table, rows, given):
    """Take a step with a gradient for some rows."""
    torch.manual_seed(int(rows[0]))
    table.grad = torch.zeros_like(table)
    table.grad[rows] = torch.randn(len(rows), table.shape[1])
    optimizer.step_schedules()
    optimizer.step_encoder(1, {"words": table}, {"words": "embeddings"}, 1, given)
    table.grad = None


@pytest.mark.parametrize("grad_clip", [0.0, 0.1])
@pytest.mark.parametrize("is_known", [True, False])
def test_steps_of_seen_rows_are_those_of_the_whole_table(grad_clip, is_known):
    """Also of rows that come later, and of rows that have no gradient any more."""
    start = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    tables = [nn.Parameter(start.clone()) for _ in range(2)]
    batches = [[4, 1], [1, 7], [7], [4]]
    for table, is_whole in zip(tables, (True, False), strict=True):
        optimizer = AdamW_v1(0.1, 0.1, warmup_steps=0, weight_decay=0.0, grad_clip=grad_clip)
        for batch in batches:
            rows = torch.tensor(batch)
            given = {} if is_whole else {"words": rows if is_known else None}
            step(optimizer, table, rows, given)
    torch.testing.assert_close(tables[0], tables[1])
    assert not torch.equal(tables[0], start)


def test_rows_without_a_gradient_do_not_decay():
    table = nn.Parameter(torch.ones(5, 3))
    optimizer = AdamW_v1(0.1, 0.1, warmup_steps=0, weight_decay=0.5)
    step(optimizer, table, torch.tensor([2]), {"words": torch.tensor([2])})
    assert (table[[0, 1, 3, 4]] == 1).all()
    assert (table[2] != 1).all()


def test_rows_appear_once():
    table = nn.Parameter(torch.arange(10.0).reshape(5, 2))
    seen = SeenRows(table)
    for rows, expected in (([3, 1], [3, 1]), ([1, 0], [3, 1, 0]), (None, [3, 1, 0, 2, 4])):
        seen.gather(None if rows is None else torch.tensor(rows))
        assert (seen.part[:, 0] / 2).tolist() == expected


def test_words_that_no_training_text_has_stay_bit_for_bit_as_they_were(make_bert, make_examples):
    nlp = make_bert()
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    transformer = nlp.get_pipe("transformer").model
    words = dict(transformer.transformer.named_parameters())[WEIGHT]
    before = words.detach().clone()
    read = transformer.tokenizer([eg.reference.text for eg in examples])["input_ids"]
    seen = torch.tensor(sorted({number for ids in read for number in ids}))
    train(nlp, examples, AdamW_v1(warmup_steps=0), steps=3)
    is_seen = torch.zeros(len(words), dtype=torch.bool)
    is_seen[seen] = True
    assert 0 < is_seen.sum() < len(words)
    assert (words[is_seen] != before[is_seen]).any(dim=1).all()
    assert torch.equal(words[~is_seen], before[~is_seen])
