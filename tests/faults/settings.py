"""The settings of the stack that is broken: many small batches, short leases, short pauses."""

SETTINGS = {
    "WINNOW_BATCH_PAIRS": "25",
    "WINNOW_LIST_LENGTH": "20",
    "WINNOW_LLM__MAX_ATTEMPTS": "3",
    "WINNOW_RETRY_FIRST_SECONDS": "2",
    "WINNOW_RETRY_LONGEST_SECONDS": "4",
    "WINNOW_DISK_ROOM_BYTES": str(4 * 2**20),
}
