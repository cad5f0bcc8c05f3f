"""The science from files: peers on a published split, and what ratings are worth in the bookshop.

No database and no running service; what trains here is configured by `services.trainer.spec`, as
in a run.
"""
