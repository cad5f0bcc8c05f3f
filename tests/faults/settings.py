"""The settings of the stack that is broken: many small batches, short leases."""

SETTINGS = {"WINNOW_BATCH_PAIRS": "25", "WINNOW_LIST_LENGTH": "20"}
