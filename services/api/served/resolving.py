"""From a dataset to the lists it serves, for routes that run on threads and may wait."""

from uuid import UUID

from services.api.served.pointers import Pointers, model_of
from services.api.served.shelf import Lists, Shelf


def lists_of(
    pointers: Pointers, shelf: Shelf, project_id: UUID, dataset_id: UUID, model_id: UUID | None
) -> Lists:
    """Return the lists of a dataset's model, by default of the one that is served.

    Raises NotFoundError when the project has no such dataset or model, ConflictError while it
    serves none, UnavailableError while the files are damaged.
    """
    pointer = pointers.fresh(project_id, dataset_id) or pointers.read(project_id, dataset_id)
    named = model_id is not None
    model = (
        model_of(pointer) if model_id is None else pointers.named(project_id, dataset_id, model_id)
    )
    return shelf.at_hand(model, named=named) or shelf.fetch(model, named=named)
