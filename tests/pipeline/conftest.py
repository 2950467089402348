"""The packaged model, for the tests of the pipeline."""

import pytest

from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("open")


@pytest.fixture(scope="module")
def recognizer(bundle: Bundle) -> OnnxRecognizer:
    return OnnxRecognizer(bundle)
