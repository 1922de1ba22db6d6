"""How many word pieces a transformer reads at once."""

from types import SimpleNamespace

import numpy as np
import pytest
import spacy
import torch
from spacy_transformers.span_getters import get_doc_spans, get_strided_spans
from transformers import AutoConfig, AutoModel, BertTokenizerFast
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from spacy_bertreg.layers import outputs
from spacy_bertreg.layers.windows import pieces_limit, tokenize

N = 40
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": N,
}
BART = {
    "d_model": 16,
    **{f"{side}_layers": 1 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 16 for side in ("encoder", "decoder")},
    "max_position_embeddings": N,
}
# Of each, what it reads of N positions: less where they begin behind that of padding.
FAMILIES = {
    "bert": (SMALL, N),
    "roberta": (SMALL, N - 2),
    "xlm-roberta": (SMALL, N - 2),
    "camembert": (SMALL, N - 2),
    "mpnet": (SMALL, N - 2),
    "ibert": (SMALL, N - 2),
    "longformer": ({**SMALL, "attention_window": [8]}, N - 2),
    "esm": ({**SMALL, "pad_token_id": 1, "position_embedding_type": "absolute"}, N - 2),
    "big_bird": ({**SMALL, "attention_type": "original_full"}, N),
    "distilbert": (
        {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16, "max_position_embeddings": N},
        N,
    ),
    "electra": ({**SMALL, "embedding_size": 16}, N),
    "deberta-v2": ({**SMALL, "position_biased_input": False, "relative_attention": True}, N),
    "modernbert": ({**SMALL, "pad_token_id": 0}, N),
    "bart": (BART, N),
    "opt": ({**SMALL, "ffn_dim": 16, "word_embed_proj_dim": 16}, N),
    "gpt2": ({"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": N}, N),
    "xlnet": ({"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16}, None),
}


@pytest.mark.filterwarnings("ignore:The transformer reads .* word pieces at once:UserWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_document_is_read_up_to_the_limit_of_any_family(
    tiny_bert, tmp_path, monkeypatch, family
):
    from spacy_bertreg.models.transformer_model import TransformerModel_v1

    settings, limit = FAMILIES[family]
    tokenizer = BertTokenizerFast.from_pretrained(tiny_bert, model_max_length=int(1e30))
    tokenizer.save_pretrained(tmp_path)
    config = AutoConfig.for_model(family, vocab_size=len(tokenizer), **settings)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    model = TransformerModel_v1(str(tmp_path), get_spans=get_doc_spans)
    model.initialize()
    lengths = []
    tokenize = outputs.tokenize

    def noting(model, spans):
        windows = tokenize(model, spans)
        lengths.extend(len(window) for own in windows for window in own)
        return windows

    monkeypatch.setattr(outputs, "tokenize", noting)
    docs = [spacy.blank("en")("market " * n) for n in (100, 3)]
    vectors = model.predict(docs).doc_data[0].get_vector("mean")
    assert np.isfinite(vectors).all()
    assert lengths == [limit or 102, 5]
    assert pieces_limit(model) == limit
    model.tokenizer.model_max_length = 20
    assert pieces_limit(model) == 20


@pytest.mark.parametrize(("said", "limit"), [(-1, None), (None, None), (512, 512)])
def test_what_the_configuration_says(said, limit):
    """Where there are no positions to count."""
    transformer = torch.nn.Linear(1, 1)
    transformer.config = SimpleNamespace(max_position_embeddings=said)
    tokenizer = SimpleNamespace(model_max_length=VERY_LARGE_INTEGER)
    assert pieces_limit(SimpleNamespace(transformer=transformer, tokenizer=tokenizer)) == limit


def test_words_of_word_pieces_by_hand(make_bert, make_examples):
    """In windows of several documents, which overlap, with words of several pieces and white space;
    by the characters that a word piece and a token share."""
    nlp = make_bert()
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    model = nlp.get_pipe("transformer").model
    texts = [
        "Shelling killed ten  soldiers.",
        "",
        " ",
        "Naïve\t\n 😀 don't!",
        "the unbelievable market",
    ]
    docs = [nlp.make_doc(text) for text in texts]
    spans = get_strided_spans(docs, window=4, stride=2)
    tokenizer = model.tokenizer
    n_words = 0
    for doc, own, windows in zip(docs, spans, tokenize(model, spans), strict=True):
        for span, window in zip(own, windows, strict=True):
            data = tokenizer(span.text, return_offsets_mapping=True)
            assert window.ids.tolist() == data["input_ids"]
            assert window.n_tokens == len(doc)
            for number, (begin, end) in enumerate(data["offset_mapping"]):
                places = range(span.start_char + begin, span.start_char + end)
                touched = [t.i for t in span if {*range(t.idx, t.idx + len(t))} & {*places}]
                found = range(window.first[number], window.last[number] + 1)
                assert list(found) == touched
                n_words += len(touched)
    assert n_words > 30
