"""Every BlobStore runs the same suite."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from bench.backing import Program
from tests.contract.blobstore_suite import BlobStoreSuite
from tests.files import cluster
from tests.files.memory import MemoryBlobs
from tests.storage.simulated_disk import SimulatedDisk
from vidi.files.local import LocalBlobs
from vidi.files.s3 import BlobCache, S3Blobs
from vidi.files.store import BlobStore


class TestLocalBlobs(BlobStoreSuite):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return LocalBlobs(tmp_path / "store")


class TestLocalBlobsOnASimulatedDisk(BlobStoreSuite):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return LocalBlobs(Path("store"), SimulatedDisk(), spare_bytes=8)


class TestMemoryBlobs(BlobStoreSuite):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobs()


class TestS3BlobsInMemory(BlobStoreSuite):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return S3Blobs(MemoryStore(), BlobCache(tmp_path, 1 << 20))


@pytest.mark.slow
class TestS3Blobs(BlobStoreSuite):
    @pytest.fixture
    def blobs(self, s3: Program, tmp_path: Path) -> BlobStore:
        return cluster.new_bucket(s3, tmp_path)
