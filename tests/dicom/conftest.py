"""A plain CT object to break."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset


@pytest.fixture
def ct() -> Dataset:
    """A CT slice of 8 by 8 pixels."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.Modality = "Müller^Jürgen", "P1", "CT"
    ds.StudyDate, ds.AccessionNumber = "20210304", ""
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 8, 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = bytes(range(128))
    ds["PixelData"].VR = "OW"
    return ds
