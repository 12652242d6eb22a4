"""A PACS as an index: its studies by slices of C-FIND, then series and instances of those that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from fonds.archives.base import Batch, Memory
from fonds.archives.dimse import echo
from fonds.archives.dimse_query import Level, Questions
from fonds.archives.levels import Below, Levels
from fonds.archives.slices import Answer, Found
from fonds.archives.slicing import Slicer
from fonds.archives.sweeps import Sweeps
from fonds.archives.throttle import Throttle
from fonds.project.settings import DimseSourceSettings

# Required and unique keys of PS3.4 C.6.2.1.2 to C.6.2.1.4, then optional ones that archives commonly know
STUDY_KEYS = (
    "StudyDate StudyTime AccessionNumber PatientName PatientID StudyID StudyInstanceUID "
    "SpecificCharacterSet ModalitiesInStudy ReferringPhysicianName StudyDescription PatientBirthDate PatientSex "
    "IssuerOfPatientID NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances InstanceAvailability "
    "TimezoneOffsetFromUTC"
)
SERIES_KEYS = (
    "Modality SeriesNumber SeriesInstanceUID "
    "SpecificCharacterSet SeriesDate SeriesTime SeriesDescription BodyPartExamined Laterality InstitutionName "
    "StationName NumberOfSeriesRelatedInstances InstanceAvailability"
)
IMAGE_KEYS = (
    "InstanceNumber SOPInstanceUID "
    "SpecificCharacterSet SOPClassUID ContentDate ContentTime NumberOfFrames Rows Columns InstanceAvailability"
)
_RETURNED = {
    "STUDY": STUDY_KEYS.split(),
    "SERIES": ["StudyInstanceUID", *SERIES_KEYS.split()],
    "IMAGE": ["StudyInstanceUID", "SeriesInstanceUID", *IMAGE_KEYS.split()],
}


class FindIndex:
    """A C-FIND SCP of the study root model, asked over one association at a time."""

    def __init__(self, name: str, settings: DimseSourceSettings) -> None:
        self.name, self.settings = name, settings

    def check(self) -> None:
        """C-ECHO; raises ArchiveUnreachable."""
        echo(self.settings)

    def batches(self, memory: Memory) -> Iterator[Batch]:
        """All studies it holds, by date and by patient, and what is below those that changed."""
        questions = Questions(self.settings, Throttle(self.name, self.settings.pace))
        asking = _Asking(questions)
        try:
            levels = Levels(asking, memory, origin="dimse", depth=self.settings.depth)
            sweeps = Sweeps(
                Slicer(asking.studies),
                first=self.settings.first_date,
                today=datetime.now().astimezone().date(),
                finished=levels.finished,
            )
            yield from levels.batches(sweeps.pieces())
        finally:
            questions.close()


class _Asking:
    """Questions at each level, and their answers as the slices and levels take them."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    @property
    def relational(self) -> bool:
        """Agreed to by both sides."""
        return self._questions.relational

    def studies(self, keys: Mapping[str, str], most: int | None) -> Answer:
        """Studies that match keys."""
        return self._answer("STUDY", keys, most)

    def below(self, level: Below, studies: Sequence[str], series: str | None) -> Answer:
        """Series or instances (C-FIND calls their level IMAGE)."""
        keys = {"StudyInstanceUID": "\\".join(studies)}
        if series is not None:
            keys["SeriesInstanceUID"] = series
        return self._answer("SERIES" if level == "SERIES" else "IMAGE", keys, None)

    def _answer(self, level: Level, keys: Mapping[str, str], most: int | None) -> Answer:
        reply = self._questions.ask(level, keys, _RETURNED[level], most)
        found = [Found(told.attributes, told.notes) for told in reply.told]
        if level != "STUDY":
            return Answer(found, reply.cut, reply.broken)
        whole = [one for one in found if one.attributes.get("StudyInstanceUID")]
        return Answer(whole, reply.cut, reply.broken + len(found) - len(whole))
