"""Vidi: Google's Gemini API for image understanding, served from your own machine."""

import os

__version__ = "0.1.0"

# Here, because every process imports this first. onnxruntime reports its use, and writes a device id when it
# is imported: its `disable_telemetry_events` comes too late for that. The hub's library heeds the other two.
os.environ.update(  # noqa: TID251  # written for what is imported later, not read
    ORT_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1"
)
# numpy works on small matrices here. Its library would start a thread for each core when it is imported, and
# all of them spin for work: a third of the import's processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251
