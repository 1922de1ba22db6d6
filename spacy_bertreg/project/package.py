"""Build a wheel of a trained pipeline."""

import json
import re
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from spacy.cli.package import has_build
from spacy.cli.package import package as spacy_package
from spacy.language import Language

from ..data.files import check_folder, folder_beside, replace_files
from ..pipeline.regressor import find_regressors
from ..scoring.loading import import_code, load_pipeline
from ..training.block_counts import has_weights
from ..training.freeze_report import get_freeze_report
from .hub_metadata import hub_metadata
from .model_card import model_card
from .precision_check import (
    MAX_DIFFERENCE,
    MAX_R2_DIFFERENCE,
    Int8Check,
    PrecisionCheck,
    WeightsCheck,
    check_precision,
    check_weights,
    find_transformers,
)

Weights = Literal["float32", "bfloat16"]
INT8_REQUIREMENT = "spacy-bertreg[int8]"


class Packaged(NamedTuple):
    """What was built, and what was found on the dev set.

    wheel (Path): The wheel.
    precision (PrecisionCheck | Int8Check | None): Of a pipeline with a transformer, where there
        were data; of one in int8 without, what `quantize` has found.
    weights (WeightsCheck | None): Where weights are in bfloat16.
    """

    wheel: Path
    precision: PrecisionCheck | Int8Check | None
    weights: WeightsCheck | None


def package(
    pipeline: Path,
    output: Path,
    *,
    name: str,
    version: str = "0.1.0",
    data: Path | None = None,
    metrics: Path | None = None,
    dataset: str = "test set",
    weights: Weights = "float32",
    forget_training_texts: bool = False,
    code: Path | None = None,
) -> Packaged:
    """Build a wheel of a trained pipeline, with a README and a meta.json that say how good it is.

    pipeline (Path): Folder of the trained pipeline. It stays as it is.
    output (Path): Folder to write to: the package is in LANG_NAME-VERSION, the wheel in dist there.
    name (str): Name without the language, a Python identifier.
    version (str): The package's version.
    data (Path | None): Documents of the dev set, a .spacy file. If predictions for them are the
        same in bfloat16, the packaged transformer computes in it where the hardware gains by it. If
        the pipeline computes in int8, it stays so if they are the same as in float32. None to leave
        the precision as it is.
    metrics (Path | None): What `spacy evaluate --output` wrote on the test set, for the README.
    dataset (str): The test set's name, for the README on the Hugging Face hub.
    weights (str): "float32", or "bfloat16" to store the transformer's matrices in half of their
        size, if predictions for `data` stay the same. They are loaded into float32.
    forget_training_texts (bool): Whether to leave out the fingerprints of the training texts, which
        show whether a text was trained on.
    code (Path | None): Python file with registered functions of the config; it is packaged too.
    RETURNS (Packaged): The wheel, and what was found on `data`.
    RAISES (ValueError, OSError, ImportError): Wrong input, predictions that change too much in
        bfloat16, or the wheel can't be built. Nothing is written.
    """
    if not re.fullmatch(r"[A-Za-z](\w*[A-Za-z0-9])?", name, re.ASCII):
        raise ValueError(
            f"The name is {name!r}. Expected English letters, digits and _, with a letter first "
            "and no _ at the end, such as bertreg_tweets."
        )
    if weights not in get_args(Weights):
        raise ValueError(f"weights is {weights!r}. Expected 'float32' or 'bfloat16'.")
    if weights == "bfloat16" and data is None:
        raise ValueError(
            "weights is 'bfloat16', but there are no data. Expected documents of the dev set, a "
            ".spacy file, to compare predictions with rounded and with unrounded weights."
        )
    if not has_build():
        raise ImportError("Building a wheel needs the package build: pip install build")
    check_folder(output, [pipeline])
    import_code(code)
    scores = None if metrics is None else _read_metrics(metrics)
    halved = _check_weights(pipeline, data) if weights == "bfloat16" and data else None
    check = None
    if data is not None:
        check = check_precision(pipeline, data, rounds_weights=halved is not None)
    nlp = load_pipeline(pipeline, None if check is None else check.precision)
    regressors = find_regressors(nlp)
    if not regressors:
        raise ValueError(f"The pipeline {pipeline} has no regressor. It has: {nlp.pipe_names}.")
    if check is not None:
        nlp.meta["precision"] = check._asdict()
    is_int8 = _set_int8_requirement(nlp)
    if check is None and is_int8 and "precision" in nlp.meta:
        check = Int8Check(**nlp.meta["precision"])
    if halved is not None:
        nlp.meta["weights"] = {"type": "bfloat16", **halved._asdict()}
        for shim in find_transformers(nlp):
            shim.saves_bfloat16 = True
    if has_weights(nlp):
        # For components from another pipeline, training wrote the report to that one's meta.json.
        nlp.meta["freeze_report"] = get_freeze_report(nlp).to_dict()
    if forget_training_texts:
        for regressor in regressors:
            regressor.forget_training_texts()
    targets = list(dict.fromkeys(t for regressor in regressors for t in regressor.targets))
    nlp.meta.update(
        name=name, version=version, description=f"Predicts {', '.join(targets)} for each text."
    )
    if scores is not None:
        nlp.meta["performance"] = scores
    folder = output / f"{nlp.meta['lang']}_{name}-{version}"
    keeps_texts = any(regressor.record.has_hashes for regressor in regressors)
    card = model_card(
        nlp.meta,
        nlp.config.interpolate(),
        targets,
        scores,
        [part.describe() for part in (check, halved) if part is not None],
        keeps_texts=keeps_texts,
    )
    with folder_beside(folder.resolve()) as temporary:
        nlp.to_disk(temporary / "pipeline")
        (temporary / "pipeline" / "README.md").write_text(card, encoding="utf-8")
        (temporary / "packages").mkdir()
        spacy_package(
            temporary / "pipeline",
            temporary / "packages",
            code_paths=[] if code is None else [code],
            create_sdist=False,
            create_wheel=True,
        )
        built = temporary / "packages" / folder.name
        wheels = [path.relative_to(built) for path in built.glob("dist/*.whl")]
        if not wheels:
            raise ValueError(f"No wheel of {folder.name} was built: see the messages above.")
        # Not in the wheel: spacy-huggingface-hub puts some of its own before the README there.
        front = hub_metadata(nlp.meta, scores, dataset)
        (built / "README.md").write_text(front + card, encoding="utf-8")
        replace_files(built, folder.resolve())
    return Packaged(folder / wheels[0], check, halved)


def _set_int8_requirement(nlp: Language) -> bool:
    """Let the package require what int8 takes, if its transformer computes in it; tell whether it
    does."""
    model = nlp.config["components"].get("transformer", {}).get("model", {})
    is_int8 = model.get("precision") == "int8"
    others = [name for name in nlp.meta.get("requirements", ()) if name != INT8_REQUIREMENT]
    nlp.meta["requirements"] = [*others, INT8_REQUIREMENT] if is_int8 else others
    return is_int8


def _check_weights(pipeline: Path, data: Path) -> WeightsCheck:
    """Raise a ValueError if rounded weights change the predictions."""
    check = check_weights(pipeline, data)
    if not check.passes:
        raise ValueError(
            f"{check.describe()} Expected at most {MAX_DIFFERENCE} standard deviations and "
            f"{MAX_R2_DIFFERENCE} of R². Package this pipeline with weights in float32."
        )
    return check


def _read_metrics(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found["reg_per_target"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not what `spacy evaluate --output` writes for a regressor: {error!r}."
        ) from error
    return found
