"""Benchmarks that say what ran where: a protocol, a record, ways to devices, and what is made of records.

`host` carries the runtime and a bundle to a device, starts ``python -m voxtoon.bench`` there (`protocol`),
and puts what comes back, line by line, into a `record`. `compare`, `tune` and `report` read records only.
"""
