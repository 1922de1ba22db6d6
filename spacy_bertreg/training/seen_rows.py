"""Steps of an optimizer for the rows of a parameter that have had a gradient so far."""

import torch
from torch import nn


class SeenRows:
    """The rows of a table of word embeddings that training has looked up so far, as a parameter of
    its own. Of a vocabulary, a corpus holds the smaller part: steps for all rows, with their moving
    averages, would take most of an optimizer's time and memory.

    table (Parameter): The whole table, shape (vocabulary, width).

    Attributes:
    part (Parameter): Its rows that have been looked up, in order of appearance, as the optimizer
        knows them.
    """

    def __init__(self, table: nn.Parameter) -> None:
        self.table = table
        self.part = nn.Parameter(table.detach()[:0])
        self._rows = torch.zeros(0, dtype=torch.int64)
        self._is_seen = torch.zeros(len(table), dtype=torch.bool)

    def gather(self, rows: torch.Tensor | None) -> None:
        """Copy values and gradients to `part`, which grows by the rows that are new.

        rows (Tensor | None): Numbers of the rows with a gradient, each once; None for all.
        """
        if rows is None:
            rows = torch.arange(len(self.table))
        new = rows[~self._is_seen[rows]]
        self._is_seen[new] = True
        self._rows = torch.cat([self._rows, new])
        # Torch takes another shape only where there is no gradient.
        self.part.grad = None
        self.part.data = self.table.detach()[self._rows]
        if self.table.grad is not None:
            self.part.grad = self.table.grad[self._rows]

    def extend_averages(self, optimizer: torch.optim.Optimizer) -> None:
        """Give rows that are new the moving averages that they would have had so far: zeros."""
        state = optimizer.state.get(self.part, {})
        for name, values in state.items():
            if values.ndim == 2:
                new = values.new_zeros(len(self._rows) - len(values), values.shape[1])
                state[name] = torch.cat([values, new])

    def scatter(self) -> None:
        """Copy values back to the table."""
        with torch.no_grad():
            self.table.index_copy_(0, self._rows, self.part)
