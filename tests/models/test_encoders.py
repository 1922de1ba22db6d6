"""Encoders of many families, as transformers has them: tiny, with random weights, each with a
tokenizer of the kind that it has on the hub."""

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import spacy
import torch
from conftest import train
from spacy_transformers.span_getters import get_doc_spans
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from spacy_bertreg.layers.windows import pieces_limit
from spacy_bertreg.training.freezing import SHARED_BLOCKS, frozen_names
from spacy_bertreg.training.optimizer import AdamW_v1

N = 160
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": N,
    "pad_token_id": 1,
}
DEBERTA_V3 = {
    "relative_attention": True,
    "position_biased_input": False,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
}
MODERNBERT = {
    **{f"{name}_token_id": 0 for name in ("bos", "cls", "eos", "sep")},
    "global_attn_every_n_layers": 2,
    "local_attention": 8,
    # These are 0 in the published ones.
    **{f"{part}_dropout": 0.1 for part in ("attention", "embedding", "mlp")},
}
DISTILBERT = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "pad_token_id": 1}
# Of their positions, RoBERTa and its kin leave two out.
ROBERTA = {**SMALL, "max_position_embeddings": N + 2, "type_vocab_size": 1}
ENCODERS = {
    "modernbert": ("bpe", {**SMALL, **MODERNBERT}),
    "deberta-v2": ("unigram", {**SMALL, **DEBERTA_V3}),
    "xlm-roberta": ("unigram", ROBERTA),
    "roberta": ("bpe", ROBERTA),
    "distilbert": ("wordpiece", {**DISTILBERT, "max_position_embeddings": N}),
    "electra": ("wordpiece", {**SMALL, "embedding_size": 16}),
    "mpnet": ("wordpiece", {**SMALL, "max_position_embeddings": N + 2}),
    "albert": ("unigram", {**SMALL, "embedding_size": 16, "hidden_dropout_prob": 0.1}),
}
SPECIAL = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]


def make_tokenizer(kind: str, texts: list[str]) -> PreTrainedTokenizerFast:
    model, split, trainer = {
        "wordpiece": (
            models.WordPiece(unk_token="[UNK]"),  # noqa: S106
            pre_tokenizers.BertPreTokenizer(),
            trainers.WordPieceTrainer,
        ),
        "bpe": (models.BPE(), pre_tokenizers.ByteLevel(), trainers.BpeTrainer),
        "unigram": (models.Unigram(), pre_tokenizers.Metaspace(), trainers.UnigramTrainer),
    }[kind]
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split
    unknown = {"unk_token": "[UNK]"} if kind == "unigram" else {}
    options = {"vocab_size": 300, "special_tokens": SPECIAL, "show_progress": False, **unknown}
    tokenizer.train_from_iterator(texts, trainer(**options))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    names = ("cls_token", "pad_token", "sep_token", "unk_token", "mask_token")
    special = dict(zip(names, SPECIAL, strict=True))
    # It gives token_type_ids, as transformers' does by default, whatever the model takes.
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


@pytest.fixture(scope="module")
def folders(sample, tmp_path_factory):
    made: dict[str, str] = {}

    def make(family: str) -> str:
        if family not in made:
            kind, settings = ENCODERS[family]
            folder = tmp_path_factory.mktemp(family)
            tokenizer = make_tokenizer(kind, list(sample["text"]))
            tokenizer.save_pretrained(folder)
            config = AutoConfig.for_model(family, vocab_size=len(tokenizer), **settings)
            torch.manual_seed(0)
            AutoModel.from_config(config).save_pretrained(folder)
            made[family] = str(folder)
        return made[family]

    return make


@pytest.fixture(params=ENCODERS)
def family(request):
    return request.param


@pytest.fixture
def make(make_bert, make_examples, folders) -> Callable:
    """An initialized pipeline, with windows of 32 tokens, every 24."""

    def make(family: str, **options):
        spans = "spacy-transformers.strided_spans.v1"
        windows = {"@span_getters": spans, "window": 32, "stride": 24}
        nlp = make_bert(name=folders(family), get_spans=windows, **options)
        examples = make_examples(nlp, 8)
        nlp.initialize(lambda: examples)
        return nlp, examples

    return make


def shim(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


def encoder(nlp) -> torch.nn.Module:
    return nlp.get_pipe("transformer").model.transformer


def weights(nlp) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in encoder(nlp).named_parameters()}


def levels(family: str) -> Iterator:
    yield from ("none", "embeddings", "all")
    # ALBERT's blocks share their parameters.
    yield ["*embeddings*", "*bias"] if family == "albert" else 1


def texts_of(n_words: list[int]) -> list[str]:
    words = ["the", "market", "killed", "people", "border", "three", "town", "near"]
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(words, size=n)) for n in n_words]


def predict(nlp, texts: list[str]) -> list[float]:
    return [doc.cats["severity"] for doc in nlp.pipe(texts)]


def test_exactly_what_is_not_frozen_learns(family, make):
    for freeze in levels(family):
        nlp, examples = make(family, freeze=freeze)
        before = weights(nlp)
        blocks = shim(nlp).blocks
        optimizer = AdamW_v1(0.01, 0.01, total_steps=9, warmup_steps=0, layer_decay=0.9)
        assert np.isfinite(train(nlp, examples, optimizer, steps=2))
        changed = {name for name, value in weights(nlp).items() if not value.equal(before[name])}
        frozen = frozen_names(freeze, blocks)
        used = {name for name, block in blocks.items() if block != "unused"}
        # The key projection's bias has no gradient but rounding: a softmax takes no notice of it.
        assert changed <= used - frozen
        assert {n for n in used - frozen - changed if not n.endswith("bias")} == set()


def test_a_saved_pipeline_is_the_same(family, make, tmp_path):
    texts = texts_of([3, 31, 0, 70])
    nlp, examples = make(family)
    train(nlp, examples, nlp.create_optimizer(), steps=1)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    # MPNet's vectors of padding are zeros, which its layer norm divides by its epsilon.
    assert np.isfinite(predict(loaded, texts)).all()
    assert predict(loaded, texts) == predict(nlp, texts)
    # To the last digit of each number.
    saved, read = (encoder(pipeline).config.to_dict() for pipeline in (nlp, loaded))
    assert {key for key in saved if saved[key] != read[key]} <= {"_name_or_path"}


def test_each_parameter_has_its_block(family, make):
    blocks = shim(make(family)[0]).blocks
    numbered = {0, 1} if family != "albert" else {SHARED_BLOCKS}
    assert set(blocks.values()) - {"unused", "top"} == {"embeddings", *numbered}
    embeddings = ("embeddings.", "encoder.rel_embeddings", "encoder.LayerNorm")
    embeddings += ("encoder.relative_attention_bias", "encoder.embedding_hidden_mapping_in")
    found = {name for name, block in blocks.items() if block == "embeddings"}
    assert found == {n for n in blocks if n.startswith((*embeddings, "embeddings_project"))}
    assert {n for n, block in blocks.items() if block == "top"} == (
        {"final_norm.weight"} if family == "modernbert" else set()
    )


def test_a_frozen_block_runs_without_dropout_and_others_with_it(family, make):
    nlp, _ = make(family, freeze="embeddings" if family == "albert" else 1)
    model = nlp.get_pipe("transformer").model
    docs = [nlp.make_doc("Shelling killed ten soldiers.")]
    if family == "albert":
        frozen, learning = "encoder.embedding_hidden_mapping_in", "encoder.albert_layer_groups.0"
    else:
        (path,) = {name.partition(".0.")[0] for name, b in shim(nlp).blocks.items() if b == 0}
        frozen, learning = f"{path}.0", f"{path}.1"
    outputs: dict[str, list] = {frozen: [], learning: []}
    for name, found in outputs.items():
        encoder(nlp).get_submodule(name).register_forward_hook(
            lambda module, inputs, output, found=found: found.append(
                output[0] if isinstance(output, tuple) else output
            )
        )
    for _ in range(2):
        model.begin_update(docs)
    half = len(outputs[learning]) // 2
    assert torch.equal(outputs[frozen][0], outputs[frozen][-1])
    assert not torch.equal(outputs[learning][0], outputs[learning][half])


def test_windows_are_read_as_by_the_model_alone(family, make):
    """Without padding, neighbours, or other code of ours."""
    nlp, _ = make(family)
    component = nlp.get_pipe("transformer")
    docs = list(map(nlp.make_doc, texts_of([1, 23, 24, 25, 31, 32, 33, 56, 57, 100])))
    windows = component.model.attrs["get_spans"](docs)
    tokenizer, hf_model = component.model.tokenizer, encoder(nlp).eval()
    for spans, data in zip(windows, component.predict(docs).doc_data, strict=True):
        for span, rows in zip(spans, data.model_output.last_hidden_state, strict=True):
            pieces = tokenizer(span.text, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                expected = hf_model(input_ids=pieces).last_hidden_state[0]
            np.testing.assert_allclose(rows[: len(expected)], expected, atol=1e-5)


def test_neighbours_in_a_batch_make_no_difference(family, make):
    nlp, _ = make(family)
    texts = texts_of([100, 1, 33, 0, 7, 32, 5, 64])
    alone = [nlp(text).cats["severity"] for text in texts]
    np.testing.assert_allclose(predict(nlp, texts), alone, atol=1e-5)
    np.testing.assert_allclose(predict(nlp, texts[::-1])[::-1], alone, atol=1e-5)


def test_bfloat16(family, make):
    texts = texts_of([100, 1, 33, 0])
    nlp, examples = make(family, precision="bfloat16", reuse_mb=0)
    rounded = predict(nlp, texts)
    alone = [nlp(text).cats["severity"] for text in texts]
    shim(nlp).precision = "float32"
    exact = predict(nlp, texts)
    assert rounded != exact
    np.testing.assert_allclose(rounded, exact, atol=0.05)
    np.testing.assert_allclose(rounded, alone, atol=0.05)
    shim(nlp).precision = "bfloat16"
    assert np.isfinite(train(nlp, examples, nlp.create_optimizer(), steps=2))
    assert all(torch.isfinite(value).all() for value in weights(nlp).values())


@pytest.mark.skipif(not find_spec("openvino"), reason="needs OpenVINO")
def test_openvino(family, make):
    nlp, _ = make(family)
    texts = texts_of([100, 1, 33, 0, 7])
    expected = predict(nlp, texts)
    shim(nlp).backend = "openvino"
    np.testing.assert_allclose(predict(nlp, texts), expected, atol=1e-4)


def test_the_longest_window(family, make):
    nlp, _ = make(family)
    model = nlp.get_pipe("transformer").model
    assert pieces_limit(model) == N
    model.attrs["get_spans"] = get_doc_spans
    with pytest.warns(UserWarning, match=f"reads {N} word pieces at once"):
        assert np.isfinite(predict(nlp, texts_of([400]))).all()


def test_modernbert_is_not_compiled_and_takes_no_flash_attention(make, tmp_path):
    nlp, _ = make("modernbert", transformer_config={"attn_implementation": "eager"})
    assert encoder(nlp).config._attn_implementation == "eager"
    nlp, _ = make("modernbert")
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        assert encoder(pipeline).config.reference_compile is False
        assert encoder(pipeline).config._attn_implementation == "sdpa"


def test_weights_in_half_precision_are_read_as_float32(make_bert, make_examples, folders, tmp_path):
    hf_model = AutoModel.from_pretrained(folders("modernbert"))
    PreTrainedTokenizerFast.from_pretrained(folders("modernbert")).save_pretrained(tmp_path)
    hf_model.to(torch.bfloat16).save_pretrained(tmp_path)
    nlp = make_bert(name=str(tmp_path))
    nlp.initialize(lambda: make_examples(nlp, 4))
    nlp.to_disk(tmp_path / "model")
    for pipeline in (nlp, spacy.load(tmp_path / "model")):
        assert {p.dtype for p in encoder(pipeline).parameters()} == {torch.float32}


@pytest.mark.parametrize("family", ["deberta-v2", "xlm-roberta"])
def test_a_tokenizer_without_its_sentencepiece_file(
    family, make_bert, make_examples, folders, tmp_path
):
    name = {"deberta-v2": "DebertaV2Tokenizer", "xlm-roberta": "XLMRobertaTokenizer"}[family]
    AutoModel.from_pretrained(folders(family)).save_pretrained(tmp_path)
    PreTrainedTokenizerFast.from_pretrained(folders(family)).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": name}))
    nlp = make_bert(name=str(tmp_path))
    nlp.initialize(lambda: make_examples(nlp, 4))
    plain = PreTrainedTokenizerFast.from_pretrained(folders(family))
    ours = nlp.get_pipe("transformer").model.tokenizer
    assert ours("Three killed.")["input_ids"] == plain("Three killed.")["input_ids"]
    assert ours.pad_token_id == plain.pad_token_id
    nlp.to_disk(tmp_path / "model")
    texts = texts_of([3, 31])
    assert predict(spacy.load(tmp_path / "model"), texts) == predict(nlp, texts)


def test_explanations_add_up(make, family):
    nlp, examples = make(family)
    head = nlp.get_pipe("text_regressor").model.get_ref("head")
    head.set_param("W", head.get_param("W") * 4)
    docs = list(nlp.pipe([eg.reference.text for eg in examples[:3]]))
    component = nlp.get_pipe("text_regressor")
    for method in ("integrated_gradients", "token_vectors"):
        for doc, explanation in zip(docs, component.explain(docs, method=method), strict=True):
            assert explanation.prediction[0] == pytest.approx(doc.cats["severity"], abs=1e-4)
            assert abs(explanation.error[0]) <= 0.01 * component.scale.std[0]
            assert np.unique(explanation.contributions).size > len(doc) / 2
