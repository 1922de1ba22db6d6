"""`spacy-bertreg.TransformerModel.v1`: a Hugging Face model, learning or frozen."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any, NoReturn

from spacy.tokens import Doc, Span
from spacy.util import SimpleFrozenDict
from spacy_transformers.data_classes import FullTransformerBatch, HFObjects
from spacy_transformers.layers import TransformerModel
from spacy_transformers.layers.transformer_model import (
    huggingface_from_pretrained,
    set_pytorch_transformer,
)
from spacy_transformers.span_getters import get_strided_spans
from thinc.api import Model

from ..layers.backends import Backend, check_backend
from ..layers.encoding_cache import EncodingCache
from ..layers.forks import use_one_thread_in_fork
from ..layers.freezable_shim import FreezableShim
from ..layers.outputs import learn, predict
from ..layers.pretrained import EncoderConfig, EncoderTokenizer
from ..training.freezing import check_freeze
from ..training.lora import check_lora
from ..training.precision import Precision

# Tokens that the transformer reads at once, and from the start of one window to the next.
WINDOW, STRIDE = 128, 96
SpanGetter = Callable[[list[Doc]], list[list[Span]]]


def TransformerModel_v1(
    name: str,
    freeze: str | int | list[str] = "none",
    get_spans: SpanGetter | None = None,
    tokenizer_config: dict[str, Any] = SimpleFrozenDict(),
    transformer_config: dict[str, Any] = SimpleFrozenDict(),
    precision: Precision = "float32",
    grad_scaler_config: dict[str, Any] = SimpleFrozenDict(),
    reuse_mb: int = 1024,
    keep_trf_data: bool = False,
    lora: dict[str, Any] | None = None,
    backend: Backend = "torch",
    dropout: bool = True,
) -> Model[list[Doc], FullTransformerBatch]:
    """Make the `model` of spaCy's component `transformer`: spacy-transformers' TransformerModel.v3
    with parameters that can be frozen. It returns only the transformer's last hidden state.

    name (str): Folder or Hugging Face name of the model, such as "bert-base-uncased".
    freeze (str | int | list[str]): What does not learn: "none"; "all", so that only the head does;
        "embeddings"; N for the embeddings and the lowest N blocks; or a list of globs over the
        Hugging Face names of the parameters. Frozen parameters stay bit for bit as they were, and
        frozen modules run without dropout.
    get_spans (Callable | None): Cuts documents into the windows that the transformer reads, from
        the registry "span_getters". None for windows of 128 tokens, every 96 tokens.
    tokenizer_config (dict): Settings for the Hugging Face tokenizer.
    transformer_config (dict): Settings for the Hugging Face model.
    precision (str): Numeric precision of matrix products, in training and in scoring: "float32";
        "bfloat16"; "float16", on a GPU, with scaled gradients; or "auto" for bfloat16 where the
        processor or GPU multiplies it faster. Weights stay in float32. And "int8", in scoring on a
        CPU by OpenVINO, for pipelines that `bertreg quantize` has written.
    grad_scaler_config (dict): Settings of the gradient scaler for float16.
    reuse_mb (int): If nothing of the transformer learns, each document's output is computed once in
        a training and then reused, as long as outputs fit into this many MB of host memory. A
        document takes 12 bytes times the model's width, and about 400 more. If other components
        read single tokens, a word piece takes 4 bytes times the width, and about 100 more. 0
        computes outputs each time.
    keep_trf_data (bool): Compute all outputs and keep them in `doc._.trf_data` of scored documents:
        tens of kilobytes each. With False, they are computed when something first reads them, and
        then for all later documents; the heads of this package need one vector for each document.
    lora (dict | None): With freeze = "all", adapters of low rank that learn beside the frozen
        weights (Hu et al. 2022): `rank` (8), `alpha` (16), `targets` (None for the architecture's
        default) and `dropout` (0.0); see `Lora`. They are merged into the weights that are saved.
        Training needs peft, scoring does not.
    backend (str): What runs the transformer where it does not learn, as in scoring: "torch";
        "openvino", on a CPU, converted in memory from torch's weights when the first text is read;
        or "auto" for OpenVINO where it is installed and the processor has AVX-512. Training always
        uses torch.
    dropout (bool): Whether the transformer's own dropout is active in training, at the rates of its
        config, such as `hidden_dropout_prob` in `transformer_config`. The heads' is [training]
        dropout.
    RETURNS (Model): The model; its weights are read in `nlp.initialize` or from disk.
    RAISES (ValueError, ImportError): `freeze` or `lora` has none of the allowed values; OpenVINO is
        not installed; when initialized, there is no such model, or it has no such parameters; when
        used, float16 has no GPU, int8 no ranges, or OpenVINO can't run the model.
    """
    # Before the weights are read, too.
    use_one_thread_in_fork()
    shim = FreezableShim(
        HFObjects(None, None, None, dict(tokenizer_config), dict(transformer_config)),
        freeze=check_freeze(freeze),
        cache=EncodingCache(reuse_mb * 2**20),
        precision=precision,
        grad_scaler_config=dict(grad_scaler_config),
        lora=check_lora(lora, freeze),
        backend=check_backend(backend, precision),
        dropout=dropout,
    )
    span_getter = get_spans or partial(get_strided_spans, window=WINDOW, stride=STRIDE)
    return FreezableTransformer(name, span_getter, shim, keep_trf_data)


class FreezableTransformer(TransformerModel):
    """spacy-transformers' model, with our shim and our forward pass."""

    def __init__(
        self, name: str, get_spans: SpanGetter, shim: FreezableShim, keep_trf_data: bool
    ) -> None:
        """Make a model without weights; see `TransformerModel_v1` for the arguments."""
        wrapper: Model = Model("hf-pytorch", _refuse_forward, shims=[shim])
        Model.__init__(
            self,
            "transformer",
            forward,
            init=init,
            layers=[wrapper],
            dims={"nO": None},
            attrs={
                "name": name,
                "get_spans": partial(_get_spans_with_tokens, get_spans),
                "keep_trf_data": keep_trf_data,
                "has_transformer": False,
                "set_transformer": _set_transformer,
                "replace_listener_cfg": _refuse_replace_listener,
            },
        )


def _get_spans_with_tokens(get_spans: SpanGetter, docs: list[Doc]) -> list[list[Span]]:
    # spacy-transformers runs a span without tokens, but leaves its output out when it splits the
    # batch: the documents behind it would get their neighbour's vectors.
    return [[span for span in spans if len(span)] for spans in get_spans(docs)]


def forward(
    model: Model, docs: list[Doc], is_train: bool
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], list[Doc]]]:
    use_one_thread_in_fork()
    shim: Any = model.layers[0].shims[0]
    spans = model.attrs["get_spans"](docs)
    if is_train:
        shim.add_adapters()
    if is_train and shim.is_frozen and shim.cache.max_bytes:
        return shim.cache.predict(model, docs, spans), lambda d_batch: docs
    if not is_train or shim.is_frozen or not any(spans):
        by_token = model.attrs["keep_trf_data"] and not is_train
        return predict(model, spans, by_token=by_token), lambda d_batch: docs
    batch, backprop_windows = learn(model, spans)

    def backprop(d_batch: FullTransformerBatch) -> list[Doc]:
        backprop_windows(d_batch)
        return docs

    return batch, backprop


def init(model: Any, X: Any = None, Y: Any = None) -> None:
    use_one_thread_in_fork()
    if model.attrs["has_transformer"]:
        return
    name = model.attrs["name"]
    configs = model._init_tokenizer_config, model._init_transformer_config
    try:
        hf_model = huggingface_from_pretrained(
            name, *configs, config_cls=EncoderConfig(), tokenizer_cls=EncoderTokenizer
        )
    except (ImportError, OSError, ValueError) as error:
        extra = ""
        if "sentencepiece" in str(error).lower() and not find_spec("sentencepiece"):
            extra = " Its tokenizer may need: pip install 'spacy-bertreg[sentencepiece]'."
        raise ValueError(
            f"Can't load the transformer {name!r} (name in [components.transformer.model]). "
            f"Expected a folder with a Hugging Face model, or a model's name on the Hugging Face "
            f"hub.{extra} {error}"
        ) from error
    model.attrs["set_transformer"](model, hf_model)
    model.layers[0].shims[0].add_adapters()


def _set_transformer(model: Model, hf_model: HFObjects) -> None:
    set_pytorch_transformer(model, hf_model)
    shim: Any = model.layers[0].shims[0]
    shim.apply_freeze()


def _refuse_forward(model: Model, X: Any, is_train: bool) -> NoReturn:
    raise NotImplementedError("The transformer is called by `layers.window_encoder` alone.")


def _refuse_replace_listener(transformer_cfg: dict, listener_cfg: dict) -> NoReturn:
    raise ValueError(
        "nlp.replace_listeners can't copy a spacy-bertreg.TransformerModel.v1 into another "
        "component: the copy would no longer know what is frozen. Leave the transformer shared."
    )
