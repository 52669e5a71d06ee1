"""The long fuzz of sweep files and settings: ``pytest -m long tests/long/test_fuzz_sweeps.py -s``.

``KONDO_FUZZ`` is the number of each, ``KONDO_FUZZ_SEED`` another seed.
"""

import os

import pytest
from fuzzing import fuzz_files, fuzz_settings

COUNT, SEED = int(os.environ.get("KONDO_FUZZ", "50000")), int(os.environ.get("KONDO_FUZZ_SEED", "1"))

pytestmark = pytest.mark.long


def test_files(tmp_path):
    found = fuzz_files(tmp_path, COUNT, SEED)
    print(f"\n{COUNT} files: {dict(found)}")
    assert found.total() == COUNT


def test_settings():
    found = fuzz_settings(COUNT, SEED)
    print(f"\n{COUNT} settings: {dict(found)}")
    assert found.total() == COUNT
