"""Weights by the sensitivity of a neural network.

After Häffner, S., Hofer, M., Nagl, M. & Walterskirchen, J. (2023), Introducing an Interpretable
Deep Learning Approach to Domain-Specific Dictionary Creation, Political Analysis 31:481-499: a
network learns to predict the target from the words of a text, and a word weighs what the prediction
changes with it. The paper does not state its network nor its formula: all constants below are ours.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .candidates import Occurrences
from .features import Floats

if TYPE_CHECKING:
    import torch

HIDDEN_UNITS = 64
FIRST_WEIGHTS = 0.1
DROPOUT_TERMS = 0.2
DROPOUT_HIDDEN = 0.5
RATE = 0.0015
WEIGHT_DECAY = 0.001
BATCH = 32
MAX_EPOCHS = 8
N_NETWORKS = 3


class Sensitivity:
    """Three networks, each with one hidden layer of 64 rectified linear units, on the candidates'
    occurrences, trained with AdamW. The weight of a candidate is the mean over the training
    documents of the derivative of the networks' output by the candidate's value.

    n_settings (int): Number of epochs to choose from.
    n_threads (int): 1: most of the time goes into short steps that hold Python's lock.
    """

    n_settings = MAX_EPOCHS
    n_threads = 1

    def __init__(self, seed: int) -> None:
        """Set the seed of the first weights, the order of documents, and dropout."""
        self._seed = seed

    def fit(
        self, occurrences: Occurrences, target: Floats, last: int, weights: Floats | None = None
    ) -> Iterator[Floats]:
        """Train, and average the networks after each epoch. See `WeightEstimator.fit`."""
        seeds = range(self._seed, self._seed + N_NETWORKS)
        counts = np.ones(len(target)) if weights is None else weights / weights.mean()
        networks = (_train(occurrences, target, counts, last + 1, seed) for seed in seeds)
        for sensitivities in zip(*networks, strict=True):
            yield np.mean(sensitivities, axis=0)


def _train(
    occurrences: Occurrences, target: Floats, counts: Floats, n_epochs: int, seed: int
) -> Iterator[Floats]:
    """Train a network and yield, after each epoch, its sensitivity to each candidate."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    candidates = torch.from_numpy(occurrences.candidates)
    # Small: where a term is too rare to learn, its first weights are all that it has.
    bound = FIRST_WEIGHTS * (occurrences.n_documents / max(len(candidates), 1)) ** 0.5
    embed = torch.empty(len(occurrences.terms), HIDDEN_UNITS)
    embed.uniform_(-bound, bound, generator=generator)
    bias = torch.empty(HIDDEN_UNITS)
    bias.uniform_(-FIRST_WEIGHTS, FIRST_WEIGHTS, generator=generator)
    bound = HIDDEN_UNITS**-0.5
    output = torch.empty(HIDDEN_UNITS).uniform_(-bound, bound, generator=generator)
    intercept = torch.zeros(1)
    parameters = [p.requires_grad_() for p in (embed, bias, output, intercept)]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=WEIGHT_DECAY, fused=True)

    starts = np.searchsorted(occurrences.documents, np.arange(occurrences.n_documents + 1))
    values = torch.from_numpy(occurrences.values).float()
    gold = torch.from_numpy(target).float()
    count = torch.from_numpy(counts).float()

    def hidden(rows: list[int], dropout: bool) -> "torch.Tensor":
        spans = [torch.arange(starts[row], starts[row + 1]) for row in rows]
        offsets = torch.tensor([0, *(len(span) for span in spans)]).cumsum(0)[:-1]
        places = torch.cat(spans)
        weights = values[places]
        if dropout:
            weights = weights * _keep(len(places), DROPOUT_TERMS, generator)
        summed = torch.nn.functional.embedding_bag(
            candidates[places], embed, offsets, mode="sum", per_sample_weights=weights
        )
        return summed + bias

    for _ in range(n_epochs):
        order = torch.randperm(len(gold), generator=generator)
        for rows in order.split(BATCH):
            units = hidden(rows.tolist(), dropout=True).relu()
            kept = _keep(units.numel(), DROPOUT_HIDDEN, generator).view_as(units)
            errors = (units * kept) @ output + intercept - gold[rows]
            loss = (errors.square() * count[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            # The output's derivative by a unit's input is the unit's weight where it is active.
            active = (hidden(list(range(len(gold))), dropout=False) > 0).float()
            active = (active * count[:, None]).mean(dim=0)
            sensitivity = (embed @ (active * output)).double().numpy()
        yield sensitivity


def _keep(n: int, dropout: float, generator: "torch.Generator") -> "torch.Tensor":
    import torch

    return (torch.rand(n, generator=generator) >= dropout).float() / (1 - dropout)
