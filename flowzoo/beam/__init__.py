"""Exported flows applied to any number of records, by Apache Beam: DirectRunner, Dataflow, Flink or Spark.

Needs `pip install flowzoo[beam]`.
"""

from flowzoo.beam.record_files import Range, ReadConditions, ReadRecords, WriteRecords
from flowzoo.beam.transforms import BAD, Encode, Sample, Score

__all__ = ["BAD", "Encode", "Range", "ReadConditions", "ReadRecords", "Sample", "Score", "WriteRecords"]
