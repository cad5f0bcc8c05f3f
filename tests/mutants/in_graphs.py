"""Mistakes in graphs, views and backbones."""

from tests.mutants.mutant import core

NGCF = "backbones/ngcf.py"

MUTANTS = (
    core(
        "degrees of one side only",
        "adjacency.py",
        "scale *= _inverse_root(items).index_select(0, self.edge_items)",
        "scale *= _inverse_root(users).index_select(0, self.edge_users)",
        "adjacency",
    ),
    core(
        "a node without edges divides by zero",
        "adjacency.py",
        "torch.where(degrees > 0, degrees.clamp_min(1e-12).rsqrt(), 0.0)",
        "degrees.rsqrt()",
        "adjacency",
    ),
    core(
        "weights of a graph are lost on the union",
        "adjacency.py",
        "weights[at] = graph.values()",
        "weights[at] = 1.0",
        "adjacency",
    ),
    core(
        "1/(L+1) is missing",
        "propagate.py",
        "return _horner(graph, entries, X, n_layers) / (n_layers + 1)",
        "return _horner(graph, entries, X, n_layers)",
        "propagate",
    ),
    core(
        "the last power instead of their mean",
        "propagate.py",
        "h = multiply(graph, entries, h).add_(X)",
        "h = multiply(graph, entries, h)",
        "propagate",
    ),
    core(
        "the gradient passes one layer less",
        "propagate.py",
        "_horner(graph, entries, grads[0], n_layers)",
        "_horner(graph, entries, grads[0], n_layers - 1)",
        "propagate",
    ),
    core(
        "rows of the layer mean lack 1/(L+1)",
        "propagate.py",
        ".add_(multiply_rows(rows, power)).div_(n_layers + 1), ego",
        ".add_(multiply_rows(rows, power)), ego",
        "propagate",
    ),
    core(
        "rows of the layer mean leave out the powers between",
        "propagate.py",
        "            total.add_(power.index_select(0, nodes))\n",
        "",
        "propagate",
    ),
    core(
        "the gradient of some rows forgets the free vectors",
        "propagate.py",
        ".index_add_(0, ctx.nodes, G + of_ego), None",
        ".index_add_(0, ctx.nodes, G), None",
        "propagate",
    ),
    core(
        "columns read by sorting keep the entries of the rows",
        "adjacency.py",
        "entries=self.entries[order]",
        "entries=self.entries",
        "adjacency",
    ),
    core(
        "the share that should stay falls",
        "augment.py",
        "coins < rho",
        "coins > rho",
        "augment",
    ),
    core(
        "no re-normalisation after edge drop",
        "methods/llmhni.py",
        "return self.structure.normalise(first), self.structure.normalise(second)",
        "return (\n"
        "            self.G * (first > 0)[self.structure.entry_edge],\n"
        "            self.G_ * (second > 0)[self.structure.entry_edge],\n"
        "        )",
        "llmhni",
    ),
    core(
        "both views are drawn from G",
        "methods/llmhni.py",
        "second = drop_edges(self._a_, rho=rho, rng=rng)",
        "second = drop_edges(self._a, rho=rho, rng=rng)",
        "llmhni",
    ),
    core(
        "NGCF drops messages while it serves",
        NGCF,
        "drops = torch.is_grad_enabled() and self.p > 0",
        "drops = self.p > 0",
        "ngcf",
    ),
    core(
        "NGCF's gradient forgets that dropped messages made it unsymmetric",
        NGCF,
        "multiply(graph, entries[twin], grads[0].contiguous())",
        "multiply(graph, entries, grads[0].contiguous())",
        "ngcf",
    ),
    core(
        "NGCF without what user and item have in common",
        NGCF,
        " + (heard * E) @ W2",
        "",
        "ngcf",
    ),
    core(
        "NGCF without a node's own message",
        NGCF,
        "(heard + own) @ W1",
        "heard @ W1",
        "ngcf",
    ),
    core(
        "NGCF serves its last layer alone",
        NGCF,
        "self._halves(torch.cat(layers, dim=1))",
        "self._halves(layers[-1])",
        "ngcf",
    ),
    core(
        "NGCF's remaining messages are not lifted",
        NGCF,
        "0.0, 1 / (1 - self.p)",
        "0.0, 1.0",
        "ngcf",
    ),
    core(
        "the SVD of the unnormalised matrix",
        "backbones/start.py",
        "    R.data /= np.sqrt(users[train.users] * items[train.items])\n",
        "",
        "start",
    ),
)
