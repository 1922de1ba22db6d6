"""`spacy-bertreg.TransformerModel.v1`: a Hugging Face model, learning or frozen."""

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from spacy.tokens import Doc, Span
from spacy.util import SimpleFrozenDict
from spacy_transformers.data_classes import FullTransformerBatch, HFObjects
from spacy_transformers.layers import TransformerModel
from spacy_transformers.layers.transformer_model import set_pytorch_transformer
from spacy_transformers.span_getters import get_strided_spans
from thinc.api import Model

from ..layers.encoding_cache import EncodingCache
from ..layers.forks import use_one_thread_in_fork
from ..layers.freezable_shim import FreezableShim
from ..layers.outputs import learn, predict
from ..training.freezing import check_freeze
from ..training.precision import Precision

SpanGetter = Callable[[list[Doc]], list[list[Span]]]


def TransformerModel_v1(
    name: str,
    freeze: str | int | list[str] = "none",
    get_spans: SpanGetter | None = None,
    tokenizer_config: dict[str, Any] = SimpleFrozenDict(),
    transformer_config: dict[str, Any] = SimpleFrozenDict(),
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = SimpleFrozenDict(),
    precision: Precision = "float32",
    reuse_mb: int = 1024,
    keep_trf_data: bool = False,
) -> Model[list[Doc], FullTransformerBatch]:
    """spacy-transformers' TransformerModel.v3 with a say in what learns. For the `model` of
    spaCy's component `transformer`. Of the transformer's outputs it hands on the last hidden state
    alone, no attentions.

    name (str): Folder or Hugging Face name of the model, such as "bert-base-uncased".
    freeze (str | int | list[str]): What does not learn: "none"; "all", so that only the head does;
        "embeddings"; N for the embeddings and the lowest N blocks; or a list of globs over the
        Hugging Face names of the parameters. What is frozen stays bit for bit as it was, and runs
        without dropout.
    get_spans (Callable | None): Cuts documents into the windows that the transformer reads, from
        the registry "span_getters". None for windows of 128 tokens, every 96 tokens.
    tokenizer_config (dict): Settings for the Hugging Face tokenizer.
    transformer_config (dict): Settings for the Hugging Face model.
    mixed_precision (bool): Compute in float16 where it is safe, with scaled gradients; on a GPU
        only. precision = "bfloat16" needs no scaling.
    grad_scaler_config (dict): Settings of the gradient scaler for mixed precision.
    precision (str): In what to multiply matrices, in training and in scoring: "float32",
        "bfloat16", or "auto" for bfloat16 where the processor or GPU multiplies it faster. Weights
        stay in float32.
    reuse_mb (int): With all frozen, a document's output is computed once in a training and used
        again, as long as the outputs fit into this many MB of host memory, all that belongs to them
        included: a document takes twelve bytes times the model's width, and some 400 more; or, if
        other components read single tokens, a word piece takes four bytes times the width, and some
        100 more. 0 computes it anew each time.
    keep_trf_data (bool): Keep all outputs in `doc._.trf_data` of scored documents: tens of
        kilobytes each. False computes them only if something asks for them, and then for all
        documents to come; the heads of this package do with one vector for each document.
    RETURNS (Model): The model; its weights are read in `nlp.initialize` or from disk.
    RAISES (ValueError): `freeze` is none of the allowed values, or both mixed_precision and a
        precision are set; when initialized, there is no such model, or it has no such parameters.
    """
    # Before the weights are read, too.
    use_one_thread_in_fork()
    check_freeze(freeze)
    if mixed_precision and precision != "float32":
        raise ValueError(
            f"mixed_precision is true and precision is {precision!r} in "
            "[components.transformer.model]. Expected one of them alone."
        )
    span_getter = get_spans or partial(get_strided_spans, window=128, stride=96)
    model = TransformerModel(
        name,
        partial(_get_spans_with_tokens, span_getter),
        dict(tokenizer_config),
        dict(transformer_config),
        mixed_precision,
        dict(grad_scaler_config),
    )
    wrapper = model.layers[0]
    hf_model: HFObjects = wrapper.shims[0]._hfmodel  # type: ignore[attr-defined]
    wrapper.shims[0] = FreezableShim(
        hf_model,
        mixed_precision=mixed_precision,
        grad_scaler_config=dict(grad_scaler_config),
        freeze=freeze,
        cache=EncodingCache(reuse_mb * 2**20),
        precision=precision,
    )
    model._func = partial(_forward, keep_trf_data)
    model.attrs["set_transformer"] = _set_transformer
    model.attrs["replace_listener_cfg"] = _refuse_replace_listener
    model.init = partial(_init, model.init)
    return model


def _get_spans_with_tokens(get_spans: SpanGetter, docs: list[Doc]) -> list[list[Span]]:
    # spacy-transformers runs a span without tokens, but leaves its output out when it splits the
    # batch: the documents behind it would get their neighbour's vectors.
    return [[span for span in spans if len(span)] for spans in get_spans(docs)]


def _forward(
    keep_trf_data: bool, model: Model, docs: list[Doc], is_train: bool
) -> tuple[FullTransformerBatch, Callable]:
    use_one_thread_in_fork()
    shim: Any = model.layers[0].shims[0]
    get_spans: SpanGetter = model.attrs["get_spans"]
    spans = get_spans(docs)
    if is_train and shim.is_frozen and shim.cache.max_bytes:
        return shim.cache.predict(model, docs, spans), lambda d_batch: docs
    if not is_train or shim.is_frozen or not any(spans):
        by_token = keep_trf_data and not is_train
        return predict(model, spans, by_token=by_token), lambda d_batch: docs
    batch, backprop = learn(model, spans)

    def backprop_windows(d_batch: FullTransformerBatch) -> list[Doc]:
        backprop(d_batch)
        return docs

    return batch, backprop_windows


def _init(stock_init: Callable, model: Model, X: Any = None, Y: Any = None) -> None:
    use_one_thread_in_fork()
    try:
        stock_init(model, X=X, Y=Y)
    except (OSError, ValueError) as error:
        name = model.attrs["name"]
        raise ValueError(
            f"Can't load the transformer {name!r} (name in [components.transformer.model]). "
            f"Expected a folder with a Hugging Face model, or a model's name on the Hugging Face "
            f"hub. {error}"
        ) from error


def _set_transformer(model: Model, hf_model: HFObjects) -> None:
    set_pytorch_transformer(model, hf_model)
    shim: Any = model.layers[0].shims[0]
    shim.apply_freeze()


def _refuse_replace_listener(transformer_cfg: dict, listener_cfg: dict) -> NoReturn:
    raise ValueError(
        "nlp.replace_listeners can't copy a spacy-bertreg.TransformerModel.v1 into another "
        "component: the copy would no longer know what is frozen. Leave the transformer shared."
    )
