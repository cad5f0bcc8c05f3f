"""The scorer: top-K on demand, for those whom no published list serves.

A process of its own beside the trainer, asked by the api only. It keeps vectors in memory and
nothing else: histories, texts and attributes are read from Postgres for each request, and what a
session says is forgotten with its answer.
"""
