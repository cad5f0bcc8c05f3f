"""Every queue and every task, by name, once."""

from enum import StrEnum


class Queue(StrEnum):
    """A queue and the process that drains it (see ARCHITECTURE: processes)."""

    INGEST = "ingest"  # api-worker
    RATE = "rate"  # llm_worker
    LIGHT = "light"  # trainer
    TRAIN = "train"  # trainer


class Task(StrEnum):
    """A task's wire name; its message carries an id and nothing that matters."""

    IMPORT = "ingest.import"
    PURGE_DATASET = "ingest.purge_dataset"
    SNAPSHOT = "stage.snapshot"
    EMBED = "stage.embed"
    ALIGN = "stage.align"
    PRETRAIN = "stage.pretrain"
    CANDIDATES = "stage.candidates"
    RATE = "stage.rate"
    RATE_BATCH = "rate.batch"  # names the run: whoever gets it claims the next batch
    TRAIN_RAW = "stage.train_raw"
    REFINE = "stage.refine"
    TRAIN = "stage.train"
    EVALUATE = "stage.evaluate"
    PUBLISH = "stage.publish"

    @property
    def queue(self) -> Queue:
        """Return the queue that this task waits in."""
        return QUEUE_OF[self]


QUEUE_OF: dict[Task, Queue] = {
    Task.IMPORT: Queue.INGEST,
    Task.PURGE_DATASET: Queue.INGEST,
    Task.SNAPSHOT: Queue.LIGHT,
    Task.PUBLISH: Queue.LIGHT,
    Task.EMBED: Queue.RATE,
    Task.RATE: Queue.RATE,
    Task.RATE_BATCH: Queue.RATE,
    Task.ALIGN: Queue.TRAIN,
    Task.PRETRAIN: Queue.TRAIN,
    Task.CANDIDATES: Queue.TRAIN,
    Task.TRAIN_RAW: Queue.TRAIN,
    Task.REFINE: Queue.TRAIN,
    Task.TRAIN: Queue.TRAIN,
    Task.EVALUATE: Queue.TRAIN,
}
