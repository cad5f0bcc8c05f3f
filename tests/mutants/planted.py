"""Every mutant there is; docs: CONTRIBUTING, "Planting a mutant"."""

from tests.mutants import (
    in_default,
    in_graphs,
    in_judging,
    in_losses,
    in_measuring,
    in_samplers,
    in_training,
)

MUTANTS = (
    *in_graphs.MUTANTS,
    *in_losses.MUTANTS,
    *in_samplers.MUTANTS,
    *in_training.MUTANTS,
    *in_judging.MUTANTS,
    *in_measuring.MUTANTS,
    *in_default.MUTANTS,
)
