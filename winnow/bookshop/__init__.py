"""A generated bookshop: readers, books and purchases with planted noise, its truth kept aside."""
