"""What one DICOM object says: read without pixels, as raw text, whatever state the file is in."""

import logging

# pydicom logs each odd value it meets, quoting it; what is odd about a value is what the checks say. A filter, because
# pydicom sets its logger's level itself whenever it is imported.
logging.getLogger("pydicom").addFilter(lambda record: record.levelno >= logging.CRITICAL)
