"""Configuration and tokenizer of a Hugging Face model, as this package reads them."""

import json
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)


class EncoderConfig:
    """Hugging Face's AutoConfig, for spacy-transformers, which calls `from_pretrained`."""

    def __init__(self, saved: dict[str, Any] | None = None) -> None:
        """saved (dict | None): The configuration of a pipeline that is loaded, as it was saved."""
        self.saved = saved

    def from_pretrained(self, source: str | Path, **settings: Any) -> PretrainedConfig:
        """Read a configuration, and adapt it to windows of many different lengths.

        source (str | Path): Folder or Hugging Face name; if there is `saved`, the file to write it
            to and read it from.
        **settings: Arguments of AutoConfig.
        RETURNS (PretrainedConfig): The configuration; ModernBERT's with "sdpa" attention unless
            another was chosen.
        """
        if self.saved:
            # spacy-transformers has written ten decimals, which make a layer norm's epsilon of
            # 1e-12 a 0. Then a vector of zeros, such as padding, becomes NaN.
            Path(source).write_text(json.dumps(self.saved), encoding="utf-8")
        # On a GPU, ModernBERT would compile itself anew for new shapes.
        config = AutoConfig.from_pretrained(source, **{"reference_compile": False, **settings})
        if config.model_type == "modernbert" and config._attn_implementation_internal is None:
            # By default it uses flash attention where that is installed, which computes in
            # bfloat16 whatever the precision is.
            config._attn_implementation_internal = "sdpa"
        return config


class EncoderTokenizer:
    """Hugging Face's AutoTokenizer, for spacy-transformers, which calls `from_pretrained`."""

    @staticmethod
    def from_pretrained(source: str, **settings: Any) -> Any:
        """Read a tokenizer.

        source (str): Folder or Hugging Face name.
        **settings: Arguments of AutoTokenizer.
        RETURNS (PreTrainedTokenizerBase): The tokenizer, of a plain class if tokenizer.json is its
            only file: in classes that name a file of the vocabulary, such as DeBERTa-v3's
            spm.model, spacy-transformers looks for that file.
        """
        tokenizer = AutoTokenizer.from_pretrained(source, **settings)
        if tokenizer.is_fast and getattr(tokenizer, "vocab_file", "") is None:
            return PreTrainedTokenizerFast(
                tokenizer_object=tokenizer.backend_tokenizer,
                model_max_length=tokenizer.model_max_length,
                model_input_names=tokenizer.model_input_names,
                **tokenizer.special_tokens_map,
            )
        return tokenizer
