"""What two objects show and say, however each is encoded: decoded pixels, other content, attributes."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from fonds.dicom import pixels
from fonds.dicom.decoded import decoded_digest, is_blank
from fonds.dicom.differences import bulk_digest, differing_attributes
from tests.dicom.made import encoded, wheel_file

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def ct() -> Dataset:
    found = pydicom.dcmread(wheel_file("CT_small.dcm"))
    plain = Dataset()
    plain.update({element.tag: element for element in found if not element.tag.is_private})
    del plain[0xFFFCFFFC]
    return plain


def show(ds: Dataset, values: np.ndarray, bits: int, signed: int = 0) -> Dataset:
    ds.Rows, ds.Columns = values.shape[:2]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    if values.ndim == 3:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8 * values.itemsize, bits, bits - 1
    ds.PixelRepresentation, ds.PixelData = signed, values.tobytes()
    return ds


def compressed(ds: Dataset, syntax: str) -> bytes:
    packed = pydicom.dcmread(BytesIO(encoded(deepcopy(ds))))
    packed.compress(syntax, generate_instance_uid=False)
    return encoded(packed, syntax)


def digests(*files: bytes) -> list[str | None]:
    return [decoded_digest(BytesIO(data)) for data in files]


def test_signed_values_and_unused_bits_are_the_same_in_every_lossless_encoding(ct: Dataset) -> None:
    values = np.random.default_rng(1).integers(-2048, 2048, (20, 24)).astype("<i2")
    plain = show(ct, values, 12, 1)
    littered = deepcopy(plain)
    littered.PixelData = (values.view("<u2") & 0x0FFF | 0x5000).tobytes()
    found = digests(
        encoded(plain),
        encoded(littered),
        compressed(plain, JPEGLSLossless),
        compressed(plain, RLELossless),
        encoded(deepcopy(plain), DeflatedExplicitVRLittleEndian),
    )
    assert len(set(found)) == 1
    assert None not in found
    plain.PixelData = (values + (values == values.max())).astype("<i2").tobytes()
    assert digests(encoded(plain))[0] not in found


def test_colours_by_plane_are_the_colours_by_pixel(ct: Dataset) -> None:
    values = np.random.default_rng(1).integers(0, 256, (20, 24, 3)).astype("u1")
    plain = show(ct, values, 8)
    planes = deepcopy(plain)
    planes.PlanarConfiguration, planes.PixelData = 1, values.transpose(2, 0, 1).tobytes()
    one, other, packed = digests(encoded(plain), encoded(planes), compressed(plain, RLELossless))
    assert one == other == packed
    with_attributes = (BytesIO(encoded(plain)), BytesIO(encoded(planes)))
    assert differing_attributes(*with_attributes) == ["PlanarConfiguration"]
    assert differing_attributes(*with_attributes, same_content=True) == []


def test_blank_is_one_value_in_any_encoding_and_not_a_torn_image(ct: Dataset) -> None:
    flat = show(ct, np.full((20, 24), 700, "<u2"), 12)
    assert is_blank(BytesIO(encoded(flat)))
    assert is_blank(BytesIO(compressed(flat, RLELossless)))
    dotted = np.full((20, 24), 700, "<u2")
    dotted[-1, -1] = 701
    assert not is_blank(BytesIO(encoded(show(ct, dotted, 12))))
    assert not is_blank(BytesIO(wheel_file("MR_truncated.dcm").read_bytes()))


def test_large_images_are_read_a_block_at_a_time(ct: Dataset) -> None:
    class Blocks(BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            self.largest = max(self.largest, len(found))
            return found

    stream = Blocks(encoded(show(ct, np.zeros((1500, 1500), "<u2"), 12)))
    assert decoded_digest(stream) is not None
    assert stream.largest <= pixels.CHUNK


def test_texts_are_compared_decoded_and_numbers_whatever_their_vr(ct: Dataset) -> None:
    ct.SpecificCharacterSet, ct.PatientName, ct.PatientComments = "ISO_IR 100", "Müller^Jörg", "grüß"
    item = Dataset()
    item.CodeMeaning = "süß"
    ct.ProcedureCodeSequence = Sequence([item])
    ct.add_new(0x00190010, "LO", "MAKER")
    ct.add_new(0x00191001, "LO", "odd")
    ct.add_new(0x00191002, "US", 7)
    ct.add_new(0x7FE10010, "LO", "BEHIND")
    ct.add_new(0x7FE11001, "LO", "a")
    other = deepcopy(ct)
    other.SpecificCharacterSet = "ISO_IR 192"
    other["ProcedureCodeSequence"].is_undefined_length = True
    one = encoded(ct)
    assert differing_attributes(BytesIO(one), BytesIO(encoded(other, ImplicitVRLittleEndian))) == []
    other[0x00191002].value = 8
    other[0x7FE11001].value = "b"
    other.ProcedureCodeSequence[0].CodeMeaning = "sauer"
    told = differing_attributes(BytesIO(one), BytesIO(encoded(other, ImplicitVRLittleEndian)))
    assert told == ["(0019,1002)", "(7FE1,1001)", "ProcedureCodeSequence"]


def test_documents_and_waveforms_are_content_and_their_titles_are_not(ct: Dataset) -> None:
    del ct.PixelData
    # larger than what is held in memory
    document = np.random.default_rng(1).integers(1, 256, 1_500_001).astype("u1").tobytes()
    ct.EncapsulatedDocument, ct.DocumentTitle = document + b"\0", "one"
    first = encoded(ct)
    ct.DocumentTitle = "other"
    second = encoded(ct, ImplicitVRLittleEndian)
    ct.EncapsulatedDocument = document[:-1] + b"\1\0"
    third = encoded(ct)
    content = [bulk_digest(BytesIO(data)) for data in (first, second, third)]
    assert content[0] == content[1] != content[2]
    assert differing_attributes(BytesIO(first), BytesIO(third)) == ["DocumentTitle", "EncapsulatedDocument"]
    trace = pydicom.dcmread(wheel_file("waveform_ecg.dcm"))
    before = bulk_digest(BytesIO(encoded(trace)))
    samples = bytearray(trace.WaveformSequence[1].WaveformData)
    samples[7] ^= 1
    trace.WaveformSequence[1].WaveformData = bytes(samples)
    assert bulk_digest(BytesIO(encoded(trace))) != before
