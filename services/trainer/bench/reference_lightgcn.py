"""LightGCN as it is usually written: what the speed bench divides by. Frozen: it is not tuned.

The formulation of LightGCN-PyTorch (gusye1234, model.py `computer` and `bpr_loss`, utils.py
`BPRLoss.stageOne`): one COO matrix over U + I nodes, built once, multiplied with `torch.sparse.mm`
for each layer and each batch, the layers stacked and averaged, BPR by softplus, the L2 term on the
rows of the batch, Adam. Two things differ, both in its favour: the L2 term reads the users' and
the positive items' rows only, as here, and the losses are not accumulated.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from services.recsys.data import Interactions


class Reference(nn.Module):
    """The model with its optimiser; `start` are its vectors, (N, d), users first."""

    def __init__(
        self, train: Interactions, start: Tensor, *, n_layers: int, lr: float, lambda_reg: float
    ) -> None:
        super().__init__()
        self.n_users, self.n_layers, self.lambda_reg = train.n_users, n_layers, lambda_reg
        self.users = nn.Embedding(*start[: train.n_users].shape)
        self.items = nn.Embedding(*start[train.n_users :].shape)
        self.users.weight.data.copy_(start[: train.n_users])
        self.items.weight.data.copy_(start[train.n_users :])
        self.graph = _adjacency(train)
        self.adam = torch.optim.Adam(self.parameters(), lr=lr)

    def step(self, users: Tensor, positives: Tensor, negatives: Tensor) -> float:
        """Train on one batch, each (B,); return the loss."""
        z_users, z_items = self.computer()
        u, i, j = z_users[users], z_items[positives], z_items[negatives]
        loss = torch.mean(F.softplus(torch.sum(u * j, dim=1) - torch.sum(u * i, dim=1)))
        squares = self.users(users).norm(2).pow(2) + self.items(positives).norm(2).pow(2)
        loss = loss + self.lambda_reg * (1 / 2) * squares / float(len(users))
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return float(loss.detach())

    def computer(self) -> tuple[Tensor, Tensor]:
        """All users' and all items' vectors, every layer kept and averaged."""
        h = torch.cat([self.users.weight, self.items.weight])
        layers = [h]
        for _ in range(self.n_layers):
            h = torch.sparse.mm(self.graph, h)
            layers.append(h)
        z = torch.mean(torch.stack(layers, dim=1), dim=1)
        users, items = torch.split(z, [self.n_users, len(z) - self.n_users])
        return users, items


def _adjacency(train: Interactions) -> Tensor:
    users, items = torch.from_numpy(train.users), torch.from_numpy(train.items) + train.n_users
    n_nodes = train.n_users + train.n_items
    at = torch.stack([torch.cat([users, items]), torch.cat([items, users])])
    degrees = torch.bincount(at[0], minlength=n_nodes).float()
    scale = torch.where(degrees > 0, degrees.rsqrt(), 0.0)
    values = scale[at[0]] * scale[at[1]]
    shape = (n_nodes, n_nodes)
    return torch.sparse_coo_tensor(at, values, shape, check_invariants=False).coalesce()
